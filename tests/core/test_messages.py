"""Messages: what is accepted, and what a sender is told otherwise."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from schemas.job_events import JobStateChange
from schemas.messages import Message, SubmitBatch
from schemas.parsing import UnreadableMessage, parse, type_names
from schemas.queues import Queue

FILE = {"file_id": 22153, "s3_key": "proxy_video/Video Nov 14 2025, 10 02 14 AM_22153_720p15.mov"}
REQUEST: dict[str, Any] = {"request_id": "catalog-a", "model": "nova-2-lite", "files": [FILE]}
EVENT: dict[str, Any] = {
    "version": "0",
    "id": "a1b2c3d4",
    "detail-type": "Batch Inference Job State Change",
    "source": "aws.bedrock",
    "account": "123456789012",
    "time": "Wed Aug 28 22:58:30 UTC 2024",
    "region": "us-east-1",
    "resources": ["arn:aws:bedrock:us-east-1:123456789012:model-invocation-job/abcdefghwxyz"],
    "detail": {
        "version": "0.0",
        "accountId": "123456789012",
        "batchJobName": "dummy-batch-job-name",
        "batchJobArn": "arn:aws:bedrock:us-east-1:123456789012:model-invocation-job/abcdefghwxyz",
        "batchModelId": "arn:aws:bedrock:us-east-1::foundation-model/some-model",
        "status": "Completed",
        "failureMessage": "",
        "creationTime": "Aug 28, 2024, 10:47:53 PM",
    },
}


def submit(**changes: Any) -> BaseModel:
    fields = {key: value for key, value in {**REQUEST, **changes}.items() if value is not ...}
    return parse(Queue.SUBMIT, json.dumps(fields))


def complaint(**changes: Any) -> str:
    with pytest.raises(UnreadableMessage) as caught:
        submit(**changes)
    return caught.value.message


def test_a_request_needs_no_type_and_no_version_and_asks_for_combined() -> None:
    message = submit()
    assert isinstance(message, SubmitBatch)
    assert message.analysis_types == ("combined",)
    assert message.files[0].file_id == 22153


def test_the_example_of_the_contract_is_understood() -> None:
    message = submit(
        type="submit_batch",
        version=1,
        analysis_types=["combined"],
        options={"summary_depth": "standard", "language": "auto", "max_tokens": 4096, "reuse": "same"},
        files=[{**FILE, "size_bytes": 73400320, "local_path": "proxies/22153.mov", "context": {"path": "a"}}],
        priority=0,
        budget_usd="25.00",
        metadata={"requested_by": "catalog"},
    )
    assert isinstance(message, SubmitBatch)
    assert message.budget_usd == Decimal(25)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"modell": "x"}, ['Unknown field "modell"']),
        ({"model": ...}, ['"model" is missing']),
        ({"files": [{**FILE, "colour": 1}]}, ['"files[0].colour"']),
        ({"files": [{"s3_key": "a.mov"}]}, ['"files[0].file_id" is missing']),
        ({"files": []}, ["files"]),
        ({"files": [FILE, {**FILE, "file_id": "22153"}]}, ["22153", "2 times"]),
        ({"files": [{**FILE, "file_id": True}]}, ["files[0].file_id", "integer or a string"]),
        ({"files": [{**FILE, "file_id": "a/b"}]}, ["files[0].file_id", "a/b"]),
        ({"files_from": {"prefix": "p/"}}, ["files_from"]),
        ({"files": ..., "files_from": {"prefix": "p/", "list": "s3://b/k"}}, ["exactly one"]),
        ({"priority": "high"}, ["priority", "'high'"]),
        ({"version": 2}, ["version"]),
        ({"options": {"summary_depth": "deep"}}, ["options.summary_depth", "deep"]),
        ({"budget_usd": -1}, ["budget_usd"]),
        ({"analysis_types": []}, ["analysis_types"]),
    ],
)
def test_a_wrong_field_is_named_with_what_was_found(changes: dict[str, Any], words: list[str]) -> None:
    said = complaint(**changes)
    assert all(word in said for word in words), said


def test_of_a_list_only_the_first_bad_entry_is_explained_however_many_there_are() -> None:
    said = complaint(files=[0] * 1000)
    assert "files[0]" in said
    assert "more" not in said


def test_an_unreadable_list_of_fields_is_explained_in_part_and_counted() -> None:
    said = complaint(**{f"field{n}": n for n in range(9)})
    assert 'Unknown field "field4"' in said
    assert said.endswith("And 4 more.")


@pytest.mark.parametrize("size", [1024, 1025])
def test_a_key_is_measured_in_bytes(size: int) -> None:
    key = "é" * 510 + "x" * (size - 1020)
    if size <= 1024:
        assert submit(files=[{**FILE, "s3_key": key}])
    else:
        assert "1025 bytes, over the limit of 1024" in complaint(files=[{**FILE, "s3_key": key}])


@pytest.mark.parametrize("body", ["", "{", "[]", "7", '"x"', "[" * 100_000, '{"a":' * 480 + "1" + "}" * 480])
def test_a_body_that_is_no_object_or_too_deep_is_refused(body: str) -> None:
    with pytest.raises(UnreadableMessage) as caught:
        parse(Queue.SUBMIT, body)
    assert caught.value.code in {"invalid_json", "invalid_message"}


def test_values_nested_deeper_than_a_database_takes_are_refused() -> None:
    shallow, deep = (json.loads("[" * depth + "]" * depth) for depth in (45, 55))
    assert submit(metadata={"x": shallow})
    assert "levels deep" in complaint(metadata={"x": deep})


def test_a_file_larger_than_any_object_of_s3_is_refused() -> None:
    largest = 5 * 1024**4
    assert submit(files=[{**FILE, "size_bytes": largest}])
    assert "files[0].size_bytes" in complaint(files=[{**FILE, "size_bytes": largest + 1}])


@pytest.mark.parametrize("text", ["a\x00b.mov", "half \ud800 of a character.mov"])
def test_text_that_cannot_be_stored_is_refused_with_its_place(text: str) -> None:
    with pytest.raises(UnreadableMessage) as caught:
        submit(files=[{**FILE, "s3_key": text}])
    assert caught.value.code == "invalid_text"
    assert "files[0].s3_key" in caught.value.message


def test_an_unknown_type_is_told_what_the_queue_understands() -> None:
    with pytest.raises(UnreadableMessage) as caught:
        parse(Queue.CLEANUP, '{"type": "sweeep"}')
    assert "sweeep" in caught.value.message
    assert "sweep" in caught.value.message


def test_every_queue_knows_its_own_messages_only() -> None:
    for queue, known in type_names.items():
        assert all(kind.queue is queue for kind in known.values())


def test_money_given_as_a_number_stays_exact() -> None:
    message = submit(budget_usd=0.1)
    assert isinstance(message, SubmitBatch)
    assert message.budget_usd == Decimal("0.1")


def test_the_event_of_the_aws_sample_is_read_in_spite_of_its_times() -> None:
    event = parse(Queue.STATE, json.dumps(EVENT))
    assert isinstance(event, JobStateChange)
    assert event.detail.name == "dummy-batch-job-name"


@pytest.mark.parametrize("failure", [None, ..., ""])
def test_an_event_may_lack_its_failure_message(failure: Any) -> None:
    detail = {k: v for k, v in {**EVENT["detail"], "failureMessage": failure}.items() if v is not ...}
    event = parse(Queue.STATE, json.dumps({**EVENT, "detail": detail, "time": 7}))
    assert isinstance(event, JobStateChange)
    assert event.detail.failure == ""


def test_a_hint_of_the_reconciler_is_read_like_an_event() -> None:
    hint = JobStateChange.hint(EVENT["detail"]["batchJobArn"], "name", "Failed")
    assert parse(Queue.STATE, hint.model_dump_json(by_alias=True)) == hint


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5))
def test_no_value_of_any_field_brings_more_than_a_refusal(value: Any) -> None:
    for field in SubmitBatch.model_fields:
        try:
            submit(**{field: value})
        except UnreadableMessage as refusal:
            assert refusal.message


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20)


@given(st.dictionaries(TEXT, st.integers() | TEXT, max_size=5))
def test_a_message_survives_its_journey_through_a_queue(context: dict[str, Any]) -> None:
    message = submit(files=[{**FILE, "context": context}])
    assert isinstance(message, Message)
    assert parse(message.queue, message.model_dump_json(by_alias=True, exclude_none=True)) == message
