"""Splitting: the table of known cases, and the optimum against a search through everything."""

import random
from collections.abc import Callable
from functools import cache
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.core.chunks import LOOKAHEAD_CHUNKS, Cut, Limits, Piece, cut_ahead, estimate, full_cuts, split
from consumers.core.cutting import limits
from consumers.core.manifest import LONGEST_LINE
from consumers.core.world import Policy
from schemas.models import Model

ALWAYS_SAFE = 500_000_000 // LONGEST_LINE
LIMITS = Limits(max_files=150, max_bytes=4_500_000_000, min_records=100, max_records=50_000)


@st.composite
def cases(draw: st.DrawFn, most: int = 60) -> tuple[list[Piece], Limits]:
    least = draw(st.integers(0, 10))
    limits = Limits(
        max_files=draw(st.integers(1, 12)),
        max_bytes=draw(st.integers(10, 60)),
        min_records=least,
        max_records=least + draw(st.integers(3, 20)),
    )
    big = draw(st.integers(0, 10))
    sizes = draw(st.lists(st.tuples(st.integers(0, big), st.integers(0, 3)), max_size=most))
    return [Piece(position, *size) for position, size in enumerate(sizes)], limits


def row(number: int, size: int = 1000, records: int = 1) -> list[Piece]:
    return [Piece(position, size, records) for position in range(number)]


def padding(cuts: list[Cut]) -> int:
    return sum(cut.padding for cut in cuts)


def best(pieces: list[Piece], limits: Limits) -> tuple[int, int]:
    """Search all ways: the fewest chunks, then the least padding."""

    @cache
    def rest(start: int) -> tuple[int, int]:
        if start == len(pieces):
            return (0, 0)
        found = []
        for end in range(start + 1, len(pieces) + 1):
            part = pieces[start:end]
            if not fits(part, limits):
                break
            chunks, pads = rest(end)
            found.append((chunks + 1, pads + max(0, limits.min_records - sum(p.records for p in part))))
        return min(found)

    return rest(0)


def fits(part: list[Piece], limits: Limits) -> bool:
    return (
        len(part) <= limits.max_files
        and sum(piece.bytes for piece in part) <= limits.max_bytes
        and sum(piece.records for piece in part) <= limits.max_records
    )


def simple(pieces: list[Piece], limits: Limits) -> tuple[int, int]:
    """Fill chunk after chunk, then let the last two share what they have."""
    parts: list[list[Piece]] = []
    for piece in pieces:
        if parts and fits([*parts[-1], piece], limits):
            parts[-1].append(piece)
        else:
            parts.append([piece])
    tail = [piece for part in parts[-2:] for piece in part]
    shared = [
        wanting(tail[:at], limits) + wanting(tail[at:], limits)
        for at in range(1, len(tail))
        if fits(tail[:at], limits) and fits(tail[at:], limits)
    ]
    if len(parts) < 2:
        return len(parts), sum(wanting(part, limits) for part in parts)
    return len(parts), sum(wanting(part, limits) for part in parts[:-2]) + min(shared)


def wanting(part: list[Piece], limits: Limits) -> int:
    return max(0, limits.min_records - sum(piece.records for piece in part))


def streamed(pieces: list[Piece], limits: Limits, page: int) -> list[Cut]:
    cuts: list[Cut] = []
    window: list[Piece] = []
    for start in range(0, max(1, len(pieces)), page):
        window += pieces[start : start + page]
        now, kept_from = cut_ahead(window, limits, complete=start + page >= len(pieces))
        cuts += now
        window = window[kept_from:]
    assert window == []
    return cuts


def check(cuts: list[Cut], pieces: list[Piece], limits: Limits) -> None:
    """Every piece is in one chunk, in order, within the limits, and the figures are right."""
    assert [cut.first for cut in cuts[:1]] == [piece.position for piece in pieces[:1]]
    assert all(one.last_exclusive <= other.first for one, other in pairwise(cuts))
    held = 0
    for cut in cuts:
        part = [piece for piece in pieces if cut.first <= piece.position < cut.last_exclusive]
        held += len(part)
        assert part
        assert fits(part, limits)
        assert cut.bytes == sum(piece.bytes for piece in part)
        assert cut.records == sum(piece.records for piece in part)
        assert cut.padding == wanting(part, limits)
    assert held == len(pieces)


