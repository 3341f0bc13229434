"""Nothing is bought twice: results of an earlier batch are linked where nothing differs."""

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from consumers.core import layout
from consumers.core.lifecycle import BatchState
from schemas.analyses import REGISTRY, Registry
from schemas.messages import PlanBatch, RetryBatch, SubmitBatch
from tests.contracts.planting import hold_batch, new_batch, new_file
from tests.stages.bedrock_answers import error
from tests.stages.conftest import NewSimulation
from tests.stages.moments import at_call
from tests.stages.simulation import Crash, Simulation
from tests.stages.sweeps import crash_everywhere

OWN = ("batch_id", "request_id", "reused_from", "attempt", "input_tokens", "output_tokens", "cost_usd")
LIST = "lists/again.jsonl"
BLANK_PAGE = "\n" * 1000


def bought_before(sim: Simulation, count: int = 3, **more: Any) -> list[dict[str, Any]]:
    """Let a first batch buy its results; returns its files."""
    files = sim.media(count)
    sim.submit(files, "first", **more)
    sim.finish_all()
    return files


def again(sim: Simulation, files: list[dict[str, Any]] | None, **more: Any) -> str:
    """Send a second request and let it come to its end."""
    batch_id = sim.submit(files, "second", **more)
    sim.finish_all()
    return batch_id


def results(sim: Simulation, request_id: str) -> list[dict[str, Any]]:
    return sim.results(layout.batch_id(request_id))


