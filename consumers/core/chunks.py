"""Splitting a batch's files into chunks that fit one Bedrock job each.

The fewest chunks come first, because slots are scarce; among the ways to cut with so few, the one that
needs the fewest padding records. The order of the files is kept.
"""

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from operator import attrgetter
from typing import NamedTuple, Protocol

LOOKAHEAD_CHUNKS = 8


class Sized(Protocol):
    """Anything with a place in the batch, a size in bytes and a number of records."""

    @property
    def position(self) -> int:
        """Its place; positions rise from piece to piece and may leave gaps."""

    @property
    def bytes(self) -> int:
        """What it adds to the folder, from 0."""

    @property
    def records(self) -> int:
        """How many lines it adds to the manifest, from 0."""


class Piece(NamedTuple):
    """One file as the splitting sees it."""

    position: int
    bytes: int
    records: int


@dataclass(frozen=True, slots=True)
class Limits:
    """What one chunk may hold. ValueError for limits that no chunk can meet."""

    max_files: int
    max_bytes: int
    min_records: int
    max_records: int

    def __post_init__(self) -> None:
        if self.max_files < 1 or self.max_bytes < 1 or self.max_records < 1:
            raise ValueError(f"limits that fit no file: {self}")
        if not 0 <= self.min_records <= self.max_records:
            raise ValueError(f"the least number of records is not between 0 and the greatest: {self}")


class Cut(NamedTuple):
    """One chunk: the pieces whose positions lie in `first <= position < last_exclusive`.

    `padding` is the number of records that must be added to reach the minimum.
    """

    first: int
    last_exclusive: int
    bytes: int
    records: int
    padding: int


class CutAhead(NamedTuple):
    """The cuts that are safe to make now; the pieces from index `kept_from` on wait for the next call."""

    cuts: list[Cut]
    kept_from: int


def split(pieces: Sequence[Sized], limits: Limits) -> list[Cut]:
    """Cut all pieces into the fewest chunks, then with the least padding; no pieces give no chunk.

    ValueError for a piece that fits no chunk: refusing it is the caller's part. Memory grows with the
    pieces, time nearly so.
    """
    row = _Row(pieces, limits)
    return row.cuts(_best_ends(row, row.full_ends()))


def cut_ahead(pieces: Sequence[Sized], limits: Limits, complete: bool) -> CutAhead:
    """Cut as much of a longer row as is safe, given the pieces not yet cut and whether they are the last.

    Call it again with the kept pieces and the next ones behind them. The chunks are as few as those of
    `split`, and their padding is never more than that of full chunks whose last two share their records.
    A window of no more than `LOOKAHEAD_CHUNKS` + 1 full chunks gives no cuts yet. Errors as `split`.
    """
    if complete:
        return CutAhead(split(pieces, limits), len(pieces))
    row = _Row(pieces, limits)
    certain = row.full_ends()[:-1]
    made = max(0, len(certain) - LOOKAHEAD_CHUNKS)
    ends = _best_ends(row, certain)[:made]
    return CutAhead(row.cuts(ends), ends[-1] if ends else 0)


def full_cuts(pieces: Sequence[Sized], limits: Limits) -> list[Cut]:
    """Cut off the chunks that are full: no further piece fits, or the next one does not; the rest waits.

    Errors as `split`.
    """
    row = _Row(pieces, limits)
    ends = row.full_ends()
    if ends and not row.is_full(ends[-2] if len(ends) > 1 else 0, ends[-1]):
        ends.pop()
    return row.cuts(ends)


