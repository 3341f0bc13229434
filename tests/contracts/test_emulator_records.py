import json
from pathlib import Path
from typing import Any

import pytest

from deploy.local.bedrock.media_checks import OUTSIDE
from deploy.local.media import make_media
from tests.contracts.local_aws import FOLDER, OUTPUT, LocalAws, record, text, until, video

pytest_plugins = ("tests.contracts.local_aws_fixtures",)


def error_of(emulator: LocalAws, wrong: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Run the record beside a good one: its error must not be the job's."""
    job, lines = emulator.run([wrong, text("good")], **changes)
    assert (job["status"], job["successRecordCount"], job["errorRecordCount"]) == ("Completed", 1, 1)
    line = lines[wrong["recordId"]]
    assert set(line) == {"recordId", "modelInput", "error"}
    assert set(line["error"]) == {"errorCode", "errorMessage", "expired", "retryable"}
    error: dict[str, Any] = line["error"]
    return error


@pytest.mark.parametrize("name", ["a b.mp4", "a,b.mp4", "a(1).mp4", "日本語.mp4", "a+b.mp4", "a&b.mp4"])
def test_a_name_that_is_no_valid_uri_is_refused(emulator: LocalAws, name: str) -> None:
    error = error_of(emulator, video("a", emulator.put(FOLDER + name)))
    assert (error["errorCode"], error["errorMessage"]) == (400, "Provided S3 URI is invalid")
    assert (error["expired"], error["retryable"]) == (False, False)


def test_percent_encoding_names_a_missing_object(emulator: LocalAws) -> None:
    emulator.put(FOLDER + "a b.mp4")
    error = error_of(emulator, video("a", f"s3://{emulator.bucket}/{FOLDER}a%20b.mp4"))
    assert error["errorCode"] == 404


def test_a_key_differs_by_case(emulator: LocalAws) -> None:
    uri = emulator.put(FOLDER + "a.mp4")
    assert error_of(emulator, video("a", uri.replace("a.mp4", "A.mp4")))["errorCode"] == 404


def test_media_outside_the_input_folder_is_refused(emulator: LocalAws) -> None:
    error = error_of(emulator, video("a", emulator.put("proxy_video/a.mp4")))
    assert (error["errorCode"], error["errorMessage"]) == (400, OUTSIDE)


def test_media_in_a_subfolder_of_the_input_is_taken(emulator: LocalAws) -> None:
    _, lines = emulator.run([video("a", emulator.put(FOLDER + "files/a.mp4"))])
    assert "modelOutput" in lines["a"]


@pytest.mark.parametrize("location", [FOLDER.rstrip("/"), FOLDER + "manifest.jsonl"])
def test_media_need_an_input_location_that_is_a_folder_with_its_slash(
    emulator: LocalAws, location: str
) -> None:
    config = {"s3InputDataConfig": {"s3Uri": f"s3://{emulator.bucket}/{location}"}}
    error = error_of(emulator, video("a", emulator.put(FOLDER + "a.mp4")), inputDataConfig=config)
    assert error["errorMessage"] == OUTSIDE


@pytest.mark.parametrize(
    ("kind", "name", "taken"),
    [
        ("video", "mp4", True),
        ("video", "three_gp", True),
        ("video", "3gp", False),
        ("video", "avi", False),
        ("image", "jpeg", True),
        ("image", "jpg", False),
    ],
)
def test_only_the_model_s_own_names_of_formats_are_taken(
    emulator: LocalAws, kind: str, name: str, taken: bool
) -> None:
    uri = emulator.put(FOLDER + "a.bin", kind=f"{kind}/x")
    media = {kind: {"format": name, "source": {"s3Location": {"uri": uri}}}}
    _, lines = emulator.run([record("a", [media, {"text": "What is it?"}])])
    assert ("modelOutput" in lines["a"]) is taken


def test_a_video_over_a_gigabyte_is_refused(emulator: LocalAws) -> None:
    error = error_of(emulator, video("a", emulator.put(FOLDER + "a.mp4", size=1_000_000_001)))
    assert "larger than" in error["errorMessage"]


@pytest.mark.parametrize("kind", ["binary/octet-stream", "image/png"])
def test_a_content_type_that_does_not_fit_is_refused(emulator: LocalAws, kind: str) -> None:
    error = error_of(emulator, video("a", emulator.put(FOLDER + "a.mp4", kind=kind)))
    assert (error["errorCode"], kind in error["errorMessage"]) == (400, True)


@pytest.mark.parametrize(
    ("model", "limit"), [("us.amazon.nova-lite-v1:0", 10_000), ("us.amazon.nova-2-lite-v1:0", 65_535)]
)
def test_more_tokens_than_the_model_s_limit_are_refused(emulator: LocalAws, model: str, limit: int) -> None:
    error = error_of(emulator, text("a", maxTokens=limit + 1), modelId=model)
    assert error["errorMessage"] == f"The maximum tokens you requested exceeds the model limit of {limit}"


MESSAGES = [{"role": "user", "content": [{"text": "Hello."}]}]


@pytest.mark.parametrize(
    "model_input",
    [
        None,
        "hello",
        {},
        {"messages": []},
        {"messages": MESSAGES, "prompt": "x"},
        {"messages": [{"role": "system", "content": [{"text": "x"}]}]},
        {"messages": [{"role": "user", "content": "x"}]},
        {"messages": [{"role": "user", "content": [{"text": "x", "image": {}}]}]},
        {"messages": [{"role": "user", "content": [{"video": {"format": "mp4", "source": {}}}]}]},
        {"messages": MESSAGES, "inferenceConfig": {"maxTokens": 0}},
        {"messages": MESSAGES, "inferenceConfig": {"temperature": 2}},
        {"messages": MESSAGES, "inferenceConfig": {"max": 2}},
    ],
    ids=str,
)
def test_a_malformed_input_is_the_record_s_error(emulator: LocalAws, model_input: Any) -> None:
    error = error_of(emulator, {"recordId": "a", "modelInput": model_input})
    assert error["errorCode"] == 400
    assert error["errorMessage"].startswith("Malformed input request: ")


def test_two_videos_in_one_request_are_refused(emulator: LocalAws) -> None:
    part = {"video": {"format": "mp4", "source": {"s3Location": {"uri": emulator.put(FOLDER + "a.mp4")}}}}
    assert "one video" in error_of(emulator, record("a", [part, part]))["errorMessage"]


def test_a_file_that_is_no_video_is_refused_only_when_asked_for(emulator: LocalAws) -> None:
    broken = video("a", emulator.put(FOLDER + "a.mp4", b"not a video"))
    emulator.control.set(check_media=True)
    assert "decoded" in error_of(emulator, broken)["errorMessage"]


def test_the_output_echoes_the_input_in_another_order(emulator: LocalAws) -> None:
    records = [text(f"r{number}", f"Prompt {number}") for number in range(30)]
    job, lines = emulator.run(records)
    assert {each["recordId"]: each["modelInput"] for each in records} == {
        name: line["modelInput"] for name, line in lines.items()
    }
    assert [line["recordId"] for line in emulator.lines(job)] != [each["recordId"] for each in records]
    assert len({tuple(line) for line in lines.values()}) > 1


def test_a_success_has_the_documented_shape(emulator: LocalAws) -> None:
    _, lines = emulator.run([text("a")])
    output = lines["a"]["modelOutput"]
    (part,) = output["output"]["message"]["content"]
    assert output["output"]["message"]["role"] == "assistant"
    assert (list(part), output["stopReason"]) == (["text"], "end_turn")
    usage = output["usage"]
    assert usage["totalTokens"] == usage["inputTokens"] + usage["outputTokens"]


def test_a_converse_job_writes_unset_members_as_null(emulator: LocalAws) -> None:
    _, lines = emulator.run([text("a")], modelInvocationType="Converse")
    (part,) = lines["a"]["modelOutput"]["output"]["message"]["content"]
    assert (part["image"], part["toolUse"]) == (None, None)


def test_the_summary_adds_up_to_the_lines(emulator: LocalAws) -> None:
    job, lines = emulator.run([text(f"r{number}") for number in range(10)] + [text("bad", maxTokens=0)])
    folder = f"{OUTPUT}{job['jobArn'].rsplit('/', 1)[-1]}/"
    assert sorted(emulator.keys(OUTPUT)) == [folder + "manifest.json.out", folder + "manifest.jsonl.out"]
    usages = [line["modelOutput"]["usage"] for line in lines.values() if "modelOutput" in line]
    assert json.loads(emulator.read(folder + "manifest.json.out")) == {
        "totalRecordCount": 11,
        "processedRecordCount": 11,
        "successRecordCount": 10,
        "errorRecordCount": 1,
        "inputTokenCount": sum(usage["inputTokens"] for usage in usages),
        "outputTokenCount": sum(usage["outputTokens"] for usage in usages),
    }


def test_there_is_no_output_before_the_end(emulator: LocalAws) -> None:
    emulator.control.set(min_records=1)
    emulator.control.add_faults(jobs=[{"outcome": "stuck", "state": "InProgress"}])
    emulator.put_manifest([text("a")])
    arn = emulator.create()
    until(lambda: emulator.get(arn)["status"] == "InProgress")
    assert emulator.keys(OUTPUT) == []
    emulator.control.clear_faults()
    assert emulator.ended(arn)["status"] == "Completed"
    assert len(emulator.keys(OUTPUT)) == 2


def test_an_answer_is_cut_at_the_tokens_asked_for(emulator: LocalAws) -> None:
    _, lines = emulator.run([text("padding", "Hi.", maxTokens=1)])
    output = lines["padding"]["modelOutput"]
    assert (output["stopReason"], output["usage"]["outputTokens"]) == ("max_tokens", 1)


def test_video_tokens_follow_from_the_real_length_else_from_the_size(
    emulator: LocalAws, tmp_path: Path
) -> None:
    real = next(path for path in make_media(tmp_path) if path.name.startswith("C0126"))
    uris = {
        "real": emulator.put(FOLDER + "real.mp4", real.read_bytes()),
        "minute": emulator.put(FOLDER + "minute.mp4", size=60 * 1_200_000),
        "hours": emulator.put(FOLDER + "hours.mp4", size=1_900_000_000),
    }
    emulator.control.set(max_video_bytes=2_000_000_000)
    _, lines = emulator.run([video(name, uri, "Hm?") for name, uri in uris.items()])
    tokens = {name: line["modelOutput"]["usage"]["inputTokens"] for name, line in lines.items()}
    assert (tokens["real"], tokens["minute"]) == (3 * 288, 60 * 288)
    assert tokens["hours"] == 276_480
