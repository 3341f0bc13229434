"""Staging a chunk: what is copied, uploaded, measured again, refused, checked and split."""

from collections.abc import Callable
from dataclasses import replace
from itertools import count
from typing import Any

import pytest
from sqlalchemy import event

from consumers.core import layout
from consumers.core.faults import Archived, Changed, Denied, Missing, PassingFault, Throttled
from consumers.core.lifecycle import BatchState, ChunkState
from schemas.facts import FilesCopied, FindingMade
from schemas.messages import CancelBatch, SubmitChunk
from schemas.models import ModelTable
from tests.fakes.calls import ignore
from tests.stages.conftest import NewSimulation
from tests.stages.lots import BATCH, copies_in, lose, never_measured, refusals, succeeded, the_chunk
from tests.stages.moments import at_call
from tests.stages.simulation import Crash, Simulation


def every(sim: Simulation, *words: str, act: Callable[[], object]) -> None:
    """Act at every call in which all the words stand."""

    def heard(call: str) -> None:
        if all(word in call for word in words):
            act()

    sim.on_call = heard


# ── uploads ──


def with_local(sim: Simulation, files: int = 2, content: bytes = b"from disk") -> list[dict[str, Any]]:
    """Originals of which the sender has a copy on this machine."""
    for number in range(1, files + 1):
        sim.local.files[f"proxies/{number}.mov"] = content
    return [{**file, "local_path": f"proxies/{file['file_id']}.mov"} for file in sim.media(files)]


def test_a_file_gone_from_s3_is_uploaded_into_the_chunk_and_never_to_its_key(sim: Simulation) -> None:
    files = with_local(sim)
    lose(sim)
    sim.submit(files)
    key = layout.file_key(the_chunk(sim).folder, "Video_1.mov")
    assert sim.objects.read(key) == b"from disk"
    assert sim.objects.content_type(key) == "video/quicktime"
    assert sim.objects.keys("proxy_video/") == ["proxy_video/Video, 2.mov"]
    sim.finish_all()
    assert succeeded(sim) == {1, 2}
    assert {(fact.outcome, fact.count) for fact in sim.facts if isinstance(fact, FilesCopied)} == {
        ("copied", 1),
        ("uploaded", 1),
    }


def test_a_file_that_vanishes_after_the_plan_is_uploaded_whatever_its_size_is_now(sim: Simulation) -> None:
    files = with_local(sim, content=b"much longer than what lay in S3")
    at_call(sim, "objects.copies", "Video, 1", act=lambda: lose(sim))
    sim.submit(files)
    (file, _) = sim.store.chunk_files(the_chunk(sim).chunk_id)
    assert (file.size_bytes, file.etag, file.measured_again) == (31, "", True)
    sim.finish_all()
    assert succeeded(sim) == {1, 2}


def test_a_file_that_is_nowhere_is_refused_and_the_rest_goes_on(sim: Simulation) -> None:
    files = with_local(sim)
    files[0]["local_path"] = "proxies/lost.mov"
    at_call(sim, "objects.copies", "Video, 1", act=lambda: lose(sim))
    sim.submit(files)
    sim.finish_all()
    code, reason = refusals(sim)[1]
    assert code == "not_found"
    assert all(word in reason for word in ("s3://media/proxy_video/Video, 1.mov", "proxies/lost.mov"))
    assert succeeded(sim) == {2}


def test_a_local_path_that_leads_out_is_refused(sim: Simulation) -> None:
    files = with_local(sim)
    files[0]["local_path"] = "../secrets.mov"
    at_call(sim, "objects.copies", "Video, 1", act=lambda: lose(sim))
    sim.submit(files)
    sim.finish_all()
    code, reason = refusals(sim)[1]
    assert code == "local_path_not_allowed"
    assert "NOVABATCH_MEDIA_ROOTS" in reason


def test_a_local_file_written_while_it_is_read_is_read_again(sim: Simulation) -> None:
    files = with_local(sim)
    lose(sim)
    sim.objects.fail_next("uploads", Changed("it is being written"))
    sim.submit(files)
    sim.finish_all()
    assert succeeded(sim) == {1, 2}


