"""What Bedrock counted is held against what was stored; whoever runs this is told where it does not agree."""

import json
from dataclasses import replace
from decimal import Decimal

import pytest
from sqlalchemy import select, update

from consumers.core import layout
from consumers.core.faults import Denied, PassingFault
from consumers.core.lifecycle import BatchState, ChunkState, JobStatus
from consumers.core.rows import JobCounts
from daemon.adapters.tables import findings, records
from schemas.facts import FindingMade
from schemas.job_events import JobStateChange
from schemas.messages import IngestChunk
from tests.stages.bedrock_answers import answer, error
from tests.stages.conftest import NewSimulation
from tests.stages.moments import at_call
from tests.stages.outputs import end_job, line, output_key, summary_key
from tests.stages.simulation import Simulation

SUMMARY = {
    "totalRecordCount": 5,
    "processedRecordCount": 5,
    "successRecordCount": 4,
    "errorRecordCount": 1,
    "inputTokenCount": 4000,
    "outputTokenCount": 400,
}


@pytest.fixture
def padded(simulate: NewSimulation) -> Simulation:
    """A batch of three files, one of which will fail, in a job with two records of padding."""
    sim = simulate(min_records=5)
    sim.policy = replace(sim.policy, max_attempts=1)
    sim.answers.plan("file-2:combined", error(400, "no"))
    sim.submit(sim.media(3))
    return sim


def told(sim: Simulation) -> dict[str, str]:
    """Return the details of what was told, by kind."""
    return {fact.kind: fact.detail for fact in sim.facts if isinstance(fact, FindingMade)}


def stored(sim: Simulation) -> dict[str, str]:
    with sim.store.database.read() as connection:
        return {row.kind: row.detail for row in connection.execute(select(findings))}


@pytest.mark.parametrize("counts", [JobCounts(), JobCounts(5, 5, 4, 1)])
def test_a_job_whose_counts_agree_leaves_no_finding(padded: Simulation, counts: JobCounts) -> None:
    end_job(padded, summary=SUMMARY, counts=counts)
    assert (told(padded), stored(padded)) == ({}, {})


@pytest.mark.parametrize(
    ("wrong", "kind", "sentence"),
    [
        ({"totalRecordCount": 6}, "count_mismatch", "counts 6 records in the manifest, the store 5"),
        ({"processedRecordCount": 4}, "count_mismatch", "counts 4 records with a line, the store 5"),
        ({"successRecordCount": 5}, "count_mismatch", "counts 5 records with an answer, the store 4"),
        ({"errorRecordCount": 0}, "count_mismatch", "counts 0 records with an error, the store 1"),
        ({"inputTokenCount": 4001}, "token_mismatch", "counts 4001 input tokens, the store 4000"),
        ({"outputTokenCount": 3}, "token_mismatch", "counts 3 output tokens, the store 400"),
    ],
)
def test_a_summary_that_counts_otherwise_is_a_finding(
    padded: Simulation, wrong: dict[str, int], kind: str, sentence: str
) -> None:
    end_job(padded, summary=SUMMARY | wrong)
    assert told(padded) == stored(padded) == {kind: f"manifest.json.out {sentence}"}
    assert padded.batch(layout.batch_id("r")).state is BatchState.COMPLETED_WITH_ERRORS


def test_get_that_counts_otherwise_is_a_finding(padded: Simulation) -> None:
    end_job(padded, summary=SUMMARY, counts=JobCounts(5, 5, 5, 0))
    assert told(padded) == {
        "count_mismatch": "Get counts 5 records with an answer, the store 4; "
        "Get counts 0 records with an error, the store 1"
    }


def test_a_record_without_a_line_is_missing_and_a_finding_too(sim: Simulation) -> None:
    sim.policy = replace(sim.policy, max_attempts=1)
    sim.answers.plan("file-2:combined", None)
    sim.submit(sim.media(2))
    end_job(sim)
    assert told(sim) == {"count_mismatch": "the manifest has 2 records, the output lines for 1"}


@pytest.mark.parametrize("status", [JobStatus.PARTIALLY_COMPLETED, JobStatus.STOPPED, JobStatus.EXPIRED])
def test_a_job_cut_short_is_held_to_what_it_processed(padded: Simulation, status: JobStatus) -> None:
    summary = SUMMARY | {"processedRecordCount": 4, "successRecordCount": 3}
    spent = {"inputTokenCount": 3000, "outputTokenCount": 300}
    end_job(
        padded,
        lambda lines: [each for each in lines if b"file-1:" not in each],
        status=status,
        summary=summary | spent,
        counts=JobCounts(5, 4, 3, 1),
    )
    assert told(padded) == {}


@pytest.mark.parametrize(
    "summary",
    [b"", b"{", b"[]", {}, {"totalRecordCount": None}, dict.fromkeys(SUMMARY), SUMMARY | {"new": 7}],
)
def test_a_summary_that_tells_little_or_nothing_is_no_finding(
    padded: Simulation, summary: bytes | dict[str, int]
) -> None:
    end_job(padded, summary=summary)
    assert told(padded) == {}


@pytest.mark.parametrize("fault", [Denied("no GetObject"), PassingFault("broken pipe")])
def test_a_summary_that_cannot_be_read_costs_no_result(
    padded: Simulation, fault: Denied | PassingFault
) -> None:
    padded.objects.fail_next("lines", fault, subject="manifest.json.out")
    end_job(padded, summary=SUMMARY | {"totalRecordCount": 6})
    assert told(padded) == {}
    assert padded.batch(layout.batch_id("r")).state is BatchState.COMPLETED_WITH_ERRORS


