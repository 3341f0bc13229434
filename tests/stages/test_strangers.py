"""Folders of nobody and what an earlier system left: they go by their name, and only if nobody knows them."""

import json

import pytest
from sqlalchemy import update

from consumers.core import layout
from consumers.core.faults import Denied
from consumers.core.jobs import JobRequest
from daemon.adapters.tables import chunks
from schemas.facts import StrangerRemoved
from schemas.messages import CleanupLegacy, CleanupUnowned
from tests.databases import delete_rows
from tests.stages.bedrock_answers import success
from tests.stages.simulation import Simulation

NOBODY = "job_20250101_101010_000000_000"
OLD = [
    "batch_input_1.jsonl",
    "nova/batch/input/a.jsonl",
    "nova/batch/input/old/",
    "nova/batch/output/flat.jsonl.out",
    "nova/batch/output/x1y2z3/",
    "nova/batch/other/",
]


def litter(sim: Simulation) -> None:
    """Lay down what belongs to nobody, and beside it what is named nearly so."""
    for place in (*layout.temporary_prefixes(NOBODY), "nova_batch/job_old/", *OLD):
        sim.objects.put(f"{place}a.mov" if place.endswith("/") else place, "x")
        sim.objects.put(f"{place.rstrip('/')}.bak", "x")


def the_folder(sim: Simulation, batch_id: str) -> str:
    chunk = sim.store.chunk(layout.chunk_id(batch_id, 0))
    assert chunk is not None
    return chunk.folder


def gone(sim: Simulation, message: CleanupUnowned | CleanupLegacy) -> set[str]:
    """Handle a message and return the keys that went."""
    before = set(sim.objects.keys())
    sim.post(message)
    sim.run()
    return before - set(sim.objects.keys())


def refused(sim: Simulation, message: CleanupUnowned | CleanupLegacy) -> str:
    """Handle a message that must be refused and delete nothing; return why."""
    sim.dead.clear()
    assert not gone(sim, message)
    ((_, why),) = sim.dead
    return why.why


def use(sim: Simulation, input_uri: str, output_uri: str) -> None:
    """Let somebody else's job be open over these places."""
    role, model = "arn:aws:iam::123456789012:role/batch", "us.amazon.nova-2-lite-v1:0"
    sim.jobs.create(JobRequest("theirs-1", "theirs-1", model, role, input_uri, output_uri, 24))


def test_a_folder_of_nobody_goes_from_both_sides(sim: Simulation) -> None:
    litter(sim)
    own = {prefix + "a.mov" for prefix in layout.temporary_prefixes(NOBODY)}
    assert gone(sim, CleanupUnowned(folder=NOBODY)) == own
    assert sim.facts == [StrangerRemoved(NOBODY, 2, 2)]
    assert gone(sim, CleanupUnowned(folder=NOBODY)) == set()
    assert len(sim.facts) == 1


def test_a_folder_that_is_not_named_like_ours_goes_from_the_input_side(sim: Simulation) -> None:
    litter(sim)
    assert gone(sim, CleanupUnowned(folder="job_old")) == {"nova_batch/job_old/a.mov"}


@pytest.mark.parametrize("place", OLD)
def test_what_an_earlier_system_left_goes_by_its_exact_name(sim: Simulation, place: str) -> None:
    litter(sim)
    sim.objects.buckets["media"].versioned = True
    key = f"{place}a.mov" if place.endswith("/") else place
    sim.objects.put(key, "again")
    assert gone(sim, CleanupLegacy(place=place)) == {key}
    assert key not in {version.key for version in sim.objects.versions(key)}


@pytest.mark.parametrize(
    "place",
    [
        *("nova/batch/output/", "nova/batch/input/", "nova/batch/", "nova/", "batch_input_*", "*"),
        *("nova/batch/output", "proxy_video/", "proxy_video/a.mov", "nova_results/", "nova_batch/job_old/"),
        *("batch_input_1.jsonl/", "x/batch_input_1.jsonl", "nova/batch/input/old/deep/", "batch_input_1.csv"),
        *(
            "nova/batch/output/x1y2z3/manifest.jsonl.out",
            f"nova/batch/output/{NOBODY}/",
            "../batch_input_1.jsonl",
        ),
    ],
)
def test_no_other_name_is_what_an_earlier_system_left(sim: Simulation, place: str) -> None:
    litter(sim)
    if place == "nova/batch/output":
        assert not gone(sim, CleanupLegacy(place=place))
    else:
        assert "not what an earlier system left" in refused(sim, CleanupLegacy(place=place))


