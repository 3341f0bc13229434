"""A file that is forgotten: nothing of it is left anywhere of ours, and all else is as it was."""

import gzip
import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from consumers.core import layout
from consumers.core.faults import PassingFault
from consumers.core.lifecycle import BatchState, JobStatus
from daemon.adapters.tables import findings, metadata
from schemas.events import EventName
from schemas.messages import CancelBatch, ForgetFile, ReparseBatch, RetryBatch, SubmitBatch
from tests.stages.bedrock_answers import answer, error
from tests.stages.conftest import NewSimulation
from tests.stages.loss import lose_database, restore
from tests.stages.simulation import Simulation
from tests.stages.sweeps import crash_everywhere

SECRET = "Smith's pool"
KEY = f"proxy_video/{SECRET}, 7.mov"


def bought(sim: Simulation, request_id: str = "r", **more: Any) -> str:
    """An ended batch in which the file of the secret was sent twice, beside others and a refused one."""
    sim.small_chunks(2)
    sim.objects.put(KEY, "media 7")
    mine = {"file_id": 7, "s3_key": KEY, "context": {"path": SECRET}}
    gone = {"file_id": 99, "s3_key": "gone.mov"}
    sim.answers.plan("file-7:summary", answer("no JSON"), answer(json.dumps({"text": SECRET})))
    sim.answers.plan("file-3:summary", error(400, "no"))
    batch_id = sim.submit([*sim.media(3), mine, gone], request_id, analysis_types=["summary"], **more)
    sim.finish_all()
    sim.sent.clear()
    return batch_id


def forget(sim: Simulation, batch_id: str, position: int = 3) -> None:
    sim.post(ForgetFile(batch_id=batch_id, position=position))
    sim.run()


def everything(sim: Simulation) -> list[str]:
    """Name every place of ours, rows and objects with all their versions, that still holds the secret."""
    found = []
    with sim.store.database.read() as connection:
        for table in metadata.sorted_tables:
            rows = connection.execute(select(table)).all()
            found += [f"table {table.name}" for row in rows if "Smith" in repr(row)]
    for key, versions in sim.objects.buckets["media"].history.items():
        for stored in versions.values():
            data = stored.data if stored else b""
            text = gzip.decompress(data) if key.endswith(".gz") and data else data
            if key != KEY and (b"Smith" in text or "Smith" in key):
                found.append(key)
    return found


def bill(sim: Simulation, batch_id: str) -> Decimal:
    """Add up what the lines of a batch cost, with its padding."""
    manifest = json.loads(sim.objects.text(layout.manifest_json_key(batch_id)))
    files = [manifest[name]["key"] for name in ("results", "superseded", "forgotten") if manifest[name]]
    lines = [json.loads(line) for key in files for line in sim.objects.text(key).splitlines()]
    return sum((Decimal(line["cost_usd"] or 0) for line in lines), Decimal(manifest["padding_usd"]))


def test_nothing_of_a_forgotten_file_is_left_and_the_original_stays(sim: Simulation) -> None:
    batch_id = bought(sim)
    assert everything(sim)
    forget(sim, batch_id)
    assert everything(sim) == []
    assert sim.objects.text(KEY) == "media 7"
    assert not sim.dead


def test_all_others_are_as_they_were_and_the_batch_has_its_next_revision(sim: Simulation) -> None:
    batch_id = bought(sim)
    before, count = sim.results(batch_id), sim.store.count(batch_id)
    forget(sim, batch_id)
    assert sim.results(batch_id) == [line for line in before if line["file_id"] != 7]
    assert sim.store.count(batch_id) == count
    [event] = sim.sent
    assert (event.name, event.detail["revision"]) == (EventName.BATCH_FINISHED, 2)
    manifest = json.loads(sim.objects.text(layout.manifest_json_key(batch_id)))
    assert (manifest["revision"], manifest["state"], manifest["forgotten"]["lines"]) == (
        2,
        "COMPLETED_WITH_ERRORS",
        2,
    )


def test_the_money_is_still_told_to_the_last_digit(sim: Simulation) -> None:
    batch_id = bought(sim)
    manifest = json.loads(sim.objects.text(layout.manifest_json_key(batch_id)))
    cost = Decimal(manifest["cost_usd"])
    assert bill(sim, batch_id) == cost
    forget(sim, batch_id)
    assert bill(sim, batch_id) == cost > 0


def namesakes(sim: Simulation) -> str:
    """An ended batch of four files: two copies are called alike, and a key is called like a copy."""
    sim.small_chunks(2)
    keys = ["smith/front.mov", "smith/b.mov", "front.mov", "jones/front.mov"]
    for key in keys:
        sim.objects.put(key, key)
    files = [{"file_id": number, "s3_key": key} for number, key in enumerate(keys)]
    batch_id = sim.submit(files)
    sim.finish_all()
    return batch_id


