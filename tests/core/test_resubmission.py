"""A round of any size is cut window by window: nothing is lost, doubled or out of order."""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.core.chunks import split
from consumers.core.cutting import Item, limits
from consumers.core.lifecycle import BatchState
from consumers.core.rows import Batch, Held, Leased, NewChunk, NewFile, NewRecord
from consumers.core.world import Policy, World
from consumers.resubmission import resubmit
from schemas.analyses import REGISTRY
from schemas.messages import Terms
from schemas.models import load_models

NOW = datetime(2026, 1, 5, 10, tzinfo=UTC)
BATCH_ID = "b" + "0" * 20
MODEL = "us.amazon.nova-2-lite-v1:0"
TYPES = ("summary", "chapters", "elements")
POLICY = Policy(
    bucket="media",
    allowed_buckets=frozenset({"media"}),
    role_arn="arn:aws:iam::123456789012:role/r",
    region="x",
    max_files_per_chunk=40,
    max_chunk_bytes=3000,
)
BATCH = Batch(
    batch_id=BATCH_ID,
    request_id="r",
    terms=Terms(request_id="r", model=MODEL),
    model=MODEL,
    bucket="media",
    state=BatchState.RUNNING,
    reason="",
    revision=1,
    round=2,
    cursor={},
    cancelled=False,
    created_at=NOW,
    changes=7,
)


class Notes:
    """Stands in for store and S3: keeps the plan and the round."""

    def __init__(self) -> None:
        self.plan = b""
        self.added: list[NewChunk] = []
        self.told: tuple[object, ...] = ()

    def request_of(self, _: str) -> str:
        return "{}"

    def rechecked_files(self, _: str) -> tuple[NewFile, ...]:
        return ()

    def files_at(self, *_: object) -> tuple[NewFile, ...]:
        return ()

    def next_index(self, _: str) -> int:
        return 11

    def add_round(self, held: Held, round: int, chunks: Iterable[NewChunk], changes: int) -> bool:
        self.told = (held, round, changes)
        self.added = list(chunks)
        return True

    @contextmanager
    def writer(self, key: str, **_: object) -> Iterator["Notes"]:
        yield self

    def write(self, data: bytes) -> None:
        self.plan += data


def items(seed: int, count: int) -> Iterator[Item]:
    chance = Random(seed)
    for n in range(count):
        records = tuple(NewRecord(3 * n, name, 2, 4096) for name in TYPES[: chance.randint(1, 3)])
        yield Item(3 * n, str(n), f"a/{n}.mov", chance.randint(1, 200), records)


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([1, 39, 2999, 3000, 3001, 6500]))
def test_a_round_holds_every_record_once_in_as_few_chunks_as_one_cut_of_all(seed: int, count: int) -> None:
    notes: Any = Notes()
    nothing: Any = None
    world = World(
        NOW, POLICY, load_models(None, min_records=30), REGISTRY, notes, notes, nothing, nothing,
        lambda *_: None, lambda: None,
    )  # fmt: skip
    held = Held(Leased.BATCH, BATCH_ID, "token")
    added = resubmit(BATCH, held, lambda: items(seed, count), world)
    model = world.models.find(MODEL)
    assert model is not None
    bounds = limits(POLICY, model)
    every = list(items(seed, count))
    sent = [record for chunk in notes.added for record in chunk.records]
    assert sent == [record for item in every for record in item.records]
    assert len(notes.added) == len(split([item.piece() for item in every], bounds))
    assert [chunk.index for chunk in notes.added] == list(range(11, 11 + len(notes.added)))
    assert all(chunk.round == 3 and chunk.bytes <= bounds.max_bytes for chunk in notes.added)
    assert all(len(chunk.safe_names) <= bounds.max_files for chunk in notes.added)
    lines = map(json.loads, notes.plan.splitlines())
    planned = [line["chunk_id"] for line in lines if "chunk_id" in line]
    assert planned == [chunk.chunk_id for chunk in notes.added]
    assert notes.told == (held, 3, 7)
    assert added is not None
    assert (added.round, added.chunks) == (3, len(notes.added))
    assert added.records == sum(len(item.records) for item in every)
