"""Plans: read from lists that misbehave, cut at any size, put down once and never changed."""

import gc
import json
import sys
from dataclasses import replace
from typing import Any

import pytest

from consumers.core import layout
from consumers.core.faults import LeaseLost
from consumers.core.lifecycle import BatchState
from consumers.core.plan_reading import PlannedChunk, read_plan
from consumers.core.rows import NewFile
from daemon.adapters.store import SqlStore
from schemas.messages import SubmitBatch
from schemas.parsing import parse
from schemas.queues import Queue
from tests.bench.planning import ManyObjects, Planner
from tests.fakes.calls import ignore
from tests.stages.moments import at_call
from tests.stages.simulation import Crash, Simulation

LIST = "lists/a.jsonl"
FROM_LIST = {"list": f"s3://media/{LIST}"}


def put_list(sim: Simulation, files: list[dict[str, Any]], blank_lines_between: int = 0) -> None:
    between = "\n" * (1 + blank_lines_between)
    sim.objects.put(LIST, between.join(json.dumps(file) for file in files) + "\n")


def refusals(sim: Simulation, batch_id: str) -> list[tuple[int | str, str]]:
    lines = sim.results(batch_id)
    return [(line["file_id"], line["error"]["code"]) for line in lines if line["outcome"] == "REFUSED"]


def test_an_id_that_stands_twice_in_a_list_costs_its_second_file_only(sim: Simulation) -> None:
    files = sim.media(3)
    put_list(sim, [*files[:2], {**files[2], "file_id": 1}])
    batch_id = sim.submit(None, files_from=FROM_LIST)
    sim.finish_all()
    assert refusals(sim, batch_id) == [(1, "duplicate_id")]
    assert sim.answers.bought == {"file-1:combined": 1, "file-2:combined": 1}
    assert sim.batch(batch_id).state is BatchState.COMPLETED_WITH_ERRORS


def test_a_line_that_stands_twice_in_a_list_is_bought_once(sim: Simulation) -> None:
    put_list(sim, sim.media(1) * 2)
    batch_id = sim.submit(None, files_from=FROM_LIST)
    sim.finish_all()
    assert sim.answers.bought == {"file-1:combined": 1}
    assert refusals(sim, batch_id) == [(1, "duplicate_id")]


def test_a_line_that_stands_again_on_a_later_page_is_bought_once(sim: Simulation) -> None:
    put_list(sim, sim.media(1) * 2, blank_lines_between=1000)
    batch_id = sim.submit(None, files_from=FROM_LIST)
    sim.finish_all()
    assert sim.answers.bought == {"file-1:combined": 1}
    assert refusals(sim, batch_id) == [(1, "duplicate_id")]


def test_a_list_replaced_while_the_process_was_down_ends_the_batch_with_the_reason(sim: Simulation) -> None:
    first, second, other = sim.media(3)
    put_list(sim, [first, second], blank_lines_between=1000)
    sim.lease_seconds = -1

    def replace_it_and_die() -> None:
        put_list(sim, [first, other], blank_lines_between=1000)
        raise Crash

    at_call(sim, "heads", second["s3_key"], act=replace_it_and_die)
    batch_id = sim.submit(None, files_from=FROM_LIST)
    batch = sim.batch(batch_id)
    assert batch.state is BatchState.FAILED
    assert LIST in batch.reason
    assert not sim.jobs.created


def test_a_list_replaced_while_it_is_read_is_read_as_it_was(sim: Simulation) -> None:
    first, second, other = sim.media(3)
    put_list(sim, [first, second], blank_lines_between=1000)

    def replace_it() -> None:
        put_list(sim, [first, other], blank_lines_between=1000)

    at_call(sim, "heads", second["s3_key"], act=replace_it)
    sim.submit(None, files_from=FROM_LIST)
    sim.finish_all()
    assert sorted(sim.answers.bought) == ["file-1:combined", "file-2:combined"]


def test_a_plan_that_stands_in_s3_is_never_replaced(sim: Simulation) -> None:
    key = layout.plan_key(layout.batch_id("r"))
    at_call(sim, "writer", "plan.jsonl", act=lambda: sim.objects.put(key, "the first"))
    batch_id = sim.submit(sim.media(2))
    sim.finish_all()
    assert sim.objects.text(key) == "the first"
    assert sim.batch(batch_id).state is BatchState.COMPLETED


def test_a_plan_of_very_large_chunks_comes_to_its_end(sim: Simulation) -> None:
    sim.policy = replace(sim.policy, max_files_per_chunk=1000)
    sim.store.pause("*", "only the plan counts", sim.now)
    for number in range(3001):
        sim.objects.put(f"archive/a_{number}_720p.mov", "x")
    request = {"request_id": "r", "model": "nova-2-lite", "files_from": {"prefix": "archive/"}}
    sim.post(SubmitBatch.model_validate(request))
    for _ in range(9):
        if sim.queue:
            sim.handle(sim.queue.popleft())
    batch_id = layout.batch_id("r")
    assert sim.batch(batch_id).state is BatchState.PLANNED
    assert len(sim.store.chunk_ids(batch_id)) == 4