def estimate(files: int, total_bytes: int, limits: Limits) -> int:
    """Give the least number of chunks that so many files and bytes can need."""
    return max(-(-files // limits.max_files), -(-total_bytes // limits.max_bytes))


class _Row:
    """Pieces in a row with running sums, so that any stretch of them is weighed in one step.

    A stretch from `start` to `end` holds the pieces `start <= i < end`.
    """

    def __init__(self, pieces: Sequence[Sized], limits: Limits) -> None:
        self.limits = limits
        self._pieces = pieces
        self._bytes = _sums(pieces, "bytes", limits.max_bytes)
        self.records = _sums(pieces, "records", limits.max_records)

    def full_ends(self) -> list[int]:
        """Fill chunk after chunk as far as the limits allow: the fewest chunks; the last end is the row's."""
        ends: list[int] = []
        end, size = 0, len(self._pieces)
        while end < size:
            end = self._farthest_end(end)
            ends.append(end)
        return ends

    def is_full(self, start: int, end: int) -> bool:
        """Tell whether nothing can be added to the stretch, however small."""
        records = self.records[end] - self.records[start]
        return end - start == self.limits.max_files or records == self.limits.max_records

    def lack(self, start: int, end: int) -> int:
        """Count the records the stretch has too few of."""
        return max(0, self.limits.min_records - (self.records[end] - self.records[start]))

    def earliest_start(self, end: int, low: int) -> int:
        """Find where the longest chunk that ends there begins, not before `low`."""
        low = max(low, end - self.limits.max_files)
        low = bisect_left(self._bytes, self._bytes[end] - self.limits.max_bytes, low, end)
        return bisect_left(self.records, self.records[end] - self.limits.max_records, low, end)

    def cuts(self, ends: Sequence[int]) -> list[Cut]:
        """Describe the chunks with these ends."""
        return [self._cut(start, end) for start, end in _stretches(ends)]

    def _farthest_end(self, start: int) -> int:
        high = min(start + self.limits.max_files, len(self._pieces)) + 1
        high = bisect_right(self._bytes, self._bytes[start] + self.limits.max_bytes, start, high)
        return bisect_right(self.records, self.records[start] + self.limits.max_records, start, high) - 1

    def _cut(self, start: int, end: int) -> Cut:
        return Cut(
            first=self._pieces[start].position,
            last_exclusive=self._pieces[end - 1].position + 1,
            bytes=self._bytes[end] - self._bytes[start],
            records=self.records[end] - self.records[start],
            padding=self.lack(start, end),
        )


class _Layer:
    """Where the chunks so far may end, what padding each such end costs, and where its chunk began."""

    def __init__(self, first: int, costs: list[int], starts: list[int]) -> None:
        self.first = first
        self.last = first + len(costs) - 1
        self.costs = costs
        self.starts = starts

    def cost(self, end: int) -> int:
        return self.costs[end - self.first]

    def start(self, end: int) -> int:
        return self.starts[end - self.first]


def _stretches(ends: Sequence[int]) -> Iterator[tuple[int, int]]:
    return pairwise((0, *ends))


def _sums(pieces: Sequence[Sized], name: str, most: int) -> list[int]:
    values = list(map(attrgetter(name), pieces))
    if values and (max(values) > most or min(values) < 0):
        place = next(place for place, value in enumerate(values) if not 0 <= value <= most)
        raise ValueError(
            f"the piece at position {pieces[place].position} has {values[place]} {name}; "
            f"a chunk holds 0 to {most}"
        )
    return list(accumulate(values, initial=0))


def _best_ends(row: _Row, full: list[int]) -> list[int]:
    """Move the ends of full chunks forward where that saves padding, without more chunks.

    A full chunk cannot take from the next one; it can only leave it records it does not need. So nothing
    before the first chunk with records to spare changes, and nothing at all if none in want follows it.
    """
    least = row.limits.min_records
    sizes = [row.records[end] - row.records[start] for start, end in _stretches(full)]
    spare = next((place for place, size in enumerate(sizes) if size > least), len(sizes))
    if all(size >= least for size in sizes[spare:]):
        return full
    start = full[spare - 1] if spare else 0
    return full[:spare] + _least_padding(row, start, full[spare:])


def _least_padding(row: _Row, start: int, full: list[int]) -> list[int]:
    """Find the ends with the least padding: layer by layer forward, then back along the best starts.

    The end of each chunk has its own stretch of candidates, from the earliest that leaves the rest enough
    chunks to the full one; the stretches do not overlap, so each piece is looked at once.
    """
    layer = _Layer(start, [0], [start])
    layers: list[_Layer] = []
    for low, high in zip(_earliest_ends(row, full), full, strict=True):
        layer = _next_layer(row, layer, low, high)
        layers.append(layer)
    ends = [full[-1]]
    for layer in reversed(layers[1:]):
        ends.append(layer.start(ends[-1]))
    return ends[::-1]


def _earliest_ends(row: _Row, full: list[int]) -> list[int]:
    """Give for each chunk the earliest end from which the chunks behind it still reach the last end."""
    ends = [full[-1]]
    for _ in full[1:]:
        ends.append(row.earliest_start(ends[-1], low=0))
    return ends[::-1]


def _next_layer(row: _Row, before: _Layer, low: int, high: int) -> _Layer:
    """Weigh every end of the next chunk from `low` to `high`; of equal costs the later start wins.

    A start is either far enough back that the chunk is filled (then the least cost in a sliding window
    counts), or too near (then the least of its cost and the records before it, over all from there on).
    """
    short, filled = _best_short_starts(row, before), _Window()
    near = before.first
    costs: list[int] = []
    starts: list[int] = []
    for end in range(low, high + 1):
        while near <= before.last and row.lack(near, end) == 0:
            filled.enter(near, before.cost(near))
            near += 1
        earliest = row.earliest_start(end, before.first)
        choices = filled.least_from(earliest)
        if max(near, earliest) <= before.last:
            choices.append(short[max(near, earliest) - before.first])
        cost, start = min((before.cost(start) + row.lack(start, end), -start) for start in choices)
        costs.append(cost)
        starts.append(-start)
    return _Layer(low, costs, starts)


def _best_short_starts(row: _Row, before: _Layer) -> list[int]:
    """Give for each start the best one from it on, for chunks that stay below the minimum."""
    best: list[int] = []
    least: int | None = None
    for start in range(before.last, before.first - 1, -1):
        weight = before.cost(start) + row.records[start]
        if least is None or weight < least:
            least = weight
            best.append(start)
        else:
            best.append(best[-1])
    return best[::-1]


class _Window:
    """Starts with their costs, entered in order and left in order; knows the least costly at any time."""

    def __init__(self) -> None:
        self._starts: deque[tuple[int, int]] = deque()

    def enter(self, start: int, cost: int) -> None:
        while self._starts and self._starts[-1][1] >= cost:
            self._starts.pop()
        self._starts.append((start, cost))

    def least_from(self, earliest: int) -> list[int]:
        """Forget what lies before `earliest`, and give the best start that is left, or none."""
        while self._starts and self._starts[0][0] < earliest:
            self._starts.popleft()
        return [self._starts[0][0]] if self._starts else []
