"""What a request would become: read, judged and cut by the real plan's own functions, and nothing stored."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from consumers.core import layout
from consumers.core.cutting import Cutter, Item, Tokens
from consumers.core.faults import Fault
from consumers.core.lifecycle import BatchState
from consumers.core.rows import Batch, NewChunk, NewFile
from consumers.core.world import Refuse, World
from consumers.submit.items import item
from consumers.submit.judging import judge_files
from consumers.submit.problems import Problem, lost_database, problem_of
from consumers.submit.reusing import reuse
from consumers.submit.sameness import canonical, other_content
from consumers.submit.sources import Page, pages
from consumers.windows import cut_window, window_size
from schemas.messages import SubmitBatch
from schemas.models import Model


@dataclass(frozen=True, slots=True)
class Judged:
    """The files of one page: some REFUSED, some reused, the others to be cut into chunks."""

    files: Sequence[NewFile]


@dataclass(frozen=True, slots=True)
class PlannedChunk:
    """A chunk as the plan would store it, with its files in order and the tokens it may take.

    ``useful`` are the tokens without those of the padding.
    """

    chunk: NewChunk
    files: Sequence[NewFile]
    tokens: Tokens
    useful: Tokens


class Preview:
    """One look at a request: iterate over it once for its pages and chunks, in the order of the plan.

    ``known`` is the batch if this very request was accepted before. ``unasked`` says why earlier results
    could not be looked for, once that was found out: from there on every file counts as one to buy.
    ``backlog`` counts the chunks that wait or run on the model already, as far as they are known.
    """

    def __init__(self, message: SubmitBatch, batch: Batch, model: Model, world: World) -> None:
        self.batch = batch
        self.model = model
        self.now = world.now
        self.unasked = ""
        self.backlog = 0
        self.known: Batch | None = None
        self._message = message
        self._world = world
        self._seen: set[str] = set()

    def __iter__(self) -> Iterator[Judged | PlannedChunk]:
        """Read, judge and cut; raises the fault of a source that cannot be read."""
        waiting: list[_Bought] = []
        index, size = 0, window_size(self.model, self._world)
        for page in pages(self._message, self.batch.bucket, {}, 0, self._world.objects):
            files = self._judge(page)
            yield Judged(files)
            waiting += self._bought(files)
            while len(waiting) >= size:
                made, kept_from = self._cut(waiting[:size], index)
                yield from made
                waiting, index = waiting[kept_from:], index + len(made)
        yield from self._cut(waiting, index)[0]

    def look_back(self) -> Problem | None:
        """Find out whether this request was accepted before, where the database is asked at all."""
        if not _wants_reuse(self.batch):
            return None
        store, batch_id = self._world.store, self.batch.batch_id
        try:
            self.backlog = store.backlog(self.model.id)
            stored = store.batch(batch_id)
            if stored is None:
                lost = self._world.objects.exists(layout.plan_key(batch_id))
                return lost_database(batch_id) if lost else None
            before = store.request_of(batch_id)
        except Fault as fault:
            self._forget_reuse(fault)
            return None
        self.known = stored
        self.batch = replace(self.batch, created_at=stored.created_at)
        return other_content(
            self.batch.request_id, before, canonical(self._message, self.model.id, self.batch.bucket)
        )

    def _forget_reuse(self, fault: Fault) -> None:
        self.unasked = fault.message
        options = self.batch.terms.options.model_copy(update={"reuse": "never"})
        self.batch = replace(self.batch, terms=self.batch.terms.model_copy(update={"options": options}))

    def _judge(self, page: Page) -> list[NewFile]:
        """Judge a page; where earlier results cannot be asked for, go on as if there were none."""
        try:
            judged = judge_files(self.batch, page.files, page.first, self._known, self._world)
            files = [self._without_own(file) for file in reuse(self.batch, judged, self._world)]
        except Fault as fault:
            if not _wants_reuse(self.batch):
                raise
            self._forget_reuse(fault)
            return self._judge(page)
        self._seen.update(file.file_id for file in files)
        return files

    def _known(self, ids: Sequence[str]) -> frozenset[str]:
        return frozenset(ids) & self._seen

    def _without_own(self, file: NewFile) -> NewFile:
        """Forget results of this very batch, if it was accepted before: it had none when it was planned."""
        if not file.reused:
            return file
        others = {
            name: at for name, at in file.reused.items() if not at.startswith(f"{self.batch.batch_id}/")
        }
        return replace(file, reused=others)

    def _bought(self, files: Sequence[NewFile]) -> Iterator["_Bought"]:
        for file in files:
            needed = None if file.code else item(self.batch, file, self.model, self._world.analyses)
            if needed is not None:
                yield _Bought(file, needed)

    def _cut(self, bought: Sequence["_Bought"], index: int) -> tuple[list[PlannedChunk], int]:
        """Cut a window of files; returns the chunks and where the next window begins."""
        items = [each.item for each in bought]
        new, kept_from = cut_window(self.batch, items, index, self.model, self._world)
        cutter = Cutter(self.batch, self.model, self._world.analyses, self._world.now.date())
        begin, made = 0, []
        for chunk in new:
            end = begin + len(chunk.safe_names)
            useful, padding = cutter.tokens(items[begin:end], 0), cutter.tokens((), chunk.padding)
            tokens = Tokens(useful.input + padding.input, useful.output + padding.output)
            made.append(PlannedChunk(chunk, [each.file for each in bought[begin:end]], tokens, useful))
            begin = end
        return made, len(items) if kept_from is None else kept_from


class _Bought(NamedTuple):
    """A file that is cut into a chunk, and what is bought for it."""

    file: NewFile
    item: Item


def preview(message: SubmitBatch, world: World) -> Preview | Refuse:
    """Begin to plan a request that would be accepted; its source is read when the answer is iterated over."""
    problem = problem_of(message, world.models, world.analyses, world.policy)
    model = world.models.find(message.model)
    if problem is not None or model is None:
        return Refuse(*(problem or ("unknown_model", "")))
    batch = Batch(
        batch_id=layout.batch_id(message.request_id),
        request_id=message.request_id,
        terms=message.terms(),
        model=model.id,
        bucket=message.bucket or world.policy.bucket,
        state=BatchState.PLANNING,
        reason="",
        revision=1,
        round=0,
        cursor={},
        cancelled=False,
        created_at=world.now,
        budget_usd=message.budget_usd,
    )
    begun = Preview(message, batch, model, world)
    problem = begun.look_back()
    return begun if problem is None else Refuse(*problem)


def _wants_reuse(batch: Batch) -> bool:
    return batch.terms.options.reuse == "same"