def test_a_finding_is_settled_once_the_counts_agree(padded: Simulation) -> None:
    part = layout.part_key(layout.batch_id("r"), 0)
    padded.objects.fail_next("writer", Denied("PutObject"), subject=part)
    end_job(padded, summary=SUMMARY | {"inputTokenCount": 1})
    assert stored(padded) == {"token_mismatch": "manifest.json.out counts 1 input tokens, the store 4000"}
    padded.objects.put(summary_key(padded), json.dumps(SUMMARY))
    padded.pass_time(60)
    assert padded.batch(layout.batch_id("r")).state is BatchState.COMPLETED_WITH_ERRORS
    assert stored(padded) == {}


def test_a_refused_file_is_not_missed_in_the_manifest(simulate: NewSimulation) -> None:
    sim = simulate(min_records=1)
    sim.policy = replace(sim.policy, max_attempts=2)
    sim.answers.plan("file-1:combined", error(503))
    sim.answers.plan("file-2:combined", error(503))
    files = sim.media(2)
    sim.submit(files)
    sim.objects.buckets["media"].pop(files[1]["s3_key"])
    sim.finish_all()
    (again,) = [chunk for chunk in map(sim.store.chunk, _chunk_ids(sim)) if chunk and chunk.round == 1]
    assert (again.state, again.records) == (ChunkState.COMPLETED, 2)
    assert told(sim) == {}


def _chunk_ids(sim: Simulation) -> list[str]:
    return [chunk_id for chunk_id, _ in sim.store.chunk_ids(layout.batch_id("r"))]


def test_the_output_is_read_once_and_not_again_for_a_message_that_comes_again(sim: Simulation) -> None:
    sim.policy = replace(sim.policy, cleanup_after_success=False)
    sim.deliveries = 3
    sim.submit(sim.media(2))
    end_job(sim)
    key = output_key(sim)
    for message in [*sim.log, IngestChunk(chunk_id=_chunk_ids(sim)[0])]:
        sim.post(message)
        sim.run()
    assert sim.objects.calls.log.count(("lines", key)) == 1


def test_tokens_of_padding_and_of_bad_answers_are_among_those_the_summary_counts(
    simulate: NewSimulation,
) -> None:
    sim = simulate(min_records=3)
    sim.policy = replace(sim.policy, max_attempts=1)
    sim.answers.plan("file-1:summary", answer("I cannot see a video."))
    sim.submit(sim.media(1), analysis_types=["summary"])
    end_job(sim, summary={"inputTokenCount": 3000, "outputTokenCount": 300})
    assert told(sim) == {}


def test_money_that_is_not_what_the_tokens_cost_is_a_finding(padded: Simulation) -> None:
    def spoil() -> None:
        with padded.store.engine.begin() as connection:
            first = records.c.position == 0
            connection.execute(update(records).where(first).values(cost_usd=Decimal("0.01")))

    at_call(padded, "store.spent", act=spoil)
    end_job(padded)
    (detail,) = [detail for kind, detail in told(padded).items() if kind == "cost_mismatch"]
    assert detail == "the tokens cost 0.00121 USD, the store says 0.0109075"


def test_a_line_twice_is_counted_once(padded: Simulation) -> None:
    end_job(padded, lambda lines: [*lines, line("file-1:combined")], summary=SUMMARY)
    assert told(padded) == {"strange_lines": "1 line speaks again of a record that had its line"}


@pytest.mark.parametrize("status", [JobStatus.PARTIALLY_COMPLETED, JobStatus.STOPPED, JobStatus.EXPIRED])
def test_processed_records_without_output_are_a_finding_and_are_not_bought_again(
    padded: Simulation, status: JobStatus
) -> None:
    padded.policy = replace(padded.policy, max_attempts=3)
    (arn,) = padded.jobs.reports
    report = padded.jobs.finish(arn, status, counts=JobCounts(5, 3, 3, 0))
    padded.post(JobStateChange.hint(arn, report.name, status))
    padded.run()
    for _ in range(6):
        padded.pass_time(600)
    assert len(padded.jobs.created) == 1
    codes = {each["error"]["code"] for each in padded.results(layout.batch_id("r"))}
    assert codes == {"RESULT_FETCH_FAILED"}
    assert told(padded) == {
        "count_mismatch": "Get counts 3 records with a line, the output 0; "
        "Get counts 3 records with an answer, the output 0"
    }


def test_a_job_that_failed_owes_no_output_and_its_records_are_sent_again(padded: Simulation) -> None:
    padded.policy = replace(padded.policy, max_attempts=2)
    (arn,) = padded.jobs.reports
    report = padded.jobs.finish(arn, JobStatus.FAILED, "Internal error", JobCounts(5, 3, 3, 0))
    padded.post(JobStateChange.hint(arn, report.name, JobStatus.FAILED))
    padded.run()
    assert len(padded.jobs.created) == 2
    assert set(told(padded)) == {"count_mismatch"}


def test_padding_whose_usage_is_not_told_makes_the_bill_unknown(padded: Simulation) -> None:
    end_job(padded, lambda lines: [_no_usage(each) for each in lines])
    assert padded.store.count(layout.batch_id("r")).padding.cost_usd is None


def _no_usage(line_: bytes) -> bytes:
    """Take the usage out of an answer to padding."""
    told_ = json.loads(line_)
    if told_["recordId"].startswith("padding"):
        told_["modelOutput"].pop("usage", None)
    return json.dumps(told_).encode()