def told(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what lines say of their files, whoever bought it."""
    return [{name: value for name, value in line.items() if name not in OWN} for line in lines]


def test_the_same_archive_posted_twice_buys_nothing_and_gives_the_same_results(sim: Simulation) -> None:
    files = bought_before(sim)
    jobs, copies = len(sim.jobs.created), sim.objects.calls.count("copies")
    batch_id = again(sim, files)
    assert sim.batch(batch_id).state is BatchState.COMPLETED
    assert (len(sim.jobs.created), sim.objects.calls.count("copies")) == (jobs, copies)
    assert told(results(sim, "second")) == told(results(sim, "first"))
    assert not sim.store.chunk_ids(batch_id)


def test_a_reused_result_costs_nothing_and_names_the_record_that_was_bought(sim: Simulation) -> None:
    batch_id = again(sim, bought_before(sim, 1))
    first = results(sim, "second")[0]
    assert first["reused_from"] == f"{layout.batch_id('first')}/0/combined/1"
    assert (first["input_tokens"], first["output_tokens"]) == (0, 0)
    assert Decimal(first["cost_usd"]) == 0
    count = sim.store.count(batch_id)
    assert (count.records, count.reused, count.good, count.outcomes) == (1, 1, 1, {})
    assert count.spent.cost_usd == 0


def test_the_sender_hears_how_much_was_reused(sim: Simulation) -> None:
    files = bought_before(sim)
    again(sim, [*files, *sim.media(1, first=9)])
    mine = [event for event in sim.sent if event.detail["request_id"] == "second"]
    accepted = next(event for event in mine if event.name.value == "Batch Accepted")
    assert (accepted.detail["files"], accepted.detail["reused"]) == (4, 3)
    finished = next(event for event in mine if event.name.value == "Batch Finished")
    assert finished.detail["counts"]["reused"] == 3
    decided = [(fact.outcome, fact.count) for fact in sim.facts if fact.event == "files_decided"]  # type: ignore[attr-defined]
    assert decided == [("planned", 3), ("planned", 1), ("reused", 3)]


def test_a_link_is_never_made_to_a_link(sim: Simulation) -> None:
    files = bought_before(sim, 1)
    again(sim, files)
    sim.submit(files, "third")
    assert results(sim, "third")[0]["reused_from"] == f"{layout.batch_id('first')}/0/combined/1"


def test_an_object_that_changed_is_bought_again(sim: Simulation) -> None:
    files = bought_before(sim)
    sim.objects.put(files[1]["s3_key"], "another film")
    again(sim, files)
    assert sim.answers.bought == {"file-1:combined": 1, "file-2:combined": 2, "file-3:combined": 1}


def test_a_result_of_an_object_that_changed_before_a_retry_is_not_taken_for_the_new_one(
    sim: Simulation,
) -> None:
    sim.answers.plan("file-1:chapters", error(400))
    files = bought_before(sim, 1, analysis_types=["summary", "chapters"])
    sim.objects.put(files[0]["s3_key"], "quite another content")
    sim.post(RetryBatch(request_id="first"))
    sim.run()
    sim.finish_all()
    again(sim, files, analysis_types=["summary"])
    assert [line["reused_from"] for line in results(sim, "second")] == [None]


@pytest.mark.parametrize(
    "other",
    [
        {"options": {"reuse": "never"}},
        {"options": {"language": "de"}},
        {"options": {"max_tokens": 2000}},
        {"model": "nova-lite"},
        {"analysis_types": ["summary"]},
    ],
    ids=lambda other: str(*other.values()),
)
def test_another_request_is_bought(sim: Simulation, other: dict[str, Any]) -> None:
    files = bought_before(sim, 2)
    batch_id = again(sim, files, **other)
    assert len(sim.jobs.created) == 2
    assert sim.store.count(batch_id).reused == 0


def test_another_prompt_is_bought(sim: Simulation) -> None:
    files = bought_before(sim, 2)
    sim.analyses = Registry(replace(each, instructions=f"{each.instructions} Be brief.") for each in REGISTRY)
    batch_id = again(sim, files)
    assert len(sim.jobs.created) == 2
    assert sim.store.count(batch_id).reused == 0


def test_what_failed_before_is_bought(sim: Simulation) -> None:
    sim.answers.plan("file-2:combined", error(400))
    files = bought_before(sim, 2)
    batch_id = again(sim, files)
    assert sim.batch(batch_id).state is BatchState.COMPLETED
    assert sim.answers.bought == {"file-1:combined": 1, "file-2:combined": 2}


def test_of_a_file_with_two_types_only_the_missing_one_is_bought(sim: Simulation) -> None:
    files = bought_before(sim, 2, analysis_types=["summary"])
    batch_id = again(sim, files, analysis_types=["summary", "chapters"])
    assert sim.batch(batch_id).state is BatchState.COMPLETED
    assert set(sim.answers.bought.values()) == {1}
    assert list(sim.outcomes(batch_id)) == ["1:summary", "1:chapters", "2:summary", "2:chapters"]
    reused = {line["analysis_type"]: bool(line["reused_from"]) for line in results(sim, "second")}
    assert reused == {"summary": True, "chapters": False}


def test_a_result_may_be_given_to_several_files_that_name_the_same_object(sim: Simulation) -> None:
    [file] = bought_before(sim, 1)
    again(sim, [file, {**file, "file_id": "twin"}])
    assert sim.answers.bought == {"file-1:combined": 1}
    assert {line["file_id"] for line in results(sim, "second")} == {1, "twin"}


def test_two_files_of_one_batch_that_name_the_same_object_are_both_bought(sim: Simulation) -> None:
    [file] = sim.media(1)
    again(sim, [file, {**file, "file_id": "twin"}])
    assert sim.answers.bought == {"file-1:combined": 1, "file-twin:combined": 1}


def test_local_media_are_never_taken_for_an_object(sim: Simulation) -> None:
    sim.local.files = {"kept.mov": b"ours"}
    gone = {"file_id": 1, "s3_key": "gone.mov", "local_path": "kept.mov"}
    for request_id in ("first", "second"):
        batch_id = sim.submit([gone], request_id)
        sim.finish_all()
        assert sim.store.count(batch_id).reused == 0


def test_a_file_whose_other_type_cannot_be_copied_keeps_what_was_reused(sim: Simulation) -> None:
    files = bought_before(sim, 2, analysis_types=["summary"])
    key = files[0]["s3_key"]
    at_call(sim, "writer", "plan.jsonl", act=lambda: sim.objects.buckets["media"].pop(key))
    batch_id = again(sim, files, analysis_types=["summary", "chapters"])
    outcomes = sim.outcomes(batch_id)
    assert outcomes["1:summary"] == "SUCCEEDED"
    assert outcomes["1:chapters"] == "MISSING"


def test_a_retry_leaves_reused_results_alone(sim: Simulation) -> None:
    files = bought_before(sim, 2)
    sim.answers.plan("file-9:combined", error(400))
    batch_id = again(sim, [*files, *sim.media(1, first=9)])
    sim.post(RetryBatch(batch_id=batch_id))
    sim.run()
    sim.finish_all()
    assert sim.batch(batch_id).state is BatchState.COMPLETED
    assert sim.answers.bought == {"file-1:combined": 1, "file-2:combined": 1, "file-9:combined": 2}
    assert sim.store.count(batch_id).reused == 2


def test_a_list_that_breaks_off_behind_reused_files_does_not_end_as_if_it_were_whole(sim: Simulation) -> None:
    [first, second] = bought_before(sim, 2)
    sim.lease_seconds = -1
    sim.objects.put(LIST, f"{json.dumps(first)}{BLANK_PAGE}{json.dumps(second)}")

    def replace_it_and_die() -> None:
        sim.objects.put(LIST, json.dumps(first))
        raise Crash

    at_call(sim, "heads", second["s3_key"], act=replace_it_and_die)
    batch_id = again(sim, None, files_from={"list": f"s3://media/{LIST}"})
    assert sim.batch(batch_id).state is BatchState.COMPLETED_WITH_ERRORS
    assert LIST in sim.batch(batch_id).reason


# ── windows ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("bought", [[], [10, 2999, 3000, 6499]], ids=str)
def test_long_stretches_of_reused_files_are_passed_over(sim: Simulation, bought: list[int]) -> None:
    again(sim, bought_before(sim, 1))
    ref = f"{layout.batch_id('first')}/0/combined/1"
    batch = new_batch("third")
    sim.store.accept(batch)
    held = hold_batch(sim.store, batch.batch_id)
    files = [
        new_file(n) if n in bought else replace(new_file(n), reused={"combined": ref}) for n in range(6500)
    ]
    sim.store.plan_files(held, files, {"phase": "cut", "first": 0, "index": 0})
    sim.store.release(held)
    sim.store.pause("*", "only the plan counts", sim.now)
    sim.post(PlanBatch(batch_id=batch.batch_id))
    sim.run()
    sent = [each.position for chunk in sim.store.chunk_plans(batch.batch_id, 0) for each in chunk.records]
    assert sent == bought
    assert sim.store.count(batch.batch_id).reused == 6500 - len(bought)


# ── crashes ────────────────────────────────────────────────────────────────────────────────────


def test_a_plan_with_reused_files_survives_a_crash_at_any_kind_of_call(simulate: NewSimulation) -> None:
    def make(lease_seconds: float) -> Simulation:
        sim = simulate(lease_seconds=lease_seconds)
        files = bought_before(sim, 2, analysis_types=["summary"])
        files[1]["s3_key"] = files[0]["s3_key"]
        sim.store.pause("*", "only the plan counts", sim.now)
        sim.post(second([*files, *sim.media(1, first=3)], analysis_types=["summary", "chapters"]))
        return sim

    def outcome(sim: Simulation) -> object:
        batch_id = layout.batch_id("second")
        return (
            sim.batch(batch_id).state,
            list(sim.store.uncut_files(batch_id, 0, 9)),
            list(sim.store.chunk_plans(batch_id, 0)),
            sim.store.count(batch_id),
        )

    crash_everywhere(make, Simulation.run, outcome)


def test_a_batch_that_buys_nothing_survives_a_crash_at_any_kind_of_call(simulate: NewSimulation) -> None:
    def make(lease_seconds: float) -> Simulation:
        sim = simulate(lease_seconds=lease_seconds)
        sim.post(second(bought_before(sim, 2)))
        return sim

    def outcome(sim: Simulation) -> object:
        batch_id = layout.batch_id("second")
        return sim.batch(batch_id).state, results(sim, "second"), sim.store.count(batch_id)

    crash_everywhere(make, Simulation.run, outcome)


def second(files: list[dict[str, Any]], **more: Any) -> SubmitBatch:
    fields = {"request_id": "second", "model": "nova-2-lite", "files": files, **more}
    return SubmitBatch.model_validate(fields)