@pytest.mark.parametrize(
    ("files", "records"),
    [
        (0, []),
        (1, [1]),
        (35, [35]),
        (100, [100]),
        (150, [150]),
        (200, [100, 100]),
        (300, [150, 150]),
        (329, [129, 100, 100]),
        (450, [150, 150, 150]),
        (464, [150, 114, 100, 100]),
    ],
)
def test_small_files_are_cut_as_the_table_says(files: int, records: list[int]) -> None:
    assert [cut.records for cut in split(row(files), LIMITS)] == records


def test_fewer_records_than_a_job_needs_are_padded() -> None:
    assert split(row(35), LIMITS) == [Cut(0, 35, 35_000, 35, 65)]
    assert [cut.padding for cut in split(row(151), LIMITS)] == [0, 49]


def test_three_files_just_over_half_make_three_chunks() -> None:
    limits = Limits(150, 1000, 0, 50_000)
    assert [cut.bytes for cut in split(row(3, size=501), limits)] == [501, 501, 501]


def test_files_that_fill_a_chunk_exactly_share_it() -> None:
    limits = Limits(150, 1000, 0, 50_000)
    assert [cut.bytes for cut in split(row(4, size=500), limits)] == [1000, 1000]


def test_records_are_bounded_too() -> None:
    assert [cut.records for cut in split(row(5, records=20), Limits(150, 10**9, 0, 40))] == [40, 40, 20]


def test_several_records_a_file_need_no_balance() -> None:
    assert [cut.records for cut in split(row(200, records=2), LIMITS)] == [300, 100]


@pytest.mark.parametrize(
    ("files", "total_bytes", "chunks"),
    [
        (0, 0, 0),
        (50, 10**6, 1),
        (200, 1000, 2),
        (10, 10 * 2**30, 3),
        (150, 4_500_000_000, 1),
        (1, 4_500_000_001, 2),
    ],
)
def test_the_estimate_is_the_least_that_can_do(files: int, total_bytes: int, chunks: int) -> None:
    assert estimate(files, total_bytes, LIMITS) == chunks


@pytest.mark.parametrize(
    "piece", [Piece(7, 4_500_000_001, 1), Piece(7, 1, 50_001), Piece(7, -1, 1), Piece(7, 1, -1)]
)
def test_a_piece_that_fits_no_chunk_is_refused_by_its_position(piece: Piece) -> None:
    with pytest.raises(ValueError, match="position 7 "):
        split([*row(7), piece], LIMITS)
    with pytest.raises(ValueError, match="position 7 "):
        cut_ahead([*row(7), piece], LIMITS, complete=False)


@pytest.mark.parametrize("values", [(0, 1, 0, 1), (1, 0, 0, 1), (1, 1, 0, 0), (1, 1, -1, 1), (1, 1, 2, 1)])
def test_limits_that_nothing_can_meet_are_refused(values: tuple[int, int, int, int]) -> None:
    with pytest.raises(ValueError, match=r"limits|least number"):
        Limits(*values)


@given(
    st.integers(1, 60_000),
    st.integers(1, 5_000_000_000),
    st.integers(1, 60_000),
    st.integers(100, 60_000),
    st.integers(1, 10**11),
)
def test_the_limits_of_settings_and_model_are_both_kept_and_no_manifest_grows_too_long(
    files: int, chunk_bytes: int, least: int, records: int, job_bytes: int
) -> None:
    policy = Policy("b", frozenset(), "", "", max_files_per_chunk=files, max_chunk_bytes=chunk_bytes)
    model = Model("m", "m", (), 10, max(least, records), least, job_bytes)
    found = limits(policy, model)
    assert (found.max_files, found.max_bytes) == (files, min(chunk_bytes, job_bytes))
    assert found.min_records == least
    if least <= ALWAYS_SAFE:
        assert found.max_records == min(max(least, records), ALWAYS_SAFE)
    assert least <= found.max_records <= max(least, ALWAYS_SAFE)


def test_the_settings_limits_leave_room_for_every_type_of_150_files() -> None:
    assert ALWAYS_SAFE >= 150 * 25
    assert ALWAYS_SAFE * LONGEST_LINE <= 500_000_000


