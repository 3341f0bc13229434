"""What an earlier system bought comes in, folder or flat, once and only once, and nothing is bought."""

from collections.abc import Sequence
from decimal import Decimal

import pytest

from consumers.core import layout
from consumers.core.lifecycle import BatchState, ChunkState, JobStatus
from schemas.events import EventName
from schemas.facts import Ignored
from schemas.messages import AdoptJob, CleanupBatch, RetryBatch, Sweep
from tests.stages import foreign_jobs as foreign
from tests.stages.bedrock_answers import answer, error
from tests.stages.conftest import NewSimulation
from tests.stages.loss import known_of, lose_and_restore
from tests.stages.moments import at_call
from tests.stages.simulation import Crash, Simulation
from tests.stages.sweeps import IN_FULL, Points, crash_everywhere, effects, firsts, usual


def adopt(sim: Simulation, source: str, model: str | None = None) -> str:
    """Take something in and let everything happen that can; returns the batch id."""
    sim.post(AdoptJob(source=source, model=model))
    sim.run()
    return layout.batch_id(f"adopt:{source}")


def refusal(sim: Simulation, source: str, model: str | None = None) -> tuple[str, str]:
    batch_id = adopt(sim, source, model)
    assert sim.store.batch(batch_id) is None
    [(_, refused)] = sim.dead
    return refused.code, refused.why


def test_a_finished_job_of_329_videos_comes_in_by_its_arn(sim: Simulation) -> None:
    written = foreign.lines(329)
    foreign.put(sim, foreign.FOLDER, written)
    batch_id = adopt(sim, foreign.job(sim, written))
    batch, count = sim.batch(batch_id), sim.store.count(batch_id)
    assert batch.state is BatchState.COMPLETED
    assert (count.files, count.records, count.good) == (329, 329, 329)
    assert count.spent.cost_usd == 329 * Decimal("0.0003025")
    lines = sim.results(batch_id)
    assert len(lines) == 5 * 329
    assert {line["file_id"] for line in lines} == set(range(22000, 22329))
    assert lines[0]["s3_key"].startswith("proxy_video/Video, 22")
    assert (lines[0]["bucket"], lines[0]["etag"], lines[0]["prompt_version"]) == ("media", None, None)
    assert not sim.jobs.created


def test_a_flat_output_of_300_videos_with_35_real_errors_comes_in_by_its_uri(sim: Simulation) -> None:
    uri = foreign.put(sim, foreign.FLAT, foreign.lines(300, bad=35))
    batch_id = adopt(sim, uri, "nova-2-lite")
    batch, count = sim.batch(batch_id), sim.store.count(batch_id)
    assert batch.state is BatchState.COMPLETED_WITH_ERRORS
    assert count.outcomes == {"SUCCEEDED": 265, "MODEL_ERROR": 35}
    assert "nothing of it is bought here" in batch.reason
    failed = [line for line in sim.results(batch_id) if line["outcome"] == "MODEL_ERROR"]
    assert [line["error"] for line in failed] == [{"code": "400", "message": foreign.BAD_URI}] * 35
    assert [event.name for event in sim.sent].count(EventName.BATCH_FINISHED) == 1
    assert not sim.jobs.created


@pytest.mark.parametrize("folder", [foreign.FOLDER, foreign.FLAT])
@pytest.mark.parametrize("end", ["", "/", "/batch_input_1.jsonl.out"])
def test_the_same_again_changes_nothing_and_says_so(sim: Simulation, folder: str, end: str) -> None:
    foreign.put(sim, folder, foreign.lines(3, bad=1))
    source = f"s3://media/{folder}{end}"
    batch_id = adopt(sim, source)
    before, keys = known_of(sim, batch_id), sim.objects.keys()
    sim.facts.clear()
    assert adopt(sim, source) == batch_id
    assert known_of(sim, batch_id) == before
    assert sim.objects.keys() == keys
    assert [fact.why for fact in sim.facts if isinstance(fact, Ignored)] == ["taken in already"]