@pytest.mark.parametrize("position", range(4))
def test_a_file_is_forgotten_beside_others_of_the_same_name(sim: Simulation, position: int) -> None:
    batch_id = namesakes(sim)
    forget(sim, batch_id, position)
    assert sim.batch(batch_id).revision == 2
    assert not sim.later
    assert {line["file_id"] for line in sim.results(batch_id)} == set(range(4)) - {position}


def test_findings_of_others_stay_and_its_own_lose_the_name_only(sim: Simulation) -> None:
    batch_id, other = bought(sim), layout.chunk_id(layout.batch_id("other"), 0)
    (chunk_id,) = [
        each for each, _ in sim.store.chunk_ids(batch_id) if layout.parse_chunk_id(each).number == 1
    ]
    for subject in (chunk_id, other):
        sim.store.find("count_mismatch", subject, f"the output names {KEY} twice", sim.now)
    forget(sim, batch_id)
    with sim.store.database.read() as connection:
        found = {row.subject: row.detail for row in connection.execute(select(findings))}
    assert found[other] == f"the output names {KEY} twice"
    assert found[chunk_id] == "it told of a file that was forgotten since"


def test_old_versions_go_too(sim: Simulation) -> None:
    sim.objects.buckets["media"].versioned = True
    batch_id = bought(sim)
    forget(sim, batch_id)
    assert everything(sim) == []
    assert sim.results(batch_id)


def test_folders_that_are_kept_for_a_while_are_emptied(sim: Simulation) -> None:
    sim.policy = replace(sim.policy, cleanup_after_success=False)
    batch_id = bought(sim)
    assert sim.temporary_keys()
    forget(sim, batch_id)
    assert everything(sim) == []


def test_a_crash_at_any_instant_ends_in_the_same(simulate: NewSimulation) -> None:
    batches: list[str] = []

    def make(lease: float) -> Simulation:
        sim = simulate()
        batches[:] = [bought(sim)]
        sim.lease_seconds = lease
        return sim

    def act(sim: Simulation) -> None:
        forget(sim, batches[0])

    def outcome(sim: Simulation) -> object:
        batch = sim.batch(batches[0])
        return (
            everything(sim),
            sim.results(batches[0]),
            sim.objects.keys(),
            batch.revision,
            bill(sim, batches[0]),
        )

    crash_everywhere(make, act, outcome)


def test_the_same_message_again_changes_nothing(sim: Simulation) -> None:
    batch_id = bought(sim)
    for _ in range(3):
        forget(sim, batch_id)
    assert sim.batch(batch_id).revision == 2
    assert {event.detail["revision"] for event in sim.sent} == {2}


def test_a_running_batch_is_refused_with_what_to_do(sim: Simulation) -> None:
    batch_id = sim.submit(sim.media(2))
    forget(sim, batch_id, 0)
    (_, refused) = sim.dead[-1]
    assert refused.code == "batch_not_ended"
    assert "wait for its end, or cancel it" in refused.why


def test_a_folder_into_which_bedrock_may_still_write_is_waited_for(sim: Simulation) -> None:
    sim.objects.put(KEY, "media 7")
    batch_id = sim.submit([*sim.media(1), {"file_id": 7, "s3_key": KEY}], analysis_types=["summary"])
    sim.post(CancelBatch(batch_id=batch_id))
    sim.run()
    sim.finish_jobs(JobStatus.STOPPED)
    forget(sim, batch_id, 1)
    assert sim.batch(batch_id).revision == 1
    assert not sim.dead
    for _ in range(5):
        sim.pass_time(900)
    assert sim.batch(batch_id).revision == 2
    assert everything(sim) == []


def test_what_cannot_be_deleted_is_named_and_goes_on_later(sim: Simulation) -> None:
    sim.objects.buckets["media"].versioned = True
    batch_id = bought(sim)
    results = layout.results_key(batch_id)
    sim.objects.undeletable.add(results)
    forget(sim, batch_id)
    assert sim.batch(batch_id).revision == 1
    sim.objects.undeletable.clear()
    sim.later.clear()
    sim.pass_time(3600)
    sim.reconcile()
    assert sim.batch(batch_id).revision == 2
    assert everything(sim) == []


def test_troubles_on_the_way_are_not_told_with_its_name_afterwards(sim: Simulation) -> None:
    sim.policy = replace(sim.policy, cleanup_after_success=False)
    batch_id = bought(sim)
    sim.objects.undeletable = {key for key in sim.temporary_keys() if "Smith" in key}
    forget(sim, batch_id)
    for _ in range(6):
        sim.pass_time(900)
    assert any("findings" in place for place in everything(sim))
    sim.objects.undeletable = set()
    sim.pass_time(3600)
    sim.reconcile()
    assert sim.batch(batch_id).revision == 2
    assert everything(sim) == []


