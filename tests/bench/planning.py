"""Planning: what a batch takes in time and memory from request to plan, however many files it has."""

import json
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from consumers.core import layout
from consumers.core.faults import Fault
from consumers.core.lifecycle import BatchState
from consumers.core.local import Upload
from consumers.core.objects import Copy, ObjectInfo, Version, Writer
from consumers.core.rows import Held, Leased
from consumers.core.world import Done, Policy, World
from consumers.submit.plan_batch import plan_batch
from consumers.submit.submit_batch import submit_batch
from daemon.adapters.store import SqlStore, make_engine
from schemas.analyses import REGISTRY
from schemas.messages import PlanBatch, SubmitBatch
from schemas.models import load_models
from tests.fakes.jobs import FakeJobs
from tests.fakes.local import FakeLocalMedia

NOW = datetime(2026, 1, 5, 10, tzinfo=UTC)
POLICY = Policy("media", frozenset({"media"}), "arn:aws:iam::123456789012:role/batch", "us-east-1")
LEASE = 3600.0
SIZE = 30_000_000
SOURCES: Mapping[str, dict[str, Any]] = {
    "list": {"list": "s3://media/lists/all.jsonl"},
    "packed list": {"list": "s3://media/lists/all.jsonl.gz"},
    "prefix": {"prefix": "archive/", "suffixes": [".mov"]},
}


class Sink:
    """Counts what is written and keeps none of it."""

    def __init__(self) -> None:
        self.bytes = 0

    def write(self, data: bytes) -> None:
        self.bytes += len(data)


class ManyObjects:
    """The port ``Objects`` over an archive that is made up as it is read: it takes no memory.

    ``on_thousand`` hears of every thousandth file before it is given out.
    """

    def __init__(self, count: int, on_thousand: Callable[[], None] = lambda: None) -> None:
        self.count = count
        self.on_thousand = on_thousand
        self.calls = {"list": 0, "heads": 0}

    def key(self, number: int) -> str:
        return f"archive/{number // 5000:04}/Clip {number:07}, Nov {number % 28 + 1}_{number}_720p15.mov"

    def info(self, key: str) -> ObjectInfo:
        return ObjectInfo(key, SIZE, layout.hashed_file_id(key))

    def list(self, prefix: str, bucket: str | None = None, after: str = "") -> Iterator[ObjectInfo]:
        first = int(after.split("_")[-2]) + 1 if after else 0
        for number in range(first, self.count):
            if number % 1000 == 0:
                self.calls["list"] += 1
                self.on_thousand()
            key = self.key(number)
            if not key.startswith(prefix):
                return
            yield self.info(key)

    def lines(
        self, key: str, bucket: str | None = None, start: int = 0, etag: str = ""
    ) -> Iterator[tuple[int, bytes]]:
        # Every line is padded to one length, so that a place in the list tells the line.
        for number in range(start // 256, self.count):
            if number % 1000 == 0:
                self.on_thousand()
            file = {"file_id": number, "s3_key": self.key(number), "context": {"duration_seconds": 61}}
            yield (number + 1) * 256, json.dumps(file).ljust(255).encode()

    def heads(self, keys: Sequence[tuple[str, str]]) -> Iterator[ObjectInfo | Fault]:
        for _, key in keys:
            self.calls["heads"] += 1
            yield self.info(key)

    def exists(self, key: str) -> bool:
        return False

    @contextmanager
    def writer(self, key: str, *, content_type: str, if_absent: bool = False) -> Iterator[Writer]:
        yield Sink()

    def copies(self, copies: Sequence[Copy]) -> Generator[tuple[Copy, Fault | None], None, None]:
        raise NotImplementedError

    def uploads(self, uploads: Sequence[Upload]) -> Generator[tuple[Upload, Fault | None], None, None]:
        raise NotImplementedError

    def versions(self, prefix: str) -> Iterator[Version]:
        raise NotImplementedError

    def delete(self, versions: Sequence[Version]) -> Mapping[Version, str]:
        raise NotImplementedError


class Planner:
    """The stages of planning over a store, without a queue between them."""

    def __init__(
        self, store: SqlStore, objects: ManyObjects, checkpoint: Callable[[], None] = lambda: None
    ) -> None:
        self.store = store
        self.objects = objects
        self.checkpoint = checkpoint
        self.models = load_models(None, slots=20, min_records=100)

    def plan(self, source: str, request_id: str = "bench") -> str:
        """Submit a request and plan it to its end; returns the batch id."""
        fields = {"request_id": request_id, "model": "nova-2-lite", "files_from": SOURCES[source]}
        outcome = submit_batch(SubmitBatch.model_validate(fields), self._world([]))
        batch_id = layout.batch_id(request_id)
        while isinstance(outcome, Done) and any(isinstance(each, PlanBatch) for each in outcome.then):
            taken: list[Held] = []
            outcome = plan_batch(PlanBatch(batch_id=batch_id), self._world(taken))
            for held in taken:
                self.store.release(held)
        return batch_id

    def _world(self, taken: list[Held]) -> World:
        def hold(kind: Leased, id: str) -> Held | None:
            held = self.store.take(kind, id, LEASE)
            taken.extend([held] if held else [])
            return held

        return World(
            now=NOW,
            policy=POLICY,
            models=self.models,
            analyses=REGISTRY,
            store=self.store,
            objects=self.objects,
            jobs=FakeJobs(),
            local=FakeLocalMedia(),
            hold=hold,
            checkpoint=self.checkpoint,
        )


def plan_files(url: str, count: int, source: str = "list") -> Callable[[], int]:
    """Plan so many files in the database at ``url``; the second function does it and returns the chunks."""
    store = SqlStore(make_engine(url))
    planner = Planner(store, ManyObjects(count))

    def work() -> int:
        batch_id = planner.plan(source)
        batch = store.batch(batch_id)
        assert batch is not None
        assert batch.state is BatchState.PLANNED
        chunks = len(store.chunk_ids(batch_id))
        store.engine.dispose()
        return chunks

    return work
