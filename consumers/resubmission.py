"""Another round for a batch: the records that are sent again, in new chunks, and only they."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from consumers.core.cutting import Item
from consumers.core.faults import Rejected
from consumers.core.retry import tokens_for_retry
from consumers.core.rows import Batch, Chunk, FailedRecord, Held, NewChunk, NewRecord
from consumers.core.world import World
from consumers.planning import put_round_plan
from consumers.windows import cut_full, cut_windows
from schemas.facts import RoundAdded
from schemas.models import Model

TokensToAsk = Callable[[FailedRecord], int | None]
Items = Callable[[], Iterator[Item]]
"""Streams what is to be sent again, in plan order; the same each time it is called."""
CHUNKS_AT_ONCE, RECORDS_AT_ONCE = 10_000, 15_000
"""An early round looks at chunks until it has so many records; those of others go with the next one."""


def gather(batch: Batch, ask: TokensToAsk, world: World) -> Iterator[Item]:
    """Stream the files with the records to send again; ``ask`` gives the tokens, or None to leave one out."""
    return _items(world.store.failed_records(batch.batch_id), ask)


def _items(failed: Iterable[FailedRecord], ask: TokensToAsk) -> Iterator[Item]:
    for position, records in groupby(failed, key=lambda record: record.position):
        mine = list(records)
        again = tuple(
            NewRecord(position, record.analysis_type, record.attempts + 1, tokens)
            for record in mine
            if (tokens := ask(record)) is not None
        )
        if again:
            first = mine[0]
            yield Item(position, first.file_id, first.s3_key, first.size_bytes, again, first.tokens)


def by_itself(model_id: str, world: World) -> TokensToAsk:
    """Return the rule for what is sent again by itself on a model."""
    model = world.models.find(model_id)

    def ask(record: FailedRecord) -> int | None:
        most = model.max_output_tokens if model else record.max_tokens
        return tokens_for_retry(record, world.policy.max_attempts, most)

    return ask


def note_waiting(chunk: Chunk, held: Held, world: World) -> None:
    """Note with a chunk whose records all have their outcome how many of them wait to be sent again."""
    ask = by_itself(chunk.model, world)
    waiting = sum(ask(record) is not None for record in world.store.failed_of(chunk.chunk_id))
    if waiting:
        world.store.note_waiting(held, waiting)


def resubmit_early(batch: Batch, held: Held, world: World) -> RoundAdded | None:
    """Send again, while the batch still runs, what fills whole chunks; None where nothing does."""
    ask = by_itself(batch.model, world)
    sources, waiting = _waiting(batch, ask, world)
    round_, first = batch.round + 1, world.store.next_index(batch.batch_id)
    chunks = cut_full(batch, list(_items(waiting, ask)), first, model_of(batch, world), world, round_)
    if not chunks:
        return None
    put_round_plan(batch, round_, chunks, world)
    if not world.store.add_early_round(held, round_, chunks, _left(sources, waiting, chunks)):
        return None
    return RoundAdded(batch.batch_id, round_, len(chunks), sum(len(chunk.records) for chunk in chunks))


def _waiting(batch: Batch, ask: TokensToAsk, world: World) -> tuple[list[str], list[FailedRecord]]:
    """Return chunks with records that wait to be sent again, and those records in plan order."""
    sources: list[str] = []
    waiting: list[FailedRecord] = []
    for chunk_id in world.store.waiting_chunks(batch.batch_id, CHUNKS_AT_ONCE):
        sources.append(chunk_id)
        waiting += (each for each in world.store.failed_of(chunk_id) if ask(each) is not None)
        if len(waiting) >= RECORDS_AT_ONCE:
            break
    return sources, sorted(waiting, key=lambda record: record.position)


def _left(
    sources: Iterable[str], waiting: Iterable[FailedRecord], chunks: Sequence[NewChunk]
) -> dict[str, int]:
    """Count what waits on of each chunk that was looked at."""
    taken = {(record.position, record.analysis_type) for chunk in chunks for record in chunk.records}
    left: Counter[str] = Counter(dict.fromkeys(sources, 0))
    for record in waiting:
        left[record.chunk_id] += (record.position, record.analysis_type) not in taken
    return dict(left)


def resubmit(batch: Batch, held: Held, items: Items, world: World) -> RoundAdded | None:
    """Add the next round in one transaction, after its plan stands in S3; ``batch`` was read under its lease.

    The chunks are made twice, once for the plan and once for the store, so that no round is ever held in
    memory. Where the batch changed meanwhile, by a cancel or the late end of a chunk, nothing is added and
    None returned.
    """
    model = model_of(batch, world)
    round_, first = batch.round + 1, world.store.next_index(batch.batch_id)

    def chunks() -> Iterator[NewChunk]:
        for new, _ in cut_windows(batch, items(), first, model, world, round_):
            yield from new

    tally = _Tally()
    put_round_plan(batch, round_, tally.of(chunks(), world), world)
    if not world.store.add_round(held, round_, chunks(), batch.changes):
        return None
    return RoundAdded(batch.batch_id, round_, tally.chunks, tally.records)


def model_of(batch: Batch, world: World) -> Model:
    """Return a batch's model. Raises Rejected if it is no longer known."""
    model = world.models.find(batch.model)
    if model is None:
        raise Rejected(f"model {batch.model} left the model table: add it to MODELS_FILE", "unknown_model")
    return model


def never_planned(batch: Batch) -> str:
    """Say which files of an ended batch no retry can send, and what to do; empty if there are none."""
    reason = batch.cursor.get("reason")
    if not reason and not batch.cursor.get("cut_short"):
        return ""
    why = f"its plan could not be made ({reason})" if reason else "it was cancelled while it was planned"
    reused = "" if batch.terms.options.reuse == "never" else ": what succeeded is reused, not bought again"
    return (
        f"Files without a chunk are not sent: {why}. Post the request again under a new request_id{reused}."
    )


@dataclass(slots=True)
class _Tally:
    """Counts what is planned on its way to S3."""

    chunks: int = 0
    records: int = 0

    def of(self, chunks: Iterable[NewChunk], world: World) -> Iterator[NewChunk]:
        for chunk in chunks:
            world.checkpoint()
            self.chunks += 1
            self.records += len(chunk.records)
            yield chunk
