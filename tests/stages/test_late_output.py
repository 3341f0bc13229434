"""Output that comes late, in pieces or after a failure: told once, paid for once, never lost."""

import json
from dataclasses import replace
from decimal import Decimal

import pytest

from consumers.core import layout
from consumers.core.faults import Denied, PassingFault
from consumers.core.lifecycle import BatchState, ChunkState, JobStatus
from schemas.facts import ChunkMoved, MoneySpent, RecordsJudged
from schemas.job_events import JobStateChange
from schemas.messages import IngestChunk, RetryBatch, Sweep
from tests.stages.bedrock_answers import error
from tests.stages.conftest import NewSimulation
from tests.stages.moments import at_call
from tests.stages.simulation import Crash, Simulation

FIVE_TYPES = ["summary", "chapters", "elements", "waterfall_classification", "search_metadata"]


def unreadable(sim: Simulation, chunk_id: str, times: int = 4) -> None:
    """Let the listing of a chunk's output fail as often as it is tried at once."""
    chunk = sim.store.chunk(chunk_id)
    assert chunk is not None
    prefix = layout.output_prefix(chunk.folder)
    sim.objects.fail_next("list", PassingFault("broken pipe"), subject=prefix, times=times)


def tokens_told(sim: Simulation) -> tuple[int, int]:
    spent = [fact for fact in sim.facts if isinstance(fact, MoneySpent)]
    return sum(fact.input_tokens for fact in spent), sum(fact.output_tokens for fact in spent)


def tokens_billed(sim: Simulation, batch_id: str) -> tuple[int, int]:
    tokens = json.loads(sim.objects.text(layout.manifest_json_key(batch_id)))["tokens"]
    return tokens["input"], tokens["output"]


def on_demand_told(sim: Simulation) -> Decimal:
    told = [fact.cost_on_demand_usd for fact in sim.facts if isinstance(fact, MoneySpent)]
    return sum((cost for cost in told if cost is not None), Decimal(0))


def twice_the_files(sim: Simulation, batch_id: str) -> Decimal:
    """Return what a batch's files cost on demand: twice what they cost in a batch, without padding."""
    cost = sim.store.count(batch_id).spent.cost_usd
    assert cost
    return 2 * cost


def records_told(sim: Simulation) -> dict[str, int]:
    told: dict[str, int] = {}
    for fact in sim.facts:
        if isinstance(fact, RecordsJudged):
            told[fact.outcome] = told.get(fact.outcome, 0) + fact.count
    return told


def fail_with_a_hiccup(sim: Simulation) -> str:
    """Let a job fail without output, whose empty folder could not be listed at first."""
    sim.policy = replace(sim.policy, max_attempts=1)
    batch_id = sim.submit(sim.media(2))
    unreadable(sim, layout.chunk_id(batch_id, 0), times=1)
    sim.finish_jobs(JobStatus.FAILED, output=False, message="Internal error")
    sim.pass_time(100)
    return batch_id


def test_output_read_while_the_batch_settles_is_in_its_results(sim: Simulation) -> None:
    sim.small_chunks(1)
    batch_id = sim.submit(sim.media(2))
    late = layout.chunk_id(batch_id, 0)
    unreadable(sim, late)
    message = IngestChunk(chunk_id=late)
    at_call(sim, "writer", "results.jsonl", "done", act=lambda: sim.handle(message))
    sim.finish_jobs()
    for _ in range(6):
        sim.pass_time(200)
    assert dict(sim.store.chunk_ids(batch_id))[late] is ChunkState.COMPLETED
    assert sim.batch(batch_id).state is BatchState.COMPLETED
    assert set(sim.outcomes(batch_id).values()) == {"SUCCEEDED"}
    assert sim.sent[-1].detail["state"] == "COMPLETED"


def test_a_failed_job_that_was_hard_to_read_is_swept_like_any_other(sim: Simulation) -> None:
    batch_id = fail_with_a_hiccup(sim)
    assert sim.batch(batch_id).state is BatchState.FAILED
    assert sim.temporary_keys()
    sim.pass_time(8 * 86_400)
    sim.reconcile()
    sim.post(Sweep(older_than_days=7))
    sim.run()
    assert not sim.temporary_keys()


def test_what_became_of_a_failed_job_is_told_once(sim: Simulation) -> None:
    batch_id = fail_with_a_hiccup(sim)
    assert records_told(sim) == {"MISSING": 2}
    before = list(sim.facts)
    sim.post(IngestChunk(chunk_id=layout.chunk_id(batch_id, 0)))
    sim.run()
    assert sim.facts == before


def test_money_is_told_with_the_padding_as_it_is_billed(simulate: NewSimulation) -> None:
    sim = simulate(min_records=5)
    batch_id = sim.submit(sim.media(2))
    sim.finish_all()
    assert tokens_told(sim) == tokens_billed(sim, batch_id) == (5000, 500)
    assert on_demand_told(sim) == twice_the_files(sim, batch_id)


def test_money_is_told_once_although_the_part_is_written_late(sim: Simulation) -> None:
    sim.objects.fail_next("writer", Denied("PutObject"), subject="/part-", times=3)
    batch_id = sim.submit(sim.media(2))
    sim.finish_jobs()
    for _ in range(4):
        sim.pass_time(600)
    assert sim.batch(batch_id).state is BatchState.COMPLETED
    assert tokens_told(sim) == tokens_billed(sim, batch_id)
    assert records_told(sim) == {"SUCCEEDED": 2}


