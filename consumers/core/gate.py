"""May a chunk go on, and which goes first: decided on what the store has read under the model's lock."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import islice

from consumers.core.lifecycle import ChunkState
from consumers.core.purse import Purse, may_pay
from consumers.core.rows import Gate

ALL_MODELS = "*"
FIRST_REST, LONGEST_REST = 30, 3600
FIRST_BLOCK, LONGEST_BLOCK = 30, 600
FAILURES_BEFORE_PAUSE = 3
STARTING = frozenset({ChunkState.PLANNED, ChunkState.PREPARING, ChunkState.READY})
_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Room:
    """What a model may have: open jobs, chunks staged beyond them, and USD a day (UTC) for all models."""

    slots: int
    stage_ahead: int
    day_budget_usd: Decimal | None = None


@dataclass(frozen=True, slots=True)
class ModelView:
    """What counts for a base model. ``staged`` holds the ranks of its chunks PREPARING, or READY without job.

    ``at_gate`` counts those READY that somebody holds: each is about to claim a slot. ``unconfirmed`` counts
    the claims whose create has not answered yet. A model is ``proven`` once a job of it got past validation,
    until a chunk fails as a whole; ``failed`` counts such failures in a row and ``unread`` the jobs that
    ended short of validation, as far as nobody has read yet what became of them.
    """

    paused: bool = False
    blocked_until: datetime | None = None
    jobs_open: int = 0
    unconfirmed: int = 0
    staged: tuple[int, ...] = ()
    at_gate: int = 0
    proven: bool = True
    failed: int = 0
    unread: int = 0

    def free(self, slots: int) -> int:
        """Return how many more jobs may be open; an unproven model gets no more than may fail in a row."""
        if not self.proven:
            slots = min(slots, FAILURES_BEFORE_PAUSE - self.failed - self.unread)
        return max(0, slots - self.jobs_open)


@dataclass(frozen=True, slots=True)
class ChunkView:
    """What counts for the chunk that asks; ``rank`` as by ``rank_of``.

    ``stopped``: no more of its batch is bought. ``held_back``: a canary goes first.
    """

    state: ChunkState
    rank: int = 0
    planning: bool = False
    cancelled: bool = False
    claimed: bool = False
    stopped: bool = False
    held_back: bool = False
    estimate_usd: Decimal | None = None


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


def may_stage(chunk: ChunkView, model: ModelView, purse: Purse, room: Room) -> Gate:
    """Decide whether a chunk may be copied now.

    Only what is staged and not outranked by this chunk takes places away from it, so one of a higher
    rank goes beyond STAGE_AHEAD.
    """
    if chunk.planning or chunk.claimed or chunk.state not in STARTING:
        return Gate.STALE
    if chunk.cancelled or chunk.stopped:
        return Gate.CANCELLED if chunk.cancelled else Gate.STOPPED
    if chunk.state is not ChunkState.PLANNED:
        return Gate.OPEN
    if model.paused:
        return Gate.PAUSED
    if chunk.held_back or not _has_place(chunk.rank, model, room.slots, room.stage_ahead):
        return Gate.NO_ROOM
    return may_pay(chunk.estimate_usd, purse)


def may_claim(chunk: ChunkView, model: ModelView, purse: Purse, room: Room, now: datetime) -> Gate:
    """Decide whether a staged chunk may have a slot; after a block one chunk probes, the others wait."""
    if chunk.state is not ChunkState.READY:
        return Gate.STALE
    if chunk.claimed:
        return Gate.OPEN
    if chunk.cancelled or chunk.stopped:
        return Gate.CANCELLED if chunk.cancelled else Gate.STOPPED
    if model.paused or _is_blocked(model, now):
        return Gate.PAUSED if model.paused else Gate.BLOCKED
    if chunk.held_back or not model.free(room.slots):
        return Gate.NO_ROOM
    return may_pay(chunk.estimate_usd, purse)


def choose(
    ready: Sequence[Candidate],
    planned: Sequence[Candidate],
    model: ModelView,
    in_use: Mapping[str, int],
    staged_of: Mapping[str, int],
    *,
    room: Room,
    now: datetime,
    later: int | None = None,
) -> tuple[str, ...]:
    """Return the chunks that could move now, best first: READY ones for the slots, PLANNED ones for places.

    ``in_use`` counts the open jobs of each batch, ``staged_of`` its staged chunks. With ``later``, the number
    of jobs that ended after one, only what the end of that one made room for: if it freed the third of the
    slots that are free now, the third of the chunks. A chunk at the gate is named no more and has a slot.
    """
    if model.paused or _is_blocked(model, now):
        return ()
    first = list(islice(in_order(ready, in_use, now), model.free(room.slots)))
    then: list[Candidate] = []
    for each in in_order(planned, at_work(in_use, staged_of), now):
        rank = rank_of(each.priority, each.created_at, now)
        if not _has_place(rank, model, room.slots, room.stage_ahead - len(then)):
            break
        then.append(each)
    if later is not None and model.blocked_until is None:
        first = _nth(first, model.free(room.slots) - model.at_gate - later)
        then = _nth(then, len(then) - later)
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


def pause_reason(failed_in_a_row: int, last: str) -> str | None:
    """Say why a model pauses itself, if so many chunks in a row failed as a whole; else None."""
    if failed_in_a_row < FAILURES_BEFORE_PAUSE:
        return None
    return f"{failed_in_a_row} chunks in a row failed as a whole, the last one with: {last}"


def _is_blocked(model: ModelView, now: datetime) -> bool:
    if model.blocked_until is None:
        return False
    return now < model.blocked_until or model.unconfirmed > 0


def _has_place(rank: int, model: ModelView, slots: int, stage_ahead: int) -> bool:
    before = sum(1 for other in model.staged if other >= rank)
    return before < stage_ahead + model.free(slots)


def _nth(chosen: list[Candidate], place: int) -> list[Candidate]:
    """Return the one in a place, counted from 1, if there are so many."""
    return chosen[max(1, place) - 1 :][:1]


def _order(each: Candidate, now: datetime) -> tuple[int, datetime, int]:
    return -rank_of(each.priority, each.created_at, now), each.created_at, each.number


def _standing(each: Candidate, in_use: int, now: datetime) -> tuple[int, int, datetime, int, str]:
    rank, created_at, number = _order(each, now)
    return rank, in_use, created_at, number, each.batch_id