@pytest.mark.parametrize("folder", [".", "..", "a/b", "/", "../proxy_video", f"{NOBODY}/", f"x/{NOBODY}"])
def test_a_folder_is_named_by_its_bare_name(sim: Simulation, folder: str) -> None:
    litter(sim)
    assert "not the name of a folder" in refused(sim, CleanupUnowned(folder=folder))


def test_the_folder_of_a_chunk_is_not_nobody_s(sim: Simulation) -> None:
    batch_id = sim.submit(sim.media(2))
    folder = the_folder(sim, batch_id)
    assert layout.chunk_id(batch_id, 0) in refused(sim, CleanupUnowned(folder=folder))


def test_after_a_lost_database_nothing_is_nobody_s(sim: Simulation) -> None:
    batch_id = sim.submit(sim.media(2))
    folder = the_folder(sim, batch_id)
    sim.finish_jobs(output=False)
    with sim.store.engine.begin() as connection:
        delete_rows(connection)
    assert "reconcile --rebuild" in refused(sim, CleanupUnowned(folder=folder))


def test_a_folder_that_a_plan_names_is_not_nobody_s_though_its_row_is_lost(sim: Simulation) -> None:
    batch_id = sim.submit(sim.media(2))
    folder = the_folder(sim, batch_id)
    sim.finish_jobs(output=False)
    with sim.store.engine.begin() as connection:
        connection.execute(update(chunks).values(folder=NOBODY))
    assert "is in a plan of batch" in refused(sim, CleanupUnowned(folder=folder))


def test_another_batch_that_is_named_alike_does_not_hide_the_one_that_is_lost(sim: Simulation) -> None:
    litter(sim)
    for number in range(3):
        batch_id = "b000000" + f"{number:014x}"
        sim.objects.put(layout.part_key(batch_id, 0), "x")
    assert gone(sim, CleanupUnowned(folder=NOBODY))
    litter(sim)
    sim.objects.put(layout.plan_key("b000000" + f"{2:014x}"), "x")
    assert "reconcile --rebuild" in refused(sim, CleanupUnowned(folder=NOBODY))


@pytest.mark.parametrize(
    ("input_uri", "output_uri"),
    [
        (f"s3://media/nova_batch/{NOBODY}/", "s3://media/elsewhere/"),
        ("s3://media/elsewhere/", f"s3://media/nova/batch/output/{NOBODY}/"),
        ("s3://media/nova_batch/", "s3://media/elsewhere/"),
        ("s3://media/elsewhere/", f"s3://media/nova/batch/output/{NOBODY}/deep/"),
    ],
)
def test_what_an_open_job_of_anybody_uses_stays(sim: Simulation, input_uri: str, output_uri: str) -> None:
    litter(sim)
    use(sim, input_uri, output_uri)
    assert "theirs-1" in refused(sim, CleanupUnowned(folder=NOBODY))
    sim.jobs.finish(sim.jobs.arn("theirs-1"))
    assert gone(sim, CleanupUnowned(folder=NOBODY))


def test_flat_output_stays_while_a_job_writes_into_the_root_above_it(sim: Simulation) -> None:
    litter(sim)
    use(sim, "s3://media/elsewhere/", "s3://media/nova/batch/output/")
    assert "theirs-1" in refused(sim, CleanupLegacy(place="nova/batch/output/x1y2z3/"))
    assert gone(sim, CleanupLegacy(place="batch_input_1.jsonl"))


def test_output_that_was_taken_in_from_elsewhere_stays_until_it_is_read(sim: Simulation) -> None:
    batch_id = sim.submit(sim.media(2))
    litter(sim)
    place = "nova/batch/output/x1y2z3/"
    with sim.store.engine.begin() as connection:
        connection.execute(update(chunks).values(output_uri=f"s3://media/{place}"))
    lines = [
        json.dumps({"recordId": each, **success(each)}) for each in ("file-1:combined", "file-2:combined")
    ]
    sim.objects.put(f"{place}manifest.jsonl.out", "\n".join(lines))
    assert layout.chunk_id(batch_id, 0) in refused(sim, CleanupLegacy(place=place))
    sim.finish_jobs()
    assert set(sim.outcomes(batch_id).values()) == {"SUCCEEDED"}
    assert gone(sim, CleanupLegacy(place=place))


def test_without_an_answer_from_bedrock_nothing_goes(sim: Simulation) -> None:
    litter(sim)
    sim.jobs.fail_next("open_anywhere", Denied("ListModelInvocationJobs"))
    assert not gone(sim, CleanupUnowned(folder=NOBODY))
    sim.pass_time(60)
    assert not sim.objects.keys(layout.input_prefix(NOBODY))