def test_a_lost_lease_ends_the_measuring_at_once_and_nothing_is_stored(sim: Simulation) -> None:
    files = sim.media(50)
    sim.lease_seconds = -1

    def lose_it(call: str) -> None:
        if call == "checkpoint":
            raise LeaseLost("another has it")

    sim.on_call = lose_it
    batch_id = sim.submit(files)
    assert sim.objects.calls.count("heads") == 1
    assert sim.store.count(batch_id).files == 0
    sim.on_call = ignore
    sim.reconcile()
    sim.finish_all()
    assert sim.batch(batch_id).state is BatchState.COMPLETED


def test_a_lost_lease_ends_the_writing_of_the_plan_and_no_plan_is_put(sim: Simulation) -> None:
    def lose_it() -> None:
        sim.on_call = lose_at_checkpoint

    def lose_at_checkpoint(call: str) -> None:
        if call == "checkpoint":
            raise LeaseLost("another has it")

    sim.lease_seconds = -1
    at_call(sim, "store.planned_files", act=lose_it)
    batch_id = sim.submit(sim.media(2))
    assert not sim.objects.keys(layout.plan_key(batch_id))
    sim.on_call = ignore
    sim.reconcile()
    sim.finish_all()
    assert sim.batch(batch_id).state is BatchState.COMPLETED


def blocks_held(store: SqlStore, source: str, count: int) -> tuple[int, int]:
    """Plan so many files; returns the most blocks of memory held while they were read, and afterwards."""
    reading: list[int] = []
    steps: list[int] = []
    objects = ManyObjects(count, on_thousand=lambda: reading.append(sys.getallocatedblocks()))
    planner = Planner(store, objects, checkpoint=lambda: steps.append(sys.getallocatedblocks()))
    gc.collect()
    before = sys.getallocatedblocks()
    batch_id = planner.plan(source, f"{source} of {count}")
    assert store.count(batch_id).files == count
    return max(reading) - before, max(steps) - before


@pytest.mark.parametrize("source", ["packed list", "prefix"])
def test_memory_stays_flat_however_many_files_are_planned(sim: Simulation, source: str) -> None:
    blocks_held(sim.store, source, 100)
    few, many = (blocks_held(sim.store, source, count) for count in (3_500, 7_000))
    assert many[0] < 1.3 * few[0], (few, many)
    assert many[1] < 1.3 * few[1], (few, many)


@pytest.mark.parametrize("value", ["1e300", "1" + "0" * 99, '"\\ud83d\\ude00"', "[[[[]]]]", '{"": null}'])
def test_any_value_in_context_and_metadata_goes_the_whole_way_and_is_the_same_again(
    sim: Simulation, value: str
) -> None:
    (file,) = sim.media(1)
    named = f'{{"file_id": 1, "s3_key": "{file["s3_key"]}", "context": {{"x": {value}}}}}'
    request = f'"request_id": "r", "model": "nova-2-lite", "metadata": {{"x": {value}}}'
    for _ in range(2):
        sim.post(parse(Queue.SUBMIT, f'{{{request}, "files": [{named}]}}'))
        sim.run()
    sim.finish_all()
    assert not sim.dead
    assert sim.batch(layout.batch_id("r")).state is BatchState.COMPLETED
    assert len(sim.jobs.created) == 1


def test_the_plan_in_s3_names_every_file_as_the_store_has_it(sim: Simulation) -> None:
    bought = sim.submit(sim.media(1), "before")
    sim.finish_all()
    sim.store.pause("*", "only the plan counts", sim.now)
    sim.objects.put("proxy_video/notes.txt", "no media")
    put_list(sim, [*sim.media(2), {"file_id": "n", "s3_key": "proxy_video/notes.txt"}])
    batch_id = sim.submit(None, files_from=FROM_LIST)
    head, entries = read_plan(sim.objects.text(layout.plan_key(batch_id)).encode().split(b"\n"))
    kept = list(entries)
    chunks = [each.chunk for each in kept if isinstance(each, PlannedChunk)]
    assert chunks == list(sim.store.chunk_plans(batch_id, 0))
    files = [each for each in kept if isinstance(each, NewFile)]
    assert files == list(sim.store.planned_files(batch_id))
    told = [(file.echo, file.code, bool(file.etag)) for file in files]
    assert told == [(1, "", True), (2, "", True), ("n", "format", False)]
    assert files[0].reused == {"combined": f"{bought}/0/combined/1"}
    assert head.batch.request == sim.store.request_of(batch_id)
    assert head.batch.created_at == sim.batch(batch_id).created_at
