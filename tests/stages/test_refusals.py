"""What is refused, as a whole or file by file, and what the sender is told."""

from typing import Any

import pytest

from consumers.core import layout
from consumers.core.lifecycle import BatchState
from schemas.messages import PlanBatch, SubmitBatch
from tests.stages.moments import at_call
from tests.stages.simulation import Simulation


def refusal(sim: Simulation, **request: Any) -> tuple[str, str]:
    """Submit a request that is refused; returns code and reason, as the sender heard them too."""
    sim.submit(None if "files_from" in request else sim.media(1), **request)
    (_, refused) = sim.dead[-1]
    event = sim.sent[-1]
    assert event.name.value == "Batch Refused"
    assert event.detail["error_code"] == refused.code
    return refused.code, refused.why


@pytest.mark.parametrize(
    ("request_fields", "code", "words"),
    [
        ({"model": "nova-9"}, "unknown_model", ["nova-9", "nova-2-lite"]),
        ({"bucket": "others"}, "forbidden_bucket", ["others", "media", "ALLOWED_BUCKETS"]),
        ({"analysis_types": ["poetry"]}, "unknown_analysis_type", ["poetry", "summary"]),
        ({"analysis_types": ["combined", "summary"]}, "invalid_message", ["combined", "summary"]),
        ({"options": {"max_tokens": 70_000}}, "invalid_message", ["70000", "65535"]),
        ({"files_from": {"list": "nowhere"}}, "invalid_message", ["files_from.list"]),
        ({"files_from": {"list": "s3://others/a.jsonl"}}, "forbidden_bucket", ["others"]),
    ],
)
def test_a_request_that_can_never_work_is_refused_with_code_reason_and_event(
    sim: Simulation, request_fields: dict[str, Any], code: str, words: list[str]
) -> None:
    said_code, why = refusal(sim, **request_fields)
    assert said_code == code
    assert all(word in why for word in words), why
    assert not sim.jobs.created


def test_the_same_request_again_starts_nothing(sim: Simulation) -> None:
    files = sim.media(2)
    sim.submit(files)
    sim.finish_all()
    jobs, events = len(sim.jobs.created), len(sim.sent)
    sim.submit(files)
    assert (len(sim.jobs.created), len(sim.sent)) == (jobs, events)
    assert not sim.dead


def test_a_request_id_with_other_content_is_refused_and_told_what_differs(sim: Simulation) -> None:
    files = sim.media(2)
    sim.submit(files)
    sim.submit([*files[:1], {**files[1], "context": {"a": 1}}], priority=5)
    (_, refused) = sim.dead[-1]
    assert refused.code == "request_id_reused"
    assert "files (2)" in refused.why
    assert "priority" in refused.why


def test_a_batch_the_database_lost_is_not_planned_a_second_time(sim: Simulation) -> None:
    sim.objects.put(layout.plan_key(layout.batch_id("lost")), "{}")
    sim.submit(sim.media(1), "lost")
    (_, refused) = sim.dead[-1]
    assert refused.code == "plan_exists"
    assert "novabatch reconcile --rebuild" in refused.why


def test_a_request_that_is_accepted_and_planned_while_its_duplicate_is_read_is_not_taken_for_lost(
    sim: Simulation,
) -> None:
    files = sim.media(2)
    request = SubmitBatch.model_validate({"request_id": "r", "model": "nova-2-lite", "files": files})

    def accept_and_plan() -> None:
        sim.handle(request)
        sim.handle(PlanBatch(batch_id=layout.batch_id("r")))

    at_call(sim, "objects.exists", act=accept_and_plan)
    sim.submit(files)
    assert not sim.dead
    assert {event.name.value for event in sim.sent} == {"Batch Accepted"}
    assert len(sim.jobs.created) == 1


def odd_files(sim: Simulation) -> list[dict[str, Any]]:
    sim.objects.put("proxy_video/notes.txt", "text")
    sim.objects.put("proxy_video/empty.mov", b"")
    sim.objects.put("proxy_video/old.mov", "old", storage_class="DEEP_ARCHIVE")
    sim.objects.put("proxy_video/huge.mov", "huge", size=1_000_000_001)
    sim.objects.put("nova_batch/own.mov", "own")
    return [
        *sim.media(1),
        {"file_id": "gone", "s3_key": "proxy_video/gone.mov"},
        {"file_id": "notes", "s3_key": "proxy_video/notes.txt"},
        {"file_id": "empty", "s3_key": "proxy_video/empty.mov"},
        {"file_id": "old", "s3_key": "proxy_video/old.mov"},
        {"file_id": "huge", "s3_key": "proxy_video/huge.mov"},
        {"file_id": "own", "s3_key": "nova_batch/own.mov"},
        {"file_id": "far", "s3_key": "a.mov", "bucket": "media"},
    ]


def test_files_that_cannot_be_analysed_are_refused_one_by_one_and_the_rest_goes_on(sim: Simulation) -> None:
    batch_id = sim.submit(odd_files(sim))
    sim.finish_all()
    refused = {line["file_id"]: line for line in sim.results(batch_id) if line["outcome"] == "REFUSED"}
    assert {file_id: line["error"]["code"] for file_id, line in refused.items()} == {
        "gone": "not_found",
        "notes": "format",
        "empty": "empty",
        "old": "archived",
        "huge": "too_large",
        "own": "own_folder",
        "far": "not_found",
    }
    assert "1000000001" in refused["huge"]["error"]["message"]
    assert refused["notes"]["analysis_type"] is None
    assert sim.batch(batch_id).state is BatchState.COMPLETED_WITH_ERRORS


def test_a_type_that_a_kind_does_not_have_refuses_that_file_only(sim: Simulation) -> None:
    sim.objects.put("proxy_image/a.png", "picture")
    files = [*sim.media(1), {"file_id": "pic", "s3_key": "proxy_image/a.png"}]
    batch_id = sim.submit(files, analysis_types=["chapters"])
    sim.finish_all()
    assert sim.outcomes(batch_id) == {"1:chapters": "SUCCEEDED", "pic:None": "REFUSED"}


def test_a_batch_of_which_nothing_is_left_fails_with_its_reason(sim: Simulation) -> None:
    batch_id = sim.submit([{"file_id": 1, "s3_key": "gone.mov"}])
    batch = sim.batch(batch_id)
    assert batch.state is BatchState.FAILED
    assert "1 files refused" in batch.reason
    assert not sim.jobs.created


def test_a_source_that_vanished_after_the_plan_is_refused_at_copying(sim: Simulation) -> None:
    files = sim.media(3)

    def vanish(call: str) -> None:
        if call.startswith("objects.writer") and "plan.jsonl" in call:
            sim.objects.buckets["media"].pop(files[0]["s3_key"], None)

    sim.on_call = vanish
    batch_id = sim.submit(files)
    sim.finish_all()
    told = {line["file_id"]: line["outcome"] for line in sim.results(batch_id)}
    assert told == {1: "REFUSED", 2: "SUCCEEDED", 3: "SUCCEEDED"}


def test_a_chunk_whose_files_all_vanished_ends_without_a_job(sim: Simulation) -> None:
    files = sim.media(2)

    def vanish(call: str) -> None:
        if call.startswith("objects.writer") and "plan.jsonl" in call:
            for file in files:
                sim.objects.buckets["media"].pop(file["s3_key"], None)

    sim.on_call = vanish
    batch_id = sim.submit(files)
    assert sim.batch(batch_id).state is BatchState.FAILED
    assert not sim.jobs.created