def test_nothing_is_sent_again_by_itself_nor_as_a_person_asks(sim: Simulation) -> None:
    passing = [foreign.line(1, error(503)), foreign.line(2, answer("no JSON")), foreign.line(3, error(429))]
    foreign.put(sim, foreign.FOLDER, passing)
    batch_id = adopt(sim, f"s3://media/{foreign.FOLDER}/")
    assert sim.batch(batch_id).state is BatchState.FAILED
    sim.post(RetryBatch(batch_id=batch_id))
    sim.reconcile(2)
    [(_, refused)] = sim.dead
    assert refused.code == "adopted"
    assert "Post its files" in refused.why
    assert not sim.jobs.created
    assert [state for _, state in sim.store.chunk_ids(batch_id)] == [ChunkState.COMPLETED]


def test_no_cleaning_touches_what_lies_elsewhere(sim: Simulation) -> None:
    foreign.put(sim, foreign.FOLDER, foreign.lines(3))
    batch_id = adopt(sim, f"s3://media/{foreign.FOLDER}")
    sim.post(CleanupBatch(batch_id=batch_id))
    sim.pass_time(90 * 86_400)
    sim.post(Sweep(older_than_days=0))
    sim.run()
    assert len(sim.objects.keys(foreign.FOLDER)) == 2


def test_what_it_cost_counts_on_the_day_of_its_job(sim: Simulation) -> None:
    written = foreign.lines(10)
    foreign.put(sim, foreign.FOLDER, written)
    arn = foreign.job(sim, written)
    sim.pass_time(30 * 86_400)
    batch_id = adopt(sim, arn)
    chunk = sim.store.chunk(layout.chunk_id(batch_id, 0))
    assert chunk is not None
    assert chunk.job is not None
    assert (chunk.job.arn, chunk.job.status) == (foreign.ARN, JobStatus.COMPLETED)
    assert sim.batch(batch_id).committed_usd == 10 * Decimal("0.0003025")
    with sim.store.database.read() as connection:
        days = connection.exec_driver_sql("SELECT day FROM days").scalars().all()
    assert days == ["2026-01-05"]


def test_without_job_and_model_the_cost_is_unknown_and_never_nothing(sim: Simulation) -> None:
    foreign.put(sim, "old/results", foreign.lines(2))
    batch_id = adopt(sim, "s3://media/old/results/")
    assert sim.batch(batch_id).model == "unknown"
    assert sim.store.count(batch_id).spent.cost_usd is None
    assert {line["cost_usd"] for line in sim.results(batch_id)} == {None}


def test_a_folder_named_after_a_job_that_bedrock_knows_has_its_model_and_price(sim: Simulation) -> None:
    written = foreign.lines(2)
    foreign.put(sim, foreign.FOLDER, written)
    foreign.job(sim, written)
    batch_id = adopt(sim, f"s3://media/{foreign.FOLDER}")
    assert sim.batch(batch_id).model == "us.amazon.nova-2-lite-v1:0"
    assert sim.store.count(batch_id).spent.cost_usd == 2 * Decimal("0.0003025")


def test_several_types_of_a_file_are_its_records_wherever_their_lines_stand(sim: Simulation) -> None:
    summaries = foreign.lines(1500, kind="summary")
    chapters = foreign.lines(1500, kind="chapters")
    foreign.put(sim, foreign.FOLDER, [*summaries, *chapters])
    batch_id = adopt(sim, f"s3://media/{foreign.FOLDER}")
    count = sim.store.count(batch_id)
    assert (count.files, count.records, count.good) == (1500, 3000, 3000)


