"""The plans of one batch, read into the store: its files, its chunks, and the jobs that Bedrock lists."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, groupby, islice

from consumers.core import layout
from consumers.core.jobs import JobReport
from consumers.core.lifecycle import JOB_ENDS
from consumers.core.plan_reading import Entry, PlanHead, PlannedChunk
from consumers.core.restored import RestoredChunk
from consumers.core.rows import Held, NewFile
from consumers.core.world import World
from consumers.rebuild.contests import stale_plans
from consumers.rebuild.kept import Kept, open_plan
from consumers.rebuild.old_plans import files_of_request

CHUNKS_AT_ONCE, FILES_AT_ONCE = 20, 500
Jobs = Mapping[str, JobReport]
"""The jobs that Bedrock lists, by the folder each reads."""


class Plans:
    """One reading of all plans of a batch, under its lease.

    ``heads`` are those of the first plan and of later rounds.
    """

    def __init__(self, kept: Kept, held: Held, jobs: Jobs, world: World) -> None:
        self.heads: list[PlanHead] = []
        self.chunks = self.jobs_open = self.jobs_ended = 0
        self.reuses = False
        self._kept, self._held, self._jobs, self._world = kept, held, jobs, world

    def read(self) -> None:
        """Read the first plan, then those of later rounds, then those of splits."""
        first, entries = open_plan(layout.plan_key(self._kept.batch_id), self._world)
        self._take(first, entries if first.names_files else files_of_request(first, entries, self._world))
        stale = stale_plans(self._kept, self._world)
        for key in self._kept.round_plans:
            if key not in stale:
                self._take(*open_plan(key, self._world))
        for number, key in self._kept.split_plans:
            if key not in stale:
                self._split(number, key)

    def _take(self, head: PlanHead, entries: Iterator[Entry]) -> None:
        self.heads.append(head)
        for page in pages(entries):
            self._world.checkpoint()
            self._chunks([each for each in page if isinstance(each, PlannedChunk)])
            self._files([each for each in page if isinstance(each, NewFile)], head)

    def _files(self, files: Sequence[NewFile], head: PlanHead) -> None:
        if not files:
            return
        self.reuses |= any(file.reused for file in files)
        self._world.store.restore_files(self._held, files)
        if head.round:
            self._world.store.renew_files(self._held, files)

    def _chunks(self, planned: Sequence[PlannedChunk]) -> None:
        if planned:
            chunks = [self._restored(each) for each in planned]
            self._world.store.restore_chunks(self._held, chunks, self._world.now)
            self._count(chunks)

    def _split(self, number: int, key: str) -> None:
        """Put the chunks that took the place of one into the store; one that has a job was never split."""
        _, entries = open_plan(key, self._world)
        found = list(entries)
        files = [each for each in found if isinstance(each, NewFile)]
        new = [self._restored(each) for each in found if isinstance(each, PlannedChunk)]
        chunk_id = layout.chunk_id(self._kept.batch_id, number)
        if not self._world.store.restore_split(self._held, chunk_id, new, self._world.now):
            return
        self._world.store.restore_files(self._held, files)
        self._world.store.renew_files(self._held, files)
        self._count(new)

    def _restored(self, planned: PlannedChunk) -> RestoredChunk:
        """Return a chunk with its job: the one that reads its folder, whatever it is called."""
        job = self._jobs.get(layout.input_uri(self._world.policy.bucket, planned.chunk.folder))
        token = (job.token or layout.client_token(job.name)) if job else ""
        return RestoredChunk(planned.chunk, job, token)

    def _count(self, chunks: Sequence[RestoredChunk]) -> None:
        known = [each.job for each in chunks if each.job is not None]
        ended = sum(job.status in JOB_ENDS for job in known)
        self.chunks += len(chunks)
        self.jobs_ended += ended
        self.jobs_open += len(known) - ended


def pages(entries: Iterator[Entry]) -> Iterator[list[Entry]]:
    """Cut entries into pages of one kind, so that no plan is ever held whole."""
    for kind, same in groupby(entries, key=type):
        size = CHUNKS_AT_ONCE if kind is PlannedChunk else FILES_AT_ONCE
        rest = iter(same)
        for first in rest:
            yield list(chain([first], islice(rest, size - 1)))