def test_a_local_file_that_is_written_all_the_time_is_refused(sim: Simulation) -> None:
    files = with_local(sim)
    lose(sim)
    sim.objects.fail_next("uploads", Changed("it is being written"), times=2)
    sim.submit(files)
    sim.finish_all()
    assert refusals(sim)[1][0] == "changed"
    assert succeeded(sim) == {2}


@pytest.mark.parametrize(("content", "code"), [(b"", "empty"), (b"x" * 50, "too_large")])
def test_a_local_file_that_cannot_be_used_is_refused(sim: Simulation, content: bytes, code: str) -> None:
    sim.policy = replace(sim.policy, max_file_bytes=40)
    files = with_local(sim)
    sim.local.files["proxies/1.mov"] = content
    at_call(sim, "objects.copies", "Video, 1", act=lambda: lose(sim))
    sim.submit(files)
    sim.finish_all()
    assert refusals(sim)[1][0] == code
    assert succeeded(sim) == {2}


# ── sources that changed ──


def change(sim: Simulation, content: str = "another film", **stored: Any) -> None:
    sim.objects.put("proxy_video/Video, 1.mov", content, **stored)


def test_a_source_that_changed_is_measured_again_and_copied_in_the_same_run(sim: Simulation) -> None:
    at_call(sim, "objects.copies", "Video, 1", act=lambda: change(sim))
    sim.submit(sim.media(3))
    key = layout.file_key(the_chunk(sim).folder, "Video_1.mov")
    assert sim.objects.read(key) == b"another film"
    assert the_chunk(sim).bytes == len("another film") + 2 * len("media 2")
    assert not the_chunk(sim).failures
    assert sim.objects.calls.count("copies") == 4
    sim.finish_all()
    assert sim.batch(BATCH).state is BatchState.COMPLETED
    assert {line["etag"] for line in sim.results(BATCH) if line["file_id"] == 1} == {
        sim.objects.buckets["media"]["proxy_video/Video, 1.mov"].etag
    }


def test_a_source_that_changes_again_and_again_is_refused_with_old_and_new(sim: Simulation) -> None:
    sizes = count(20)
    every(sim, "objects.copies", "Video, 1", act=lambda: change(sim, "x" * next(sizes)))
    sim.submit(sim.media(2))
    sim.on_call = ignore
    sim.finish_all()
    code, reason = refusals(sim)[1]
    assert code == "changed"
    assert "20 bytes" in reason
    assert "21 bytes" in reason
    assert succeeded(sim) == {2}


def test_a_source_that_changes_once_more_in_the_next_run_is_refused(simulate: NewSimulation) -> None:
    """What was measured again is on the row: a crash does not make it forgotten."""
    sim = simulate(lease_seconds=-1)

    def change_then_die(call: str) -> None:
        if "objects.copies proxy_video/Video, 1" not in call:
            return
        if sim.objects.calls.count("copies") > 2:
            sim.on_call = again
            raise Crash(call)
        change(sim, "first change")

    def again(call: str) -> None:
        if "objects.copies proxy_video/Video, 1" in call:
            change(sim, "second change")

    sim.on_call = change_then_die
    sim.submit(sim.media(2))
    sim.on_call = ignore
    sim.finish_all()
    assert refusals(sim)[1][0] == "changed"


@pytest.mark.parametrize(
    ("stored", "code", "said"),
    [
        ({"content": ""}, "empty", "no bytes"),
        ({"content": "x", "storage_class": "GLACIER"}, "archived", "aws s3api restore-object"),
        ({"content": "x", "storage_class": "DEEP_ARCHIVE"}, "archived", "--key 'proxy_video/Video, 1.mov'"),
        ({"content": "x" * 50}, "too_large", "over the limit of 40 bytes a file (NOVABATCH_MAX_FILE_BYTES)"),
    ],
)
def test_a_source_that_cannot_be_used_any_more_is_refused(
    sim: Simulation, stored: dict[str, Any], code: str, said: str
) -> None:
    sim.policy = replace(sim.policy, max_file_bytes=40)
    at_call(sim, "objects.copies", "Video, 1", act=lambda: change(sim, **stored))
    sim.submit(sim.media(2))
    sim.finish_all()
    assert refusals(sim)[1][0] == code
    assert said in refusals(sim)[1][1]
    assert succeeded(sim) == {2}


