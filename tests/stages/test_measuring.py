"""Sizes and existence: asked for as seldom as possible, known before anything is paid for."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.core.faults import Denied, Missing, PassingFault
from consumers.core.lifecycle import BatchState
from consumers.core.world import World
from consumers.submit.measuring import OBJECTS_A_FILE, WORTH_LISTING, measure
from daemon.adapters.store import SqlStore
from tests.fakes.objects import FakeObjects
from tests.stages.simulation import Simulation

FILES = 300


def requests(sim: Simulation) -> Counter[str]:
    """Count the requests to S3 that bring files from the archive into their folders."""
    return Counter(call for call, _ in sim.objects.calls.log if call != "delete" and call != "deletions")


def submit_and_count(sim: Simulation, files: list[dict[str, Any]] | None, **more: Any) -> Counter[str]:
    """Let a batch of FILES come as far as its jobs; returns what S3 was asked."""
    sim.submit(files, **more)
    assert len(sim.jobs.created) == 2
    return requests(sim)


def sized(files: list[dict[str, Any]], sim: Simulation) -> list[dict[str, Any]]:
    return [{**file, "size_bytes": len(sim.objects.read(file["s3_key"]))} for file in files]


def scattered(sim: Simulation, count: int) -> list[dict[str, Any]]:
    """Put originals into folders of their own."""
    files: list[dict[str, Any]] = [{"file_id": n, "s3_key": f"archive/{n:05}/a.mov"} for n in range(count)]
    for file in files:
        sim.objects.put(file["s3_key"], file["s3_key"])
    return files


# ── requests a file ────────────────────────────────────────────────────────────────────────────


def test_a_listed_file_takes_no_more_than_1_05_requests(sim: Simulation) -> None:
    sim.media(FILES)
    asked = submit_and_count(sim, None, files_from={"prefix": "proxy_video/"})
    assert asked["heads"] == 0
    assert asked.total() <= 1.05 * FILES, asked


def test_a_file_with_a_size_takes_no_more_than_1_05_requests_where_nothing_is_reused(sim: Simulation) -> None:
    files = sized(scattered(sim, FILES), sim)
    asked = submit_and_count(sim, files, options={"reuse": "never"})
    assert asked["heads"] == 0
    assert asked.total() <= 1.05 * FILES, asked


def test_any_other_file_takes_no_more_than_2_05_requests(sim: Simulation) -> None:
    asked = submit_and_count(sim, scattered(sim, FILES))
    assert asked["heads"] == FILES
    assert asked.total() <= 2.05 * FILES, asked


def test_files_that_share_a_folder_are_measured_by_listing_it(sim: Simulation) -> None:
    asked = submit_and_count(sim, sim.media(FILES))
    assert asked["heads"] == 1
    assert asked.total() <= 1.05 * FILES, asked


def test_a_listing_tells_of_what_is_gone_too(sim: Simulation) -> None:
    files = sim.media(FILES)
    for file in files[10::3]:
        del sim.objects.buckets["media"][file["s3_key"]]
    sim.store.pause("*", "only the plan counts", sim.now)
    batch_id = sim.submit(files)
    assert sim.objects.calls.count("heads") == 1
    assert sim.store.count(batch_id).refused == len(files[10::3])


def test_files_far_apart_in_a_full_folder_take_no_more_than_2_05_requests(sim: Simulation) -> None:
    files = sim.media(FILES)
    other = sim.objects.buckets["media"][files[0]["s3_key"]]
    apart = {f"{file['s3_key']}-{n}": other for file in files for n in range(2 * OBJECTS_A_FILE)}
    sim.objects.buckets["media"].update(apart)
    asked = submit_and_count(sim, files)
    assert 0 < asked["heads"] < FILES
    assert asked.total() <= 2.05 * FILES, asked


# ── what is told of each object ────────────────────────────────────────────────────────────────

KEYS = [f"{folder}{n:03}.mov" for folder in ("", "a/", "a/b/", "ä/") for n in range(WORTH_LISTING + 50)]


def world_of(objects: FakeObjects) -> World:
    return replace(Simulation(cast(SqlStore, None)).world([]), objects=objects)


def told(objects: FakeObjects, keys: Sequence[str]) -> dict[str, object]:
    """Measure some keys; returns what is told of each, a fault by its kind."""
    found = measure([("media", key) for key in keys], {}, world_of(objects))
    return {key: type(info) if isinstance(info, Exception) else info for (_, key), info in found.items()}


@given(
    random=st.randoms(use_true_random=False),
    there=st.integers(0, len(KEYS)),
    asked=st.integers(1, len(KEYS)),
    archived=st.integers(0, 5),
    between=st.sampled_from([0, 1, 2 * OBJECTS_A_FILE]),
)
@settings(max_examples=40, deadline=None)
def test_a_listing_tells_the_same_as_asking_for_each_object(
    random: Random, there: int, asked: int, archived: int, between: int
) -> None:
    objects = FakeObjects()
    for key in random.sample(KEYS, there):
        objects.put(key, f"about {key}")
        objects.buckets["media"].update({f"{key}~{n}": objects.buckets["media"][key] for n in range(between)})
    for key in random.sample(KEYS, archived):
        objects.put(key, "cold", storage_class="GLACIER")
    wanted = random.sample(KEYS, asked)
    expected = {
        key: type(info) if isinstance(info, Exception) else info
        for key, info in zip(wanted, objects.heads([("media", key) for key in wanted]), strict=True)
    }
    assert told(objects, wanted) == expected


def many(objects: FakeObjects) -> list[str]:
    keys = [f"a/{n}.mov" for n in range(WORTH_LISTING)]
    for key in keys:
        objects.put(key, key)
    return keys


@pytest.mark.parametrize("fault", [Denied("no s3:ListBucket"), Missing("no such bucket")])
def test_a_folder_that_may_not_be_listed_is_asked_for_file_by_file(fault: Exception) -> None:
    objects = FakeObjects()
    keys = many(objects)
    objects.fail_next("list", fault)
    assert None not in told(objects, keys).values()
    assert objects.calls.count("heads") == WORTH_LISTING


def test_a_listing_that_fails_for_now_leaves_the_page_for_another_try(sim: Simulation) -> None:
    sim.objects.fail_next("list", PassingFault("slow down"), subject="proxy_video/")
    batch_id = sim.submit(sim.media(WORTH_LISTING))
    assert sim.batch(batch_id).state is BatchState.PLANNING
    sim.pass_time(60)
    sim.finish_all()
    assert sim.batch(batch_id).state is BatchState.COMPLETED


def test_the_same_object_is_asked_for_once_a_page(sim: Simulation) -> None:
    [file] = sim.media(1)
    sim.submit([file, {**file, "file_id": "again"}])
    assert sim.objects.calls.count("heads") == 1


# ── what the sender says ───────────────────────────────────────────────────────────────────────


def codes(sim: Simulation, batch_id: str) -> dict[int | str, str]:
    lines = sim.results(batch_id)
    return {line["file_id"]: line["error"]["code"] for line in lines if line["outcome"] == "REFUSED"}


def test_the_measured_size_counts_and_not_the_senders(sim: Simulation) -> None:
    files = [{**file, "size_bytes": 999_999_999_999} for file in sim.media(2)]
    batch_id = sim.submit(files)
    [(chunk_id, _)] = sim.store.chunk_ids(batch_id)
    chunk = sim.store.chunk(chunk_id)
    assert chunk is not None
    assert chunk.bytes == sum(len(sim.objects.read(file["s3_key"])) for file in files)


@pytest.mark.parametrize("size", [0, 1_000_000_001])
def test_a_size_for_which_a_file_would_be_refused_is_never_just_believed(sim: Simulation, size: int) -> None:
    files = [{**file, "size_bytes": size} for file in sim.media(2)]
    batch_id = sim.submit(files, options={"reuse": "never"})
    sim.finish_all()
    assert sim.batch(batch_id).state is BatchState.COMPLETED


def test_a_file_that_was_believed_to_be_there_is_refused_when_its_copy_is_not(sim: Simulation) -> None:
    gone = {"file_id": "gone", "s3_key": "gone.mov", "size_bytes": 5}
    batch_id = sim.submit([*sized(sim.media(2), sim), gone], options={"reuse": "never"})
    sim.finish_all()
    assert codes(sim, batch_id) == {"gone": "not_found"}
    assert sim.answers.bought == {"file-1:combined": 1, "file-2:combined": 1}


# ── local media ────────────────────────────────────────────────────────────────────────────────


def planned(sim: Simulation, batch_id: str) -> dict[str, tuple[int, str]]:
    """Return size and ETag of the files that a plan takes in."""
    files = sim.store.uncut_files(batch_id, 0, 100)
    return {file.file_id: (file.size_bytes, file.etag) for file in files}


def test_a_missing_object_is_planned_by_its_local_file(sim: Simulation) -> None:
    sim.store.pause("*", "only the plan counts", sim.now)
    sim.local.files = {"kept.mov": b"media of ours", "never.mov": b"not looked at"}
    [there] = sim.media(1)
    gone = {"file_id": "gone", "s3_key": "gone.mov", "local_path": "kept.mov"}
    batch_id = sim.submit([{**there, "local_path": "never.mov"}, gone])
    found = planned(sim, batch_id)
    assert found["gone"] == (13, "")
    assert found["1"][0] == len(sim.objects.read(there["s3_key"]))


@pytest.mark.parametrize(
    ("path", "content", "code", "words"),
    [
        ("absent.mov", None, "not_found", ["gone.mov", "absent.mov", "NOVABATCH_MEDIA_ROOTS"]),
        ("/etc/x.mov", None, "local_path_not_allowed", ["gone.mov", "/etc/x.mov", "NOVABATCH_MEDIA_ROOTS"]),
        ("empty.mov", b"", "empty", ["no bytes"]),
    ],
)
def test_a_missing_object_without_a_usable_local_file_is_refused_with_the_reason(
    sim: Simulation, path: str, content: bytes | None, code: str, words: list[str]
) -> None:
    sim.local.files = {} if content is None else {path: content}
    batch_id = sim.submit([{"file_id": "gone", "s3_key": "gone.mov", "local_path": path}, *sim.media(2)])
    sim.finish_all()
    [refused] = [line for line in sim.results(batch_id) if line["outcome"] == "REFUSED"]
    assert refused["error"]["code"] == code
    assert all(word in refused["error"]["message"] for word in words), refused["error"]["message"]
    assert sim.batch(batch_id).state is BatchState.COMPLETED_WITH_ERRORS
