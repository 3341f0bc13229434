"""`pending`: the open jobs as Bedrock's list tells them, or as they are stored."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from consumers.core import layout
from consumers.core.lifecycle import JobStatus
from daemon.adapters.store import SqlStore
from daemon.cli.output import duration
from tests.cli.command_line import CommandLine
from tests.contracts.planting import MODEL, after, arn, end_job, job_name, plant, report, submit
from tests.http_stub import Reply, Request, Stub, serve

BATCH = layout.batch_id("r")


def ago() -> datetime:
    """Return a time that is 3h12m ago for the next half minute."""
    return datetime.now(UTC) - timedelta(hours=3, minutes=12, seconds=30)


def job(chunk_id: str, status: str = "InProgress", **counts: int) -> dict[str, Any]:
    """Describe a job as List does."""
    place = {"s3Uri": "s3://media/x/"}
    return {
        "jobArn": arn(chunk_id),
        "jobName": job_name(chunk_id),
        "modelId": MODEL,
        "roleArn": "arn:aws:iam::123456789012:role/r",
        "status": status,
        "submitTime": ago().strftime("%Y-%m-%dT%H:%M:%SZ"),
        "inputDataConfig": {"s3InputDataConfig": place},
        "outputDataConfig": {"s3OutputDataConfig": place},
        **counts,
    }


def listing(cli: CommandLine, stub: Stub) -> None:
    cli.settings["AWS_ENDPOINT_URL_BEDROCK"] = stub.url


def told(*jobs: dict[str, Any]) -> Any:
    def answer(request: Request) -> Reply:
        assert "nameContains=novabatch" in request.path
        return Reply(body=json.dumps({"invocationJobSummaries": jobs}).encode())

    return answer


def test_pending_lists_the_open_jobs(cli: CommandLine, sqlite_store: SqlStore) -> None:
    first, second, _ = plant(sqlite_store, chunks=3)
    submit(sqlite_store, first)
    submit(sqlite_store, second, after(minutes=1))
    end_job(sqlite_store, first, after(minutes=2))
    assert cli.document("pending") == {
        "total_pending": 1,
        "chunks": [
            {
                "chunk_id": second,
                "batch_id": BATCH,
                "job_arn": arn(second),
                "job_name": job_name(second),
                "status": "Submitted",
                "model": MODEL,
                "files": 2,
                "records": 2,
                "processed": None,
                "submitted_at": "2026-01-05T10:01:00Z",
                "last_checked_at": None,
            }
        ],
    }
    assert second in cli.ok("pending")


def test_progress_and_status_come_from_bedrock_s_list(cli: CommandLine, sqlite_store: SqlStore) -> None:
    first, second = plant(sqlite_store, chunks=2)
    submit(sqlite_store, first, ago())
    submit(sqlite_store, second, ago())
    seen = [job(first, processedRecordCount=1, totalRecordCount=100), job(second, "Validating")]
    with serve(told(*seen)) as stub:
        listing(cli, stub)
        document = cli.document("pending")
        said = cli.ok("pending")
    found = {each["chunk_id"]: (each["status"], each["processed"]) for each in document["chunks"]}
    assert found == {first: ("InProgress", 1), second: ("Validating", None)}
    assert all(each["last_checked_at"] > each["submitted_at"] for each in document["chunks"])
    rows = {line.split()[0]: line.split()[1:6] for line in said.splitlines() if line.startswith(BATCH)}
    assert rows[first] == ["InProgress", "2", "1/2", "50%", "3h12m"]
    assert rows[second] == ["Validating", "2", "-/2", "-", "3h12m"]
    assert "2 jobs, 4 files; 1 of 4 records processed; the oldest is 3h12m old" in said


def test_padding_counts_for_bedrock_but_is_no_progress(cli: CommandLine, sqlite_store: SqlStore) -> None:
    (chunk,) = plant(sqlite_store)
    submit(sqlite_store, chunk, ago())
    with serve(told(job(chunk, processedRecordCount=100))) as stub:
        listing(cli, stub)
        assert "2/2" in cli.ok("pending")


def test_a_job_that_ended_unheard_is_told(cli: CommandLine, sqlite_store: SqlStore) -> None:
    (chunk,) = plant(sqlite_store)
    submit(sqlite_store, chunk, ago())
    with serve(told(job(chunk, "Completed"))) as stub:
        listing(cli, stub)
        done = cli.run("pending", "--json")
    assert json.loads(done.stdout)["chunks"][0]["status"] == "Completed"
    assert "1 job ended, and no event told so yet; `novabatch reconcile`" in done.stderr


def test_where_bedrock_does_not_answer_what_is_stored_is_told(
    cli: CommandLine, sqlite_store: SqlStore
) -> None:
    (chunk,) = plant(sqlite_store)
    submit(sqlite_store, chunk, ago())
    done = cli.run("pending", "--json")
    assert (done.exit_code, json.loads(done.stdout)["chunks"][0]["status"]) == (0, "Submitted")
    assert "Bedrock could not be asked: ListModelInvocationJobs" in done.stderr


def test_what_was_seen_within_the_check_interval_is_not_asked_again(
    cli: CommandLine, sqlite_store: SqlStore
) -> None:
    (chunk,) = plant(sqlite_store)
    submit(sqlite_store, chunk, ago())
    with serve(told(job(chunk))) as stub:
        listing(cli, stub)
        cli.ok("pending")
        assert len(stub.requests) == 1
        sqlite_store.job_seen(chunk, report(chunk, JobStatus.IN_PROGRESS), datetime.now(UTC))
        cli.ok("pending")
        assert len(stub.requests) == 1


@pytest.mark.parametrize(
    ("seconds", "said"), [(0, "0s"), (45, "45s"), (60, "1m"), (3_700, "1h1m"), (200_000, "2d7h"), (-5, "0s")]
)
def test_a_duration_is_told_by_its_two_largest_units(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def test_the_table_fits_eighty_columns(cli: CommandLine, sqlite_store: SqlStore) -> None:
    (chunk,) = plant(sqlite_store, "a-request-with-a-rather-long-name-" + "x" * 60, at=after(days=-900))
    submit(sqlite_store, chunk, after(days=-900))
    lines = cli.ok("pending").splitlines()
    assert max(map(len, lines)) <= 80
    assert any(line.startswith(chunk) for line in lines)