def test_types_that_nobody_knows_and_broken_lines_are_found_and_cost_no_other_line(sim: Simulation) -> None:
    key = foreign.put(sim, foreign.FOLDER, [*foreign.lines(2), *foreign.lines(2, kind="mood", first=7)])
    there = layout.parse_s3_uri(key).key
    sim.objects.put(there, sim.objects.text(there) + '{"recordId":"video-1"}\noops\n\n')
    batch_id = adopt(sim, f"s3://media/{foreign.FOLDER}")
    assert sim.batch(batch_id).state is BatchState.COMPLETED
    assert sim.store.count(batch_id).files == 2
    assert strange(sim) == 1


def strange(sim: Simulation) -> int:
    with sim.store.database.read() as connection:
        asked = "SELECT count(*) FROM findings WHERE kind = 'strange_lines'"
        return int(connection.exec_driver_sql(asked).scalar_one())


def test_a_line_that_echoes_no_uri_keeps_its_answer_and_its_missing_key_is_found(sim: Simulation) -> None:
    bare = {**foreign.line(1, answer('{"summary": {"text": "A pool."}}')), "modelInput": None}
    picture = foreign.line(2, answer('{"description": {"description": {"overview": "A pool."}}}'))
    media = picture["modelInput"]["messages"][0]["content"][0]
    media["image"] = {"format": "jpeg", "source": None}
    media["video"] = None
    foreign.put(sim, foreign.FOLDER, [bare, picture])
    batch_id = adopt(sim, f"s3://media/{foreign.FOLDER}")
    assert sim.batch(batch_id).state is BatchState.COMPLETED
    told = {line["file_id"]: line["s3_key"] for line in sim.results(batch_id)}
    assert told == {1: None, 2: None}
    kinds = {line["analysis_type"] for line in sim.results(batch_id) if line["file_id"] == 2}
    assert "description" in kinds
    with sim.store.database.read() as connection:
        asked = "SELECT detail FROM findings WHERE kind = 'key_unknown'"
        assert "2 files" in connection.exec_driver_sql(asked).scalar_one()


@pytest.mark.parametrize(
    ("source", "code", "remedy"),
    [
        ("s3://other/folder/", "forbidden_bucket", "NOVABATCH_ALLOWED_BUCKETS"),
        ("s3://media/", "bad_source", "name the folder"),
        ("s3://media", "bad_source", "name the folder"),
        ("s3://media/nothing/here/", "no_output", "name the folder"),
        ("s3://media/proxy_video/a.mov", "no_output", "name the folder"),
        (foreign.ARN.replace("us-east-1", "eu-west-1"), "foreign_job", "the output's URI"),
        (foreign.ARN.replace("123456789012", "210987654321"), "foreign_job", "the output's URI"),
        (foreign.ARN, "unknown_job", "its output's URI"),
    ],
)
def test_what_cannot_be_taken_in_is_refused_with_what_to_do(
    sim: Simulation, source: str, code: str, remedy: str
) -> None:
    assert refusal(sim, source)[0] == code
    assert remedy in sim.dead[0][1].why


def test_a_job_that_still_runs_is_refused(sim: Simulation) -> None:
    assert refusal(sim, foreign.job(sim, [], JobStatus.IN_PROGRESS))[0] == "job_not_ended"


def test_a_model_that_is_not_in_the_table_is_refused(sim: Simulation) -> None:
    foreign.put(sim, foreign.FOLDER, foreign.lines(1))
    assert refusal(sim, f"s3://media/{foreign.FOLDER}", "nova-9")[0] == "unknown_model"


def test_a_place_where_several_jobs_wrote_is_refused_and_names_some_of_them(sim: Simulation) -> None:
    for n in range(9):
        foreign.put(sim, f"nova/batch/output/job{n:09}", foreign.lines(1))
    code, why = refusal(sim, "s3://media/nova/batch/output/")
    assert code == "several_jobs"
    assert "s3://media/nova/batch/output/job000000000/" in why


def test_a_job_of_ours_is_not_taken_in_a_second_time(sim: Simulation) -> None:
    sim.submit(sim.media(2))
    (arn,) = sim.jobs.reports
    sim.finish_all()
    assert refusal(sim, arn)[0] == "known_job"


