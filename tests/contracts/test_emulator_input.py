from typing import Any

import pytest

from tests.contracts.local_aws import FOLDER, LocalAws, text

pytest_plugins = ("tests.contracts.local_aws_fixtures",)


def failed(emulator: LocalAws, **changes: Any) -> str:
    job = emulator.ended(emulator.create(**changes))
    assert job["status"] == "Failed"
    assert emulator.keys("nova/batch/output/") == []
    return str(job["message"]).replace(job["jobArn"], "<arn>")


def texts(number: int) -> list[dict[str, Any]]:
    return [text(str(each)) for each in range(number)]


def test_too_few_records_are_no_error_of_create_but_fail_the_job(emulator: LocalAws) -> None:
    emulator.put_manifest(texts(2))
    assert failed(emulator) == "Batch job <arn> contains less records (2) than the required minimum of: 100"


def test_a_hundred_records_are_enough(emulator: LocalAws) -> None:
    emulator.put_manifest(texts(100))
    assert emulator.ended(emulator.create())["status"] == "Completed"


def test_the_minimum_counts_the_records_of_all_manifests(emulator: LocalAws) -> None:
    emulator.put_manifest(texts(60), "a.jsonl")
    emulator.put_manifest(texts(40), "deeper/b.jsonl")
    job = emulator.ended(emulator.create())
    assert (job["status"], job["totalRecordCount"]) == ("Completed", 100)
    assert len(emulator.lines(job, "a.jsonl.out")) == 60
    assert len(emulator.lines(job, "deeper/b.jsonl.out")) == 40


def test_too_many_records_fail_the_job(emulator: LocalAws) -> None:
    emulator.control.set(min_records=1, max_records=5)
    emulator.put_manifest(texts(6))
    assert "more records (6)" in failed(emulator)


def test_a_folder_without_a_manifest_fails_the_job(emulator: LocalAws) -> None:
    emulator.put(FOLDER + "files/a.mp4")
    assert ".jsonl" in failed(emulator)


def test_a_manifest_of_another_folder_with_the_same_beginning_is_not_read(emulator: LocalAws) -> None:
    emulator.control.set(min_records=1)
    emulator.put(FOLDER.rstrip("/") + "0/manifest.jsonl", "{}")
    uri = f"s3://{emulator.bucket}/{FOLDER.rstrip('/')}"
    assert ".jsonl" in failed(emulator, inputDataConfig={"s3InputDataConfig": {"s3Uri": uri}})


@pytest.mark.parametrize("body", ['{"recordId": "a"', "[1]", "hello", b"\xff\xfe"], ids=str)
def test_a_manifest_that_is_not_json_lines_fails_the_job(emulator: LocalAws, body: bytes | str) -> None:
    emulator.control.set(min_records=1)
    emulator.put(FOLDER + "manifest.jsonl", body)
    assert "manifest.jsonl" in failed(emulator)


def test_more_than_five_gigabytes_in_the_folder_fail_the_job(emulator: LocalAws) -> None:
    emulator.put_manifest(texts(100))
    for number in range(6):
        emulator.put(f"{FOLDER}files/{number}.mp4", size=900_000_000)
    assert "bytes of input" in failed(emulator)


def test_a_manifest_over_a_gigabyte_fails_the_job(emulator: LocalAws) -> None:
    emulator.put(FOLDER + "manifest.jsonl", "{}", size=1_000_000_001)
    assert "manifest.jsonl" in failed(emulator)


def test_a_bucket_that_is_not_there_fails_the_job(emulator: LocalAws) -> None:
    config = {"s3InputDataConfig": {"s3Uri": "s3://nobodys-bucket/folder/"}}
    assert "nobodys-bucket" in failed(emulator, inputDataConfig=config)