def test_an_original_found_archived_only_at_the_copy_is_refused_with_the_way_to_restore_it(
    sim: Simulation,
) -> None:
    sim.objects.fail_next("copies", Archived("InvalidObjectState"), subject="Video, 1")
    sim.submit(sim.media(2))
    sim.finish_all()
    code, reason = refusals(sim)[1]
    assert code == "archived"
    assert "aws s3api restore-object --bucket media" in reason


def test_a_size_the_sender_got_wrong_is_set_right_by_the_copy(sim: Simulation) -> None:
    sim.submit(**never_measured(sim.media(2), size=999))
    assert [file.size_bytes for file in sim.store.chunk_files(the_chunk(sim).chunk_id)] == [7, 7]
    assert the_chunk(sim).bytes == 14
    assert sim.objects.calls.count("heads") == 0
    sim.finish_all()
    assert succeeded(sim) == {1, 2}


def test_a_copy_that_is_larger_than_a_file_may_be_is_refused_and_does_not_stay(sim: Simulation) -> None:
    sim.policy = replace(sim.policy, max_file_bytes=40)
    files = sim.media(3)
    change(sim, "x" * 41)
    sim.submit(**never_measured(files))
    assert copies_in(sim) == ["Video_2.mov", "Video_3.mov"]
    sim.finish_all()
    assert refusals(sim)[1][0] == "too_large"
    assert succeeded(sim) == {2, 3}


# ── faults of copies ──


def test_slowing_down_for_long_costs_no_file_and_no_try(sim: Simulation) -> None:
    sim.objects.fail_next("copies", Throttled("SlowDown"), subject="Video, 2", times=8)
    sim.submit(sim.media(3))
    for _ in range(12):
        sim.pass_time(3600)
        sim.reconcile()
    sim.finish_all()
    assert "prepare" not in the_chunk(sim).failures
    assert succeeded(sim) == {1, 2, 3}
    assert sim.batch(BATCH).state is BatchState.COMPLETED


def test_a_file_that_is_missing_costs_itself_only(sim: Simulation) -> None:
    sim.objects.fail_next("copies", Missing("NoSuchKey"), subject="Video, 2", times=9)
    sim.submit(sim.media(3))
    sim.finish_all()
    assert refusals(sim)[2][0] == "not_found"
    assert succeeded(sim) == {1, 3}


def test_a_denied_file_is_refused_where_others_can_be_copied(sim: Simulation) -> None:
    sim.objects.fail_next("copies", Denied("AccessDenied"), subject="Video, 2", times=9)
    sim.submit(sim.media(3))
    sim.finish_all()
    assert refusals(sim)[2][0] == "access_denied"
    assert succeeded(sim) == {1, 3}


def test_files_that_are_all_denied_are_a_matter_of_permissions(sim: Simulation) -> None:
    sim.objects.fail_next("copies", Denied("AccessDenied"), times=6)
    sim.submit(sim.media(3))
    assert the_chunk(sim).failures == {"prepare": 1}
    sim.pass_time(60)
    sim.pass_time(60)
    sim.finish_all()
    assert succeeded(sim) == {1, 2, 3}


def test_what_was_copied_before_a_crash_is_not_copied_again(simulate: NewSimulation) -> None:
    sim = simulate(lease_seconds=-1)
    seen = count(1)

    def die_at_the_tenth(call: str) -> None:
        if "objects.copies" in call and "done" not in call and next(seen) == 10:
            raise Crash(call)

    sim.on_call = die_at_the_tenth
    sim.submit(sim.media(20))
    assert sim.objects.calls.count("copies") == 21
    sim.finish_all()
    assert len(succeeded(sim)) == 20


