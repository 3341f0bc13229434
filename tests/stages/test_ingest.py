"""Reading output: every record has an outcome, an error is never an empty result."""

import gzip
import json
from dataclasses import replace

import pytest
from sqlalchemy import select

from consumers.core import layout
from consumers.core.faults import PassingFault
from consumers.core.lifecycle import BatchState, ChunkState, JobStatus
from daemon.adapters.tables import records
from schemas.messages import IngestChunk
from tests.stages.bedrock_answers import answer, error
from tests.stages.simulation import Simulation


def test_every_kind_of_answer_becomes_its_own_outcome(sim: Simulation) -> None:
    sim.policy = replace(sim.policy, max_attempts=1)
    plan = sim.answers.plan
    plan("file-2:summary", error(400, "Provided S3 URI is invalid"))
    plan("file-3:summary", answer("I cannot see a video here."))
    plan("file-4:summary", answer('{"text": "A pool", "depth": "bri', "max_tokens"))
    plan("file-5:summary", answer(""))
    plan("file-6:summary", None)
    plan("file-7:summary", answer('```json\n{"text": "Fenced."}\n```'))
    batch_id = sim.submit(sim.media(7), analysis_types=["summary"])
    sim.finish_all()
    assert sim.outcomes(batch_id) == {
        "1:summary": "SUCCEEDED",
        "2:summary": "MODEL_ERROR",
        "3:summary": "UNPARSABLE",
        "4:summary": "TRUNCATED",
        "5:summary": "FILTERED",
        "6:summary": "MISSING",
        "7:summary": "SUCCEEDED",
    }
    lines = {line["file_id"]: line for line in sim.results(batch_id)}
    assert lines[2]["result"] is None
    assert lines[2]["error"] == {"code": "400", "message": "Provided S3 URI is invalid"}
    assert lines[2]["cost_usd"] is None
    assert lines[4]["repaired"] is True
    assert lines[6]["error"]["code"] == "NOT_IN_OUTPUT"


def test_what_the_model_said_is_kept_wherever_it_is_no_whole_result(sim: Simulation) -> None:
    sim.policy = replace(sim.policy, max_attempts=1)
    texts = {
        "file-2:summary": ("I cannot see a video here.", "end_turn"),
        "file-3:summary": ('{"text": "A pool", "depth": "bri', "max_tokens"),
        "file-4:summary": ("I would rather not say.", "content_filtered"),
    }
    for record_id, (text, stop) in texts.items():
        sim.answers.plan(record_id, answer(text, stop))
    sim.answers.plan("file-5:summary", error(400, "no"))
    sim.answers.plan("file-6:summary", answer('{"text": "A pool"}'))
    batch_id = sim.submit(sim.media(6), analysis_types=["summary"])
    sim.finish_all()
    asked = select(records.c.position, records.c.raw_text, records.c.missing)
    with sim.store.database.read() as connection:
        told = connection.execute(asked.where(records.c.batch_id == batch_id)).all()
    kept = {f"file-{row.position + 1}:summary": row.raw_text for row in told}
    assert {name: text for name, text in kept.items() if text} == {
        name: text for name, (text, _) in texts.items()
    }
    assert [row.missing for row in sorted(told)] == [0, None, 2, None, None, 2]


def test_money_and_tokens_come_to_the_price_of_the_model(sim: Simulation) -> None:
    batch_id = sim.submit(sim.media(3))
    sim.finish_all()
    count = sim.store.count(batch_id)
    assert (count.spent.input_tokens, count.spent.output_tokens) == (3000, 300)
    assert str(count.spent.cost_usd.normalize() if count.spent.cost_usd else None) == "0.0009075"


def test_a_broken_line_costs_itself_only_and_is_found(sim: Simulation) -> None:
    sim.policy = replace(sim.policy, max_attempts=1)
    batch_id = sim.submit(sim.media(3))
    (arn,) = sim.jobs.reports
    sim.answers.write_output(sim.objects, sim.jobs.requests[arn], arn)
    (key,) = [key for key in sim.objects.keys(layout.OUTPUT_ROOT) if key.endswith(".jsonl.out")]
    lines = sim.objects.read(key).split(b"\n")
    sim.objects.put(key, b"\n".join([lines[0][:40], b"\xff\xfe", b"{}", *lines[1:]]))
    report = sim.jobs.finish(arn)
    from schemas.job_events import JobStateChange

    sim.post(JobStateChange.hint(arn, report.name, "Completed"))
    sim.run()
    told = [line["outcome"] for line in sim.results(batch_id)]
    assert told.count("SUCCEEDED") == 10
    assert told.count("MISSING") == 1


def test_raw_lines_are_kept_without_the_echoed_prompt(sim: Simulation) -> None:
    batch_id = sim.submit(sim.media(2))
    sim.finish_all()
    raw = gzip.decompress(sim.objects.read(layout.raw_key(batch_id, 0))).decode()
    lines = [json.loads(line) for line in raw.split("\n") if line]
    assert {line["recordId"] for line in lines} == {"file-1:combined", "file-2:combined"}
    assert all("modelInput" not in line and "modelOutput" in line for line in lines)


def test_the_part_of_a_chunk_stands_before_the_batch_ends(sim: Simulation) -> None:
    small = Simulation(sim.store, slots=1, min_records=1)
    small.small_chunks(1)
    batch_id = small.submit(small.media(2))
    small.finish_jobs()
    assert small.batch(batch_id).state is BatchState.RUNNING
    part = small.objects.text(layout.part_key(batch_id, 0))
    assert json.loads(part.split("\n")[0])["file_id"] == 1


@pytest.mark.parametrize("status", [JobStatus.PARTIALLY_COMPLETED, JobStatus.STOPPED, JobStatus.EXPIRED])
def test_output_of_a_job_that_did_not_complete_is_read_all_the_same(
    sim: Simulation, status: JobStatus
) -> None:
    sim.policy = replace(sim.policy, max_attempts=1)
    sim.answers.plan("file-2:combined", None)
    batch_id = sim.submit(sim.media(2))
    sim.finish_jobs(status)
    assert dict(sim.store.chunk_ids(batch_id)) == {layout.chunk_id(batch_id, 0): ChunkState.COMPLETED}
    assert sorted({line["outcome"] for line in sim.results(batch_id)}) == ["MISSING", "SUCCEEDED"]


def test_output_that_cannot_be_read_is_tried_again_and_never_bought_again(sim: Simulation) -> None:
    sim.objects.fail_next("lines", PassingFault("broken pipe"), times=4)
    batch_id = sim.submit(sim.media(2))
    sim.finish_jobs()
    for _ in range(6):
        sim.pass_time(600)
    chunk_id = layout.chunk_id(batch_id, 0)
    assert dict(sim.store.chunk_ids(batch_id)) == {chunk_id: ChunkState.FAILED}
    assert {line["error"]["code"] for line in sim.results(batch_id)} == {"RESULT_FETCH_FAILED"}
    assert len(sim.jobs.created) == 1
    sim.post(IngestChunk(chunk_id=chunk_id))
    sim.run()
    assert dict(sim.store.chunk_ids(batch_id)) == {chunk_id: ChunkState.COMPLETED}
    assert sim.store.count(batch_id).good == 2
    assert len(sim.jobs.created) == 1


def test_a_completed_job_without_any_output_is_not_taken_for_an_empty_result(sim: Simulation) -> None:
    batch_id = sim.submit(sim.media(2))
    sim.finish_jobs(output=False)
    assert sim.batch(batch_id).state is BatchState.RUNNING
    assert dict(sim.store.chunk_ids(batch_id)).popitem()[1] is ChunkState.ENDED