def test_money_is_told_once_where_half_of_the_output_comes_late(sim: Simulation) -> None:
    sim.policy = replace(sim.policy, max_attempts=1)
    batch_id = sim.submit(sim.media(81), analysis_types=FIVE_TYPES)
    (arn,) = sim.jobs.reports
    sim.answers.write_output(sim.objects, sim.jobs.requests[arn], arn)
    (key,) = [key for key in sim.objects.keys(layout.OUTPUT_ROOT) if key.endswith(".jsonl.out")]
    lines = sim.objects.text(key).splitlines(keepends=True)
    sim.objects.put(key, "".join(lines[:350]))
    sim.objects.put(key.replace("manifest.jsonl", "manifest2.jsonl"), "".join(lines[350:]))
    sim.objects.fail_next("lines", PassingFault("broken pipe"), subject="manifest2", times=4)
    report = sim.jobs.finish(arn)
    sim.post(JobStateChange.hint(arn, report.name, "Completed"))
    sim.run()
    for _ in range(6):
        sim.pass_time(200)
    assert 0 < tokens_told(sim)[0] < 405_000
    sim.pass_time(3600)
    sim.reconcile()
    assert tokens_told(sim) == tokens_billed(sim, batch_id) == (405_000, 40_500)
    assert on_demand_told(sim) == twice_the_files(sim, batch_id)


def test_a_job_that_failed_for_good_keeps_its_reason_although_it_left_output(sim: Simulation) -> None:
    sim.answers.plan("file-1:combined", None)
    batch_id = sim.submit(sim.media(2))
    sim.finish_jobs(JobStatus.FAILED, message="Access denied to the S3 location")
    (line,) = [line for line in sim.results(batch_id) if line["outcome"] == "MISSING"]
    assert line["error"] == {"code": "JOB_FAILED", "message": "Access denied to the S3 location"}
    assert len(sim.jobs.created) == 1


@pytest.mark.parametrize("call", ["store.save", "part-"])
def test_late_output_whose_storing_was_cut_short_is_read_once_more(sim: Simulation, call: str) -> None:
    batch_id = sim.submit(sim.media(2))
    unreadable(sim, layout.chunk_id(batch_id, 0))
    sim.finish_jobs()
    for _ in range(6):
        sim.pass_time(200)
    assert sim.batch(batch_id).state is BatchState.FAILED
    at_call(sim, call, "done", act=die)
    sim.lease_seconds = -1
    sim.pass_time(3600)
    sim.reconcile()
    assert sim.batch(batch_id).state is BatchState.COMPLETED
    assert set(sim.outcomes(batch_id).values()) == {"SUCCEEDED"}
    assert sim.batch(batch_id).committed_usd == sim.store.count(batch_id).spent.cost_usd
    assert not sim.temporary_keys()


def test_a_chunk_that_was_about_to_be_given_up_is_given_up_when_its_message_comes_again(
    sim: Simulation,
) -> None:
    batch_id = sim.submit(sim.media(2))
    unreadable(sim, layout.chunk_id(batch_id, 0), times=99)
    sim.lease_seconds = -1
    at_call(sim, "store.close_records", "done", act=die)
    sim.finish_jobs()
    for _ in range(6):
        sim.pass_time(200)
    assert sim.batch(batch_id).state is BatchState.FAILED


def die() -> None:
    raise Crash


def test_a_retry_does_not_buy_what_is_paid_for_and_could_not_be_read(sim: Simulation) -> None:
    sim.small_chunks(1)
    sim.answers.plan("file-2:combined", error(400, "no"))
    batch_id = sim.submit(sim.media(2))
    unreadable(sim, layout.chunk_id(batch_id, 0), times=99)
    sim.finish_jobs()
    for _ in range(6):
        sim.pass_time(200)
    sim.post(RetryBatch(batch_id=batch_id))
    sim.run()
    sim.finish_all()
    assert sim.answers.bought == {"file-1:combined": 1, "file-2:combined": 2}


def test_output_that_stays_unreadable_is_told_once_and_opens_nothing_again(sim: Simulation) -> None:
    batch_id = sim.submit(sim.media(2))
    unreadable(sim, layout.chunk_id(batch_id, 0), times=99)
    sim.finish_jobs()
    for _ in range(8):
        sim.pass_time(3600)
        sim.reconcile()
    assert [fact.event for fact in sim.facts].count("batch_ended") == 1
    assert [fact.state for fact in sim.facts if isinstance(fact, ChunkMoved)].count("FAILED") == 1
    assert sim.batch(batch_id).revision == 1
    assert sim.temporary_keys()


def test_the_part_of_a_chunk_whose_files_were_all_refused_is_where_the_sender_is_told(
    sim: Simulation,
) -> None:
    files = sim.media(2)
    at_call(sim, "writer", "plan.jsonl", act=sim.objects.buckets["media"].clear)
    batch_id = sim.submit(files)
    (event,) = [event for event in sim.sent if event.name.value == "Chunk Finished"]
    part = layout.parse_s3_uri(event.detail["part_uri"]).key
    manifest = json.loads(sim.objects.text(layout.manifest_json_key(batch_id)))
    assert [each["key"] for each in manifest["parts"]] == [part]
    assert sim.objects.keys(part) == [part]