def test_a_copy_has_the_content_type_its_name_asks_for(sim: Simulation) -> None:
    sim.objects.put("proxy_video/Video, 1.mov", "film", content_type="text/plain")
    sim.submit([{"file_id": 1, "s3_key": "proxy_video/Video, 1.mov"}])
    key = layout.file_key(the_chunk(sim).folder, "Video_1.mov")
    assert sim.objects.content_type(key) == "video/quicktime"


# ── the folder ──


def test_strangers_in_the_folder_are_deleted_and_nothing_else_is(sim: Simulation) -> None:
    def litter() -> None:
        folder = layout.input_prefix(the_chunk(sim).folder)
        for key in (f"{folder}files/alien.mov", f"{folder}more.jsonl", f"{folder}files/deep/x"):
            sim.objects.put(key, "not ours")

    at_call(sim, "objects.copies", "Video, 2", act=litter)
    files = sim.media(3)
    sim.submit(files)
    assert copies_in(sim) == ["Video_1.mov", "Video_2.mov", "Video_3.mov"]
    assert sim.objects.keys(layout.input_prefix(the_chunk(sim).folder))[-1].endswith("manifest.jsonl")
    assert sim.objects.keys("proxy_video/") == [file["s3_key"] for file in files]
    assert sim.objects.calls.count("deletions") == 3


def test_strangers_leave_no_old_version_in_a_versioned_bucket(sim: Simulation) -> None:
    sim.objects.buckets["media"].versioned = True

    def litter() -> None:
        for _ in range(2):
            sim.objects.put(layout.input_prefix(the_chunk(sim).folder) + "files/alien.mov", "not ours")

    at_call(sim, "objects.copies", "Video, 2", act=litter)
    sim.submit(sim.media(2))
    left = sim.objects.versions(layout.input_prefix(the_chunk(sim).folder))
    assert {version.key.rpartition("/")[2] for version in left} == {
        "Video_1.mov",
        "Video_2.mov",
        "manifest.jsonl",
    }


def test_a_stranger_that_cannot_be_deleted_keeps_the_chunk_from_its_job(sim: Simulation) -> None:
    def litter() -> None:
        sim.objects.put(layout.input_prefix(the_chunk(sim).folder) + "files/alien.mov", "not ours")

    at_call(sim, "objects.copies", "Video, 2", act=litter)
    sim.objects.fail_next("deletions", PassingFault("locked"))
    sim.submit(sim.media(2))
    assert (the_chunk(sim).state, len(sim.jobs.created)) == (ChunkState.PREPARING, 0)
    assert "alien.mov: locked" in the_chunk(sim).last_error
    sim.pass_time(60)
    assert len(sim.jobs.created) == 1


def test_a_chunk_takes_hardly_more_requests_than_it_has_files(sim: Simulation) -> None:
    sim.submit(**never_measured(sim.media(150), size=7))
    calls = [call for call, subject in sim.objects.calls.log if "plan.jsonl" not in subject]
    assert len(calls) <= 1.05 * 150


def statements(sim: Simulation, files: int) -> int:
    """Count the database statements of staging so many files."""
    seen: list[str] = []

    def note(*told: Any) -> None:
        seen.append(told[2])

    at_call(sim, "objects.copies", act=lambda: event.listen(engine, "before_cursor_execute", note))
    engine = sim.store.database.engine
    sim.submit(sim.media(files))
    event.remove(engine, "before_cursor_execute", note)
    return len(seen)


def test_the_cancel_flag_costs_no_query_a_file(simulate: NewSimulation) -> None:
    few = statements(simulate(), 10)
    assert statements(simulate(), 110) - few <= 20


def test_a_cancel_is_noticed_between_two_large_files(sim: Simulation) -> None:
    for number in range(1, 5):
        sim.objects.put(f"v/{number}.mov", "film", size=900_000_000)
    at_call(sim, "objects.copies", "v/1.mov", "done", act=lambda: sim.handle(CancelBatch(request_id="r")))
    sim.submit([{"file_id": n, "s3_key": f"v/{n}.mov"} for n in range(1, 5)])
    assert sim.objects.calls.count("copies") == 1
    assert sim.batch(BATCH).state is BatchState.CANCELLED