def test_a_later_request_buys_the_object_anew_and_links_nothing(sim: Simulation) -> None:
    batch_id = bought(sim)
    forget(sim, batch_id)
    other = sim.submit([{"file_id": 7, "s3_key": KEY}, *sim.media(1)], "other", analysis_types=["summary"])
    sim.finish_all()
    assert [line["reused_from"] is None for line in sim.results(other)] == [True, False]


def test_a_link_to_it_is_a_file_of_its_own_batch_and_is_forgotten_there(sim: Simulation) -> None:
    first = bought(sim)
    second = sim.submit([{"file_id": "x", "s3_key": KEY}], "second", analysis_types=["summary"])
    sim.finish_all()
    assert sim.results(second)[0]["reused_from"]
    forget(sim, first)
    assert everything(sim)
    forget(sim, second, 0)
    assert everything(sim) == []
    assert sim.results(second) == []


def test_twins_in_one_batch_go_together(sim: Simulation) -> None:
    sim.objects.put(KEY, "media 7")
    twins = [{"file_id": name, "s3_key": KEY} for name in ("a", "b")]
    batch_id = sim.submit([*twins, *sim.media(1)], analysis_types=["summary"])
    sim.finish_all()
    forget(sim, batch_id, 0)
    assert everything(sim) == []
    assert [line["file_id"] for line in sim.results(batch_id)] == [1]


@pytest.mark.parametrize("message", [RetryBatch, ReparseBatch])
def test_neither_a_retry_nor_a_reparse_brings_it_back(sim: Simulation, message: type) -> None:
    sim.policy = replace(sim.policy, max_attempts=1)
    sim.small_chunks(2)
    sim.objects.put(KEY, "media 7")
    sim.answers.plan("file-7:summary", error(400, "no"))
    sim.answers.plan("file-1:summary", error(400, "no"))
    batch_id = sim.submit([*sim.media(3), {"file_id": 7, "s3_key": KEY}], analysis_types=["summary"])
    sim.finish_all()
    forget(sim, batch_id)
    sim.post(message(batch_id=batch_id))
    sim.run()
    sim.finish_all()
    assert sim.answers.bought["file-7:summary"] == 1
    assert sim.store.count(batch_id).refused == 0
    assert everything(sim) == []
    assert {line["file_id"] for line in sim.results(batch_id)} == {1, 2, 3}


def test_the_very_same_request_again_starts_nothing(sim: Simulation) -> None:
    files = [*sim.media(2)]
    batch_id = sim.submit(files, analysis_types=["summary"])
    sim.finish_all()
    forget(sim, batch_id, 0)
    fields = {"request_id": "r", "model": "nova-2-lite", "files": files, "analysis_types": ["summary"]}
    sim.post(SubmitBatch.model_validate(fields))
    sim.run()
    assert not sim.dead
    assert sim.batch(batch_id).state is BatchState.COMPLETED


def test_after_a_lost_database_it_stays_forgotten_and_the_money_is_there(sim: Simulation) -> None:
    batch_id = bought(sim)
    forget(sim, batch_id)
    count, lines, jobs = sim.store.count(batch_id), sim.results(batch_id), len(sim.jobs.created)
    lose_database(sim)
    assert not restore(sim).problems
    assert sim.store.count(batch_id) == count
    assert everything(sim) == []
    sim.reconcile()
    sim.post(RetryBatch(batch_id=batch_id))
    sim.run()
    sim.finish_all()
    assert sim.answers.bought["file-7:summary"] == 2
    assert [line for line in sim.results(batch_id) if line["file_id"] != 3] == [
        line for line in lines if line["file_id"] != 3
    ]
    assert len(sim.jobs.created) == jobs + 1


def test_a_refused_file_is_forgotten_with_the_reason(sim: Simulation) -> None:
    batch_id = bought(sim)
    forget(sim, batch_id, 4)
    plan = sim.objects.text(layout.plan_key(batch_id))
    assert "gone.mov" not in plan + sim.store.request_of(batch_id)
    assert 99 not in {line["file_id"] for line in sim.results(batch_id)}
    assert sim.store.count(batch_id).refused == 1


def test_a_passing_fault_is_tried_again(sim: Simulation) -> None:
    batch_id = bought(sim)
    sim.objects.fail_next("writer", PassingFault("slow down"))
    forget(sim, batch_id)
    assert sim.batch(batch_id).revision == 1
    sim.pass_time(60)
    assert sim.batch(batch_id).revision == 2