def test_gaps_between_positions_are_kept() -> None:
    pieces = [Piece(position * 10, 1, 1) for position in range(5)]
    assert split(pieces, Limits(2, 100, 0, 100)) == [
        Cut(0, 11, 2, 2, 0),
        Cut(20, 31, 2, 2, 0),
        Cut(40, 41, 1, 1, 0),
    ]


@given(cases())
def test_a_split_keeps_every_piece_in_order_within_the_limits(case: tuple[list[Piece], Limits]) -> None:
    check(split(*case), *case)


@given(cases())
def test_no_way_has_fewer_chunks_or_with_as_few_less_padding(case: tuple[list[Piece], Limits]) -> None:
    cuts = split(*case)
    assert (len(cuts), padding(cuts)) == best(*case)


@pytest.mark.parametrize("seed", range(8))
def test_long_crowded_rows_are_cut_as_well_as_can_be(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(250):
        least = rng.randint(1, 8)
        limits = Limits(rng.randint(2, 6), rng.randint(12, 40), least, least + rng.randint(3, 12))
        pieces = [Piece(at, rng.randint(0, 10), rng.randint(0, 3)) for at in range(rng.randint(20, 110))]
        cuts = split(pieces, limits)
        assert (len(cuts), padding(cuts)) == best(pieces, limits)


def test_a_single_record_to_spare_is_given_on() -> None:
    assert [cut.records for cut in split(row(4), Limits(3, 10**9, 2, 100))] == [2, 2]


@given(st.integers(101, 2000))
def test_with_enough_small_files_no_chunk_needs_padding_if_that_can_be(files: int) -> None:
    cuts = split(row(files), LIMITS)
    assert padding(cuts) == max(0, len(cuts) * 100 - files)
    assert len(cuts) == -(-files // 150)


@given(cases(most=150), st.integers(1, 40))
def test_a_streamed_cut_is_as_good_as_a_whole_one(case: tuple[list[Piece], Limits], page: int) -> None:
    cuts = streamed(*case, page=page)
    check(cuts, *case)
    chunks, pads = simple(*case)
    assert len(cuts) == chunks
    assert padding(cuts) <= pads


def test_a_streamed_tail_is_balanced_across_pages() -> None:
    assert streamed(row(3014), LIMITS, page=500)[-3:] == split(row(3014), LIMITS)[-3:]
    assert padding(streamed(row(3014), LIMITS, page=500)) == 0


def test_a_window_that_shows_too_little_is_kept() -> None:
    assert cut_ahead(row(150 * (LOOKAHEAD_CHUNKS + 1)), LIMITS, complete=False) == ([], 0)
    cuts, kept_from = cut_ahead(row(150 * (LOOKAHEAD_CHUNKS + 1) + 1), LIMITS, complete=False)
    assert [cut.last_exclusive for cut in cuts] == [150]
    assert kept_from == 150


def test_the_last_window_leaves_nothing() -> None:
    assert cut_ahead([], LIMITS, complete=True) == ([], 0)
    assert cut_ahead(row(10), LIMITS, complete=True).kept_from == 10


def unequal(count: int) -> list[Piece]:
    return [Piece(position, position * 7919 % 90_000_000, 1) for position in range(count)]


@pytest.mark.parametrize("make", [row, unequal])
def test_a_hundred_thousand_files_stream_as_they_split(make: Callable[[int], list[Piece]]) -> None:
    pieces = make(100_000)
    whole, parts = split(pieces, LIMITS), streamed(pieces, LIMITS, page=10_000)
    assert len(whole) == len(parts)
    assert padding(whole) <= padding(parts)


@given(cases())
def test_full_chunks_are_cut_from_the_front_and_no_more_fits_into_any(
    case: tuple[list[Piece], Limits],
) -> None:
    pieces, limits = case
    cuts = full_cuts(pieces, limits)
    check(
        cuts,
        pieces[: sum(1 for piece in pieces if cuts and piece.position < cuts[-1].last_exclusive)],
        limits,
    )
    for cut in cuts:
        mine = [piece for piece in pieces if cut.first <= piece.position < cut.last_exclusive]
        behind = [piece for piece in pieces if piece.position >= cut.last_exclusive]
        full = len(mine) == limits.max_files or cut.records == limits.max_records
        assert full or not fits([*mine, behind[0]], limits)
    left = [piece for piece in pieces if not cuts or piece.position >= cuts[-1].last_exclusive]
    assert fits(left, limits)
    assert len(left) < limits.max_files
