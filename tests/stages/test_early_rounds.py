"""Records are sent again as soon as they fill a chunk, while the rest of their batch still waits."""

import json
from collections import deque
from dataclasses import replace

from consumers.core import layout
from consumers.core.lifecycle import CHUNK_ENDS, BatchState, JobStatus
from schemas.job_events import JobStateChange
from schemas.messages import CancelBatch
from tests.stages.bedrock_answers import answer, error
from tests.stages.moments import at_call
from tests.stages.simulation import Crash, Simulation


def one_slot(sim: Simulation, files: int = 2) -> Simulation:
    small = Simulation(sim.store, slots=1, min_records=1)
    small.policy = replace(small.policy, stage_ahead=0, max_files_per_chunk=files)
    return small


def rounds(sim: Simulation, batch_id: str) -> list[int]:
    """Return the round of each chunk, in order."""
    found = (sim.store.chunk(chunk_id) for chunk_id, _ in sim.store.chunk_ids(batch_id))
    return [chunk.round for chunk in found if chunk]


def waiting(sim: Simulation, batch_id: str) -> int:
    """Count the chunks that have not ended."""
    return sum(state not in CHUNK_ENDS for _, state in sim.store.chunk_ids(batch_id))


def test_what_fills_a_chunk_is_sent_again_while_other_chunks_wait(sim: Simulation) -> None:
    small = one_slot(sim)
    for number in (1, 2):
        small.answers.plan(f"file-{number}:combined", error(503))
    batch_id = small.submit(small.media(8))
    small.finish_jobs()
    assert rounds(small, batch_id) == [0, 0, 0, 0, 1]
    assert waiting(small, batch_id) == 4
    small.finish_all()
    assert small.batch(batch_id).state is BatchState.COMPLETED
    assert dict(small.answers.bought) == {f"file-{n}:combined": 2 if n < 3 else 1 for n in range(1, 9)}


def test_what_fills_no_chunk_waits_for_more_of_other_chunks(sim: Simulation) -> None:
    small = one_slot(sim)
    for number in (1, 3, 4):
        small.answers.plan(f"file-{number}:combined", error(503))
    batch_id = small.submit(small.media(8))
    small.finish_jobs()
    assert rounds(small, batch_id) == [0, 0, 0, 0]
    small.finish_jobs()
    assert rounds(small, batch_id) == [0, 0, 0, 0, 1]
    chunk = small.store.chunk(layout.chunk_id(batch_id, 4))
    assert chunk is not None
    assert [file.file_id for file in small.store.chunk_files(chunk.chunk_id)] == ["1", "3"]
    assert list(small.store.waiting_chunks(batch_id, 10)) == [layout.chunk_id(batch_id, 1)]
    small.finish_all()
    assert rounds(small, batch_id) == [0, 0, 0, 0, 1, 2]
    assert dict(small.answers.bought) == {
        f"file-{n}:combined": 2 if n in {1, 3, 4} else 1 for n in range(1, 9)
    }


def test_records_of_one_file_that_failed_apart_share_a_chunk(sim: Simulation) -> None:
    small = one_slot(sim)
    for name in ("file-1:summary", "file-2:summary", "file-1:chapters"):
        small.answers.plan(name, error(503), error(503))
    small.answers.plan("file-3:summary", error(503))
    batch_id = small.submit(small.media(8), analysis_types=["summary", "chapters"])
    small.finish_all()
    assert small.batch(batch_id).state is BatchState.COMPLETED
    assert small.answers.bought["file-1:summary"] == small.answers.bought["file-1:chapters"] == 3
    assert small.answers.bought["file-1:summary"] + small.answers.bought["file-3:summary"] == 5
    assert sum(small.answers.bought.values()) == 16 + 3 * 2 + 1


def test_a_job_that_failed_as_a_whole_is_sent_again_at_once(sim: Simulation) -> None:
    small = one_slot(sim)
    batch_id = small.submit(small.media(6))
    small.finish_jobs(JobStatus.FAILED, output=False, message="Internal error")
    assert rounds(small, batch_id) == [0, 0, 0, 1]
    small.finish_all()
    assert small.batch(batch_id).state is BatchState.COMPLETED


def test_a_cancelled_batch_sends_nothing_again(sim: Simulation) -> None:
    small = one_slot(sim)
    for number in (1, 2):
        small.answers.plan(f"file-{number}:combined", error(503))
    batch_id = small.submit(small.media(8))
    small.post(CancelBatch(batch_id=batch_id))
    small.finish_all()
    assert rounds(small, batch_id) == [0, 0, 0, 0]


def test_the_plan_of_an_early_round_stands_before_its_chunks_and_names_them(sim: Simulation) -> None:
    small = one_slot(sim)
    small.lease_seconds = -1
    for number in (1, 2):
        small.answers.plan(f"file-{number}:combined", error(503))
    batch_id = small.submit(small.media(8))

    def die() -> None:
        assert rounds(small, batch_id) == [0, 0, 0, 0]
        raise Crash

    at_call(small, "writer", "plan-r1", "done", act=die)
    small.finish_jobs()
    lines = [json.loads(line) for line in small.objects.text(layout.plan_key(batch_id, 1)).splitlines()]
    named = [line["chunk_id"] for line in lines if "chunk_id" in line]
    assert named == [layout.chunk_id(batch_id, 4)]
    assert rounds(small, batch_id) == [0, 0, 0, 0, 1]


def test_a_last_chunk_that_ends_while_its_batch_is_being_looked_at_is_not_missed(sim: Simulation) -> None:
    small = Simulation(sim.store, slots=2, min_records=1)
    small.small_chunks(2)
    small.answers.plan("file-1:combined", error(503))
    batch_id = small.submit(small.media(4))
    first, second = small.jobs.reports

    def end(arn: str) -> None:
        small.answers.write_output(small.objects, small.jobs.requests[arn], arn)
        report = small.jobs.finish(arn, JobStatus.COMPLETED)
        small.post(JobStateChange.hint(arn, report.name, JobStatus.COMPLETED))

    def end_the_other() -> None:
        aside, small.queue = small.queue, deque()
        end(second)
        small.run()
        assert not waiting(small, batch_id)
        small.queue = aside

    at_call(small, "store.leave_batch", act=end_the_other)
    end(first)
    small.run()
    assert rounds(small, batch_id) == [0, 0, 1]
    small.finish_all()
    assert small.batch(batch_id).state is BatchState.COMPLETED


def test_many_chunks_with_one_failure_each_fill_a_chunk_together(sim: Simulation) -> None:
    """More chunks than somebody looks at who looks at a few only: he never fills one."""
    small = Simulation(sim.store, slots=20, min_records=1)
    small.small_chunks(1)
    for number in range(1, 46):
        small.answers.plan(f"file-{number}:combined", error(503))
    batch_id = small.submit(small.media(70))
    small.policy = replace(small.policy, max_files_per_chunk=40)
    for _ in range(3):
        small.finish_jobs()
    assert waiting(small, batch_id) > 10
    assert rounds(small, batch_id)[70:] == [1]
    assert len(small.store.chunk_files(layout.chunk_id(batch_id, 70))) == 40


def test_a_worse_second_try_leaves_nothing_that_waits(sim: Simulation) -> None:
    """What the first try brought counts; the second one's failure is sent no third time."""
    small = one_slot(sim, files=1)
    small.answers.plan("file-1:combined", answer('{"summary": {"text": "Cut', "max_tokens"), error(503))
    batch_id = small.submit(small.media(1))
    small.finish_all()
    assert small.answers.bought["file-1:combined"] == 2
    assert not small.store.waiting_chunks(batch_id, 10)