def test_a_chunk_of_a_model_that_left_the_table_waits_until_it_is_back(sim: Simulation) -> None:
    sim.objects.fail_next("copies", PassingFault("reset"))
    sim.submit(sim.media(2))
    known, sim.models = sim.models, ModelTable(())
    sim.pass_time(60)
    assert the_chunk(sim).failures["prepare"] == 1
    assert not sim.jobs.created
    sim.models = known
    sim.pass_time(60)
    sim.reconcile()
    assert len(sim.jobs.created) == 1


def test_a_chunk_whose_model_left_the_table_before_it_was_staged_takes_no_place_and_is_left_alone(
    sim: Simulation,
) -> None:
    sim.store.pause("*", "until the model is gone", sim.now)
    sim.submit(sim.media(2))
    sim.store.resume("*")
    known, sim.models = sim.models, ModelTable(())
    sim.post(SubmitChunk(chunk_id=the_chunk(sim).chunk_id))
    sim.run()
    assert the_chunk(sim).state is ChunkState.PLANNED
    assert {fact.kind for fact in sim.facts if isinstance(fact, FindingMade)} == {"model_unknown"}
    assert wakings(sim, reconciles=20) == 0
    sim.models = known
    sim.reconcile()
    assert len(sim.jobs.created) == 1


def test_a_chunk_whose_model_left_the_table_half_way_is_woken_less_and_less(sim: Simulation) -> None:
    sim.objects.fail_next("copies", PassingFault("reset"))
    sim.submit(sim.media(2))
    known, sim.models = sim.models, ModelTable(())
    assert wakings(sim, reconciles=60) <= 8
    sim.models = known
    assert wakings(sim, reconciles=60) >= 1
    assert len(sim.jobs.created) == 1


def test_a_cancelled_chunk_whose_model_left_the_table_ends(sim: Simulation) -> None:
    sim.objects.fail_next("copies", PassingFault("reset"))
    sim.submit(sim.media(2))
    sim.models = ModelTable(())
    at_call(sim, "worker.publish", act=lambda: sim.handle(CancelBatch(request_id="r")))
    wakings(sim, reconciles=2)
    assert sim.batch(BATCH).state is BatchState.CANCELLED


def wakings(sim: Simulation, reconciles: int) -> int:
    """Let minutes go by with a reconciler at work; returns how often a chunk was woken."""
    before = len(sim.log)
    for _ in range(reconciles):
        sim.pass_time(60)
        sim.reconcile()
    return sum(isinstance(message, SubmitChunk) for message in sim.log[before:])


# ── copies of which the plan knew no true size ──


def test_what_was_copied_is_not_copied_again_although_the_sender_told_another_size(
    simulate: NewSimulation,
) -> None:
    sim = simulate(lease_seconds=-1)
    seen = count(1)

    def die_at_the_tenth(call: str) -> None:
        if "objects.copies" in call and "done" not in call and next(seen) == 10:
            raise Crash(call)

    sim.on_call = die_at_the_tenth
    sim.submit(**never_measured(sim.media(20), size=999))
    assert sim.objects.calls.count("copies") == 21
    sim.finish_all()
    assert len(succeeded(sim)) == 20
    assert the_chunk(sim).bytes == sum(len(f"media {n}") for n in range(1, 21))


def test_a_copy_that_is_not_the_size_it_was_measured_with_is_made_again(sim: Simulation) -> None:
    def overwrite() -> None:
        sim.objects.put(layout.file_key(the_chunk(sim).folder, "Video_1.mov"), "something else")
        raise PassingFault("and then the listing failed")

    at_call(sim, "objects.writer", "manifest.jsonl", act=overwrite)
    sim.submit(**never_measured(sim.media(2), size=999))
    sim.pass_time(60)
    assert sim.objects.calls.count("copies") == 3
    sim.finish_all()
    assert succeeded(sim) == {1, 2}
