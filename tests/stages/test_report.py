"""What a batch leaves in S3 at its end: every line once, and a manifest that tells what lies there."""

import hashlib
import json
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from sqlalchemy import update

from consumers.core import layout
from consumers.core.lifecycle import BatchState, JobStatus
from consumers.core.objects import Writer
from consumers.job_state.report import write_report
from daemon.adapters.store import SqlStore
from daemon.adapters.tables import chunks, records
from schemas.messages import RetryBatch
from tests.contracts.planting import NOW, hold_chunk, judged, plant
from tests.fakes.objects import FakeObjects
from tests.stages.bedrock_answers import answer, error
from tests.stages.simulation import Simulation

CUT = '{"text": "A po'


def manifest(sim: Simulation, batch_id: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(sim.objects.text(layout.manifest_json_key(batch_id)))
    return told


def check_file(sim: Simulation, told: dict[str, Any]) -> list[dict[str, Any]]:
    """Compare what the manifest says of a file with the file; returns its lines."""
    body = sim.objects.read(told["key"])
    lines = body.splitlines()
    digest = hashlib.sha256(body).hexdigest()
    assert (told["lines"], told["bytes"], told["sha256"]) == (len(lines), len(body), digest)
    return [json.loads(line) for line in lines]


def check_files(sim: Simulation, batch_id: str) -> None:
    told = manifest(sim, batch_id)
    superseded = [told["superseded"]] if told["superseded"] else []
    for file in (told["results"], *superseded, *told["parts"]):
        check_file(sim, file)


def sent_twice(sim: Simulation) -> str:
    """Let a batch of two files send one of its records again, twice: it was cut, then it was no JSON."""
    sim.answers.plan("file-2:summary", answer(CUT, "max_tokens"), answer("no JSON"))
    batch_id = sim.submit(sim.media(2), analysis_types=["summary", "chapters"])
    sim.finish_all()
    return batch_id


def test_the_manifest_tells_every_file_with_its_lines_its_bytes_and_its_digest(sim: Simulation) -> None:
    batch_id = sent_twice(sim)
    told = manifest(sim, batch_id)
    assert len(told["parts"]) == 2
    assert [part["chunk_id"] for part in told["parts"]] == [f"{batch_id}-000", f"{batch_id}-001"]
    assert told["results"]["lines"] == 4
    check_files(sim, batch_id)


def test_attempts_that_count_no_more_have_their_own_file(sim: Simulation) -> None:
    batch_id = sent_twice(sim)
    (line,) = check_file(sim, manifest(sim, batch_id)["superseded"])
    assert (line["file_id"], line["analysis_type"], line["attempt"]) == (2, "summary", 2)
    assert (line["outcome"], line["error"]["code"]) == ("UNPARSABLE", "NOT_JSON")
    assert [each["attempt"] for each in sim.results(batch_id)] == [1, 1, 1, 1]


def test_a_batch_that_sent_nothing_again_has_no_superseded_file(sim: Simulation) -> None:
    batch_id = sim.submit(sim.media(2))
    sim.finish_all()
    assert manifest(sim, batch_id)["superseded"] is None
    assert not sim.objects.keys(layout.superseded_key(batch_id))


def test_superseded_lines_come_in_plan_order_oldest_first(sim: Simulation) -> None:
    for number in (3, 1):
        sim.answers.plan(f"file-{number}:summary", error(500), error(503))
    batch_id = sim.submit(sim.media(3), analysis_types=["summary"])
    sim.finish_all()
    lines = check_file(sim, manifest(sim, batch_id)["superseded"])
    assert [(line["file_id"], line["attempt"]) for line in lines] == [(1, 1), (1, 2), (3, 1), (3, 2)]


def test_a_retry_writes_every_file_anew_under_the_next_revision(sim: Simulation) -> None:
    sim.answers.plan("file-1:combined", error(400, "no"))
    batch_id = sim.submit(sim.media(2))
    sim.finish_all()
    first = manifest(sim, batch_id)
    sim.post(RetryBatch(batch_id=batch_id))
    sim.run()
    sim.finish_all()
    second = manifest(sim, batch_id)
    assert (first["revision"], second["revision"]) == (1, 2)
    assert second["results"]["sha256"] != first["results"]["sha256"]
    assert second["parts"][0] == first["parts"][0]
    check_files(sim, batch_id)


def test_a_chunk_without_output_has_no_part(sim: Simulation) -> None:
    batch_id = sim.submit(sim.media(2))
    sim.finish_jobs(JobStatus.FAILED, output=False, message="Access denied to the S3 location")
    assert manifest(sim, batch_id)["parts"] == []


def test_what_nobody_noted_of_a_part_is_read_from_it(sim: Simulation) -> None:
    """A consumer of an earlier version ended the chunk."""
    sim.small_chunks(1)
    sim.min_records = 1
    sim.answers.plan("file-2:combined", error(503))
    batch_id = sim.submit(sim.media(2))
    sim.finish_jobs()
    with sim.store.database.write() as connection:
        connection.execute(update(chunks).values(part_lines=None, part_bytes=None, part_sha256=None))
    sim.finish_all()
    assert sim.batch(batch_id).state is BatchState.COMPLETED
    assert len(manifest(sim, batch_id)["parts"]) == 3
    check_files(sim, batch_id)


class _Discarding(FakeObjects):
    """Objects that count lines and keep none of them."""

    def __init__(self) -> None:
        super().__init__()
        self.counted: dict[str, _Count] = {}

    @contextmanager
    def writer(self, key: str, *, content_type: str, if_absent: bool = False) -> Iterator[Writer]:
        if key.endswith(".json"):
            with super().writer(key, content_type=content_type, if_absent=if_absent) as out:
                yield out
        else:
            yield self.counted.setdefault(key, _Count())


class _Count:
    def __init__(self) -> None:
        self.bytes = 0

    def write(self, data: bytes) -> int:
        self.bytes += len(data)
        return len(data)


def most_held(store: SqlStore, files: int) -> tuple[int, int]:
    """Write the report of so many files, half of them superseded; returns its bytes, and the most held."""
    (chunk_id,) = plant(store, f"{files} files", files=files)
    result = json.dumps({"summary": {"text": "x" * 5000}})
    rows = [judged(number, result=result) for number in range(files)]
    store.save(hold_chunk(store, chunk_id), rows, NOW)
    with store.database.write() as connection:
        odd = update(records).where(records.c.chunk_id == chunk_id, records.c.position % 2 == 1)
        connection.execute(odd.values(superseded=True))
    sim = Simulation(store)
    sim.objects = objects = _Discarding()
    batch = replace(sim.batch(layout.parse_chunk_id(chunk_id).batch_id), round=1)
    count, world = store.count(batch.batch_id), sim.world([])
    tracemalloc.start()
    try:
        write_report(batch, count, BatchState.COMPLETED, "", world)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    told = manifest(sim, batch.batch_id)
    assert [told[name]["lines"] for name in ("results", "superseded")] == [5 * files // 2] * 2
    return min(each.bytes for each in objects.counted.values()), peak


def test_memory_stays_flat_however_many_lines_are_written(sqlite_store: SqlStore) -> None:
    few, little = most_held(sqlite_store, 300)
    many, much = most_held(sqlite_store, 3000)
    assert many > 9 * few
    assert much - little < (many - few) / 3, (few, little, many, much)
