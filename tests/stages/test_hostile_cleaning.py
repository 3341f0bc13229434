"""Rows and messages gone wrong in every way: nothing but a chunk's own two folders is ever deleted."""

import json
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from consumers.core import layout
from consumers.core.lifecycle import ChunkState
from daemon.adapters.tables import chunks
from schemas.messages import CleanupChunk, CleanupLegacy, CleanupUnowned
from schemas.parsing import UnreadableMessage, parse, type_names
from schemas.queues import Queue
from tests.stages.simulation import Simulation

BATCH, OTHER = layout.batch_id("r"), layout.batch_id("other")
MINE, THEIRS = layout.chunk_id(BATCH, 0), layout.chunk_id(OTHER, 0)
STRANGE = "job_20250101_101010_000000_000"
PLACES = ("nova_batch/", "nova/batch/output/", "nova_results/", "proxy_video/", "")


class Scene:
    """A chunk that may be cleaned, among everything that must stay."""

    def __init__(self, sim: Simulation) -> None:
        self.sim = sim
        sim.submit(sim.media(2))
        sim.submit(sim.media(2, first=9), "other")
        found = [sim.store.chunk(each) for each in (MINE, THEIRS)]
        self.mine, self.theirs = (chunk.folder for chunk in found if chunk)
        sim.policy = replace(sim.policy, cleanup_after_success=False)
        sim.finish_all()
        for key in (
            "a.mov",
            f"{self.mine}x/a",
            f"{self.mine}.jsonl",
            "job_old/a.mov",
            f"{STRANGE}/a.mov",
            "../a",
            "a//b",
        ):
            for place in PLACES:
                sim.objects.put(place + key, "x")
        bucket = sim.objects.buckets["media"]
        self.objects = dict(bucket)
        with sim.store.database.read() as connection:
            asked = select(chunks).where(chunks.c.chunk_id == MINE)
            self.row = dict(connection.execute(asked).one()._mapping)
        self.own = layout.temporary_prefixes(self.mine)

    def write(self, **columns: Any) -> None:
        with self.sim.store.engine.begin() as connection:
            connection.execute(update(chunks).where(chunks.c.chunk_id == MINE).values(columns))

    def restore(self) -> None:
        """Lay down again what was deleted, and set the row right."""
        self.sim.objects.buckets["media"].update(self.objects)
        self.sim.objects.calls.log.clear()
        self.sim.dead.clear()
        self.write(**{name: self.row[name] for name in ("folder", "state", "cleaned_at", "failures")})

    def handle(self, message: Any) -> None:
        """Handle it and all that follows as far as it can be handled."""
        self.sim.post(message)
        with suppress(ValueError):
            self.sim.run()
        self.sim.queue.clear()
        self.sim.later.clear()

    def deleted(self) -> set[str]:
        return {key for call, key in self.sim.objects.calls.log if call == "deletions"}


@pytest.fixture
def scene(sim: Simulation) -> Scene:
    return Scene(sim)


FOLDERS = st.sampled_from(
    [
        *("", ".", "..", "/", "*", "%", "job_old", "files", "../proxy_video", "proxy_video", "nova_results"),
        *("{mine}/", "/{mine}", "{mine}/../..", "{mine}\n", " {mine}", "{mine}x", "../{mine}", "{theirs}"),
        *("{theirs}/", BATCH, MINE, STRANGE, "job_20269999_101010_abcdef_000"),
    ]
)
IDS = st.sampled_from([MINE, THEIRS, BATCH, OTHER, "r", "other", "", "..", "*", f"{MINE}/../x", f"{MINE}\n"])
NAMES = (
    "batch_id",
    "request_id",
    "chunk_id",
    "older_than_days",
    "dry_run",
    "after",
    "folder",
    "prefix",
    "key",
)
LEFT = st.sampled_from(
    [
        place + name
        for place in PLACES
        for name in ("", "a.mov", "job_old/", "job_old/a.mov", "*", f"{STRANGE}/")
    ]
)
VALUES = IDS | FOLDERS | LEFT | st.integers(-2, 4000) | st.booleans() | st.none() | st.text(max_size=8)
BODIES = st.builds(
    lambda kind, fields: json.dumps({**fields, "type": kind}),
    st.sampled_from([*type_names[Queue.CLEANUP]]),
    st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=3),
)
SHARED = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)


@SHARED
@example(folder=STRANGE, state="COMPLETED")
@given(folder=FOLDERS | st.text(max_size=30), state=st.sampled_from(ChunkState) | st.text(max_size=8))
def test_a_row_that_names_another_folder_has_nothing_deleted(scene: Scene, folder: str, state: str) -> None:
    scene.restore()
    named = folder.replace("{mine}", scene.mine).replace("{theirs}", scene.theirs)
    if named == scene.mine:
        return
    try:
        scene.write(folder=named, state=str(state))
    except (IntegrityError, UnicodeError):
        return
    scene.handle(CleanupChunk(chunk_id=MINE))
    assert not scene.deleted()


@SHARED
@example(body='{"type": "cleanup_unowned", "folder": "job_old"}', state=ChunkState.COMPLETED)
@example(body='{"type": "cleanup_legacy", "place": "nova/batch/output/job_old/"}', state=ChunkState.FAILED)
@given(body=BODIES, state=st.sampled_from(ChunkState))
def test_no_message_has_anything_deleted_but_what_is_its_own_or_named(
    scene: Scene, body: str, state: ChunkState
) -> None:
    scene.restore()
    scene.write(state=state.value)
    try:
        message = parse(Queue.CLEANUP, body)
    except UnreadableMessage:
        return
    scene.handle(message)
    deleted, chunks_own = scene.deleted(), (*scene.own, *layout.temporary_prefixes(scene.theirs))
    assert not [key for key in deleted if key.startswith("proxy_video/")]
    if isinstance(message, CleanupUnowned | CleanupLegacy):
        assert not [key for key in deleted if key.startswith((*chunks_own, "nova_results/"))]
        assert all(_is_named(key, message) for key in deleted)
    else:
        raw = map(layout.raw_prefix, (BATCH, OTHER))
        assert all(key.startswith((*chunks_own, *raw)) for key in deleted)


def _is_named(key: str, message: CleanupUnowned | CleanupLegacy) -> bool:
    if isinstance(message, CleanupLegacy):
        return key == message.place or (message.place.endswith("/") and key.startswith(message.place))
    return key.startswith((f"nova_batch/{message.folder}/", f"nova/batch/output/{message.folder}/"))


def test_the_scene_is_one_in_which_a_chunk_is_cleaned(scene: Scene) -> None:
    scene.restore()
    before = set(scene.sim.objects.keys())
    scene.handle(CleanupChunk(chunk_id=MINE))
    gone = before - set(scene.sim.objects.keys())
    assert gone == {key for key in before if key.startswith(tuple(scene.own))}
    assert len(gone) == len(scene.deleted()) > 3