def test_a_job_that_was_taken_in_by_its_arn_is_not_taken_in_by_its_uri(sim: Simulation) -> None:
    written = foreign.lines(2)
    foreign.put(sim, foreign.FOLDER, written)
    adopt(sim, foreign.job(sim, written))
    assert refusal(sim, f"s3://media/{foreign.FOLDER}")[0] == "known_job"


def behind_pages(calls: Sequence[str]) -> list[int]:
    """Strike in the middle of an object: behind a page of it that stands, both times that it is read."""
    pages = [n for n in effects(calls) if "store.adopt_page" in calls[n - 1] or "store.save " in calls[n - 1]]
    return firsts(calls, pages)


@pytest.mark.parametrize(
    ("videos", "points"), [(30, usual), (1050, behind_pages), pytest.param(1050, usual, marks=IN_FULL)]
)
def test_an_adoption_survives_a_crash_at_any_kind_of_call(
    simulate: NewSimulation, videos: int, points: Points
) -> None:
    """Of the first object's lines a page holds a thousand, and 300 when it is read for its answers."""
    sources: list[str] = []

    def make(lease_seconds: float) -> Simulation:
        sim = simulate(lease_seconds=lease_seconds)
        written = foreign.lines(videos + 50, bad=2)
        foreign.put(sim, foreign.FOLDER, written[:videos], "a")
        foreign.put(sim, foreign.FOLDER, [*written[videos:], {"recordId": "padding-0", **answer("y")}], "b")
        sources.append(foreign.job(sim, written))
        sim.post(AdoptJob(source=sources[-1]))
        return sim

    def outcome(sim: Simulation) -> object:
        batch_id = layout.batch_id(f"adopt:{sources[-1]}")
        return known_of(sim, batch_id), sim.objects.text(layout.plan_key(batch_id))

    crash_everywhere(make, Simulation.run, outcome, points)


def test_one_that_nobody_goes_on_with_is_taken_up_by_the_reconciler(sim: Simulation) -> None:
    foreign.put(sim, foreign.FOLDER, foreign.lines(3))
    source = f"s3://media/{foreign.FOLDER}"

    def die() -> None:
        raise Crash

    sim.lease_seconds = -1
    at_call(sim, "objects.writer", act=die)
    with pytest.raises(Crash):
        sim.handle(AdoptJob(source=source))
    batch_id = layout.batch_id(f"adopt:{source}")
    assert sim.batch(batch_id).state is BatchState.PLANNING
    sim.reconcile()
    assert sim.batch(batch_id).state is BatchState.COMPLETED
    assert not sim.jobs.created


def test_a_database_lost_before_it_was_read_reads_it_and_sends_nothing(sim: Simulation) -> None:
    foreign.put(sim, foreign.FOLDER, [foreign.line(1, error(503)), *foreign.lines(2)])
    source = f"s3://media/{foreign.FOLDER}"
    sim.handle(AdoptJob(source=source))
    batch_id = layout.batch_id(f"adopt:{source}")
    assert lose_and_restore(sim).problems == {}
    sim.reconcile(2)
    assert sim.batch(batch_id).state is BatchState.COMPLETED_WITH_ERRORS
    assert sim.store.count(batch_id).good == 2
    assert not sim.jobs.created


def test_a_lost_database_has_it_again_and_never_sends_it_anywhere(sim: Simulation) -> None:
    written = foreign.lines(4, bad=1)
    foreign.put(sim, foreign.FOLDER, written)
    source = f"s3://media/{foreign.FOLDER}"
    batch_id = adopt(sim, source)
    before = list(sim.store.result_rows(batch_id)), sim.batch(batch_id).state
    assert lose_and_restore(sim).problems == {}
    assert (list(sim.store.result_rows(batch_id)), sim.batch(batch_id).state) == before
    sim.post(RetryBatch(batch_id=batch_id))
    sim.reconcile()
    assert [refused.code for _, refused in sim.dead] == ["adopted"]
    assert not sim.jobs.created
