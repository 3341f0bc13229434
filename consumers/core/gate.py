"""May a chunk go on, and which goes first: decided on what the store has read under the model's lock."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from consumers.core.lifecycle import ChunkState
from consumers.core.rows import Gate

ALL_MODELS = "*"
FIRST_REST, LONGEST_REST = 30, 3600
FIRST_BLOCK, LONGEST_BLOCK = 30, 600
_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class ModelView:
    """What counts for a base model. ``staged`` holds the ranks of its chunks PREPARING, or READY without job.

    ``unconfirmed`` counts the claims whose create has not answered yet.
    """

    paused: bool = False
    blocked_until: datetime | None = None
    jobs_open: int = 0
    unconfirmed: int = 0
    staged: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class ChunkView:
    """What counts for the chunk that asks; ``rank`` as by ``rank_of``."""

    state: ChunkState
    rank: int = 0
    planning: bool = False
    cancelled: bool = False
    claimed: bool = False


@dataclass(frozen=True, slots=True)
class Candidate:
    """A waiting chunk that nobody holds."""

    chunk_id: str
    batch_id: str
    priority: int
    created_at: datetime
    number: int


def rank_of(priority: int, created_at: datetime, now: datetime) -> int:
    """Return a chunk's priority with one gained for each hour waited."""
    return priority + max(0, (now - created_at) // _HOUR)


def may_stage(chunk: ChunkView, model: ModelView, slots: int, stage_ahead: int) -> Gate:
    """Decide whether a chunk may be copied now.

    Only what is staged and not outranked by this chunk takes places away from it, so one of a higher
    rank goes beyond STAGE_AHEAD.
    """
    if chunk.planning or chunk.state not in {ChunkState.PLANNED, ChunkState.PREPARING, ChunkState.READY}:
        return Gate.STALE
    if chunk.claimed:
        return Gate.STALE
    if chunk.cancelled:
        return Gate.CANCELLED
    if chunk.state is not ChunkState.PLANNED:
        return Gate.OPEN
    if model.paused:
        return Gate.PAUSED
    return Gate.OPEN if _has_place(chunk.rank, model, slots, stage_ahead) else Gate.NO_ROOM


def may_claim(chunk: ChunkView, model: ModelView, slots: int, now: datetime) -> Gate:
    """Decide whether a staged chunk may have a slot; after a block one chunk probes, the others wait."""
    if chunk.state is not ChunkState.READY:
        return Gate.STALE
    if chunk.claimed:
        return Gate.OPEN
    if chunk.cancelled:
        return Gate.CANCELLED
    if model.paused:
        return Gate.PAUSED
    if _is_blocked(model, now):
        return Gate.BLOCKED
    return Gate.OPEN if model.jobs_open < slots else Gate.NO_ROOM


def choose(
    ready: Sequence[Candidate],
    planned: Sequence[Candidate],
    model: ModelView,
    in_use: Mapping[str, int],
    staged_of: Mapping[str, int],
    *,
    slots: int,
    stage_ahead: int,
    now: datetime,
) -> tuple[str, ...]:
    """Return the chunks that could move now, best first: READY ones for the slots, PLANNED ones for places.

    ``in_use`` counts the open jobs of each batch, ``staged_of`` its staged chunks.
    """
    if model.paused or _is_blocked(model, now):
        return ()
    first = list(islice(in_order(ready, in_use, now), max(0, slots - model.jobs_open)))
    then: list[Candidate] = []
    for each in in_order(planned, at_work(in_use, staged_of), now):
        rank = rank_of(each.priority, each.created_at, now)
        if not _has_place(rank, model, slots, stage_ahead - len(then)):
            break
        then.append(each)
    chosen = tuple(each.chunk_id for each in (*first, *then))
    return chosen[:1] if model.blocked_until is not None else chosen


def at_work(in_use: Mapping[str, int], staged_of: Mapping[str, int]) -> dict[str, int]:
    """Add up what each batch has at work: open jobs and staged chunks."""
    return {batch: in_use.get(batch, 0) + staged_of.get(batch, 0) for batch in {*in_use, *staged_of}}


def in_order(waiting: Iterable[Candidate], in_use: Mapping[str, int], now: datetime) -> Iterator[Candidate]:
    """Name waiting chunks in order: by rank, then fewest in use by their batch, then age.

    Each chunk named counts as in use for the next choice.
    """
    queues: dict[str, list[Candidate]] = {}
    for each in sorted(waiting, key=lambda each: _order(each, now), reverse=True):
        queues.setdefault(each.batch_id, []).append(each)
    used = dict(in_use)
    while queues:
        batch = min(queues, key=lambda batch: _standing(queues[batch][-1], used.get(batch, 0), now))
        yield queues[batch].pop()
        used[batch] = used.get(batch, 0) + 1
        if not queues[batch]:
            del queues[batch]


def rest_of(times: int) -> timedelta:
    """Return how long a row rests after failing so many times: doubling, to an hour."""
    return timedelta(seconds=min(FIRST_REST << min(times - 1, 20), LONGEST_REST))


def next_block(seconds: int) -> int:
    """Return how long a model is blocked after a block of ``seconds``: 30 s, doubling to 10 minutes."""
    return min(max(FIRST_BLOCK, 2 * seconds), LONGEST_BLOCK)


def _is_blocked(model: ModelView, now: datetime) -> bool:
    if model.blocked_until is None:
        return False
    return now < model.blocked_until or model.unconfirmed > 0


def _has_place(rank: int, model: ModelView, slots: int, stage_ahead: int) -> bool:
    before = sum(1 for other in model.staged if other >= rank)
    return before < stage_ahead + max(0, slots - model.jobs_open)


def _order(each: Candidate, now: datetime) -> tuple[int, datetime, int]:
    return -rank_of(each.priority, each.created_at, now), each.created_at, each.number


def _standing(each: Candidate, in_use: int, now: datetime) -> tuple[int, int, datetime, int, str]:
    rank, created_at, number = _order(each, now)
    return rank, in_use, created_at, number, each.batch_id
