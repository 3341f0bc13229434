"""Records: outcomes, money, and the streams that results are made of."""

from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from consumers.core.faults import LeaseLost
from consumers.core.lifecycle import BatchState, ChunkState
from consumers.core.rows import BatchCount, Held, JudgedRecord, Refusal, Spent
from daemon.adapters.store import SqlStore
from schemas.outcomes import Outcome
from tests.contracts.planting import (
    MODEL,
    NOW,
    add_round,
    after,
    changes_of,
    hold_batch,
    hold_chunk,
    judged,
    new_batch,
    new_chunk,
    plant,
)

CENTS = Decimal("0.000123456789")


def bought(
    position: int, cost: Decimal | None = CENTS, outcome: Outcome = Outcome.SUCCEEDED, attempt: int = 1
) -> JudgedRecord:
    return judged(position, outcome, input_tokens=100, output_tokens=10, cost_usd=cost, attempt=attempt)


def planted(store: SqlStore, files: int = 2) -> tuple[str, Held]:
    [chunk_id] = plant(store, files=files)
    return chunk_id.partition("-")[0], hold_chunk(store, chunk_id)


def again(store: SqlStore, batch_id: str, positions: list[int], index: int, attempt: int) -> Held:
    """Send records again in a further chunk and hold it."""
    held = hold_batch(store, batch_id)
    chunk = new_chunk(new_batch(), index, positions, round=index, attempt=attempt)
    assert add_round(store, held, index, [chunk])
    store.release(held)
    return hold_chunk(store, chunk.chunk_id)


def test_saving_the_same_again_changes_nothing(store: SqlStore) -> None:
    batch_id, held = planted(store)
    records = [
        bought(0),
        judged(1, Outcome.MODEL_ERROR, error_code="500", error_message="no", retryable=True),
    ]
    store.save(held, records, NOW)
    first = list(store.result_rows(batch_id))
    store.save(held, records, after(hours=1))
    assert list(store.result_rows(batch_id)) == first
    assert [row.created_at for row in first] == [NOW, NOW]
    assert store.outcomes(held.id) == {("combined", "SUCCEEDED"): 1, ("combined", "MODEL_ERROR"): 1}


def test_pages_saved_one_after_another_are_all_there_in_the_end(store: SqlStore) -> None:
    _, held = planted(store, files=6)
    with store.saving(held, NOW) as save:
        for n in range(0, 6, 2):
            save([bought(n), bought(n + 1, outcome=Outcome.UNPARSABLE)])
        save([bought(5)])
    assert store.outcomes(held.id) == {("combined", "SUCCEEDED"): 4, ("combined", "UNPARSABLE"): 2}


@pytest.mark.parametrize("pages", [1, 3])
def test_a_page_that_could_not_be_saved_is_told_at_the_latest_in_the_end(store: SqlStore, pages: int) -> None:
    [chunk_id] = plant(store)
    old = hold_chunk(store, chunk_id, -1)
    hold_chunk(store, chunk_id)
    with pytest.raises(LeaseLost), store.saving(old, NOW) as save:
        for _ in range(pages):
            save([bought(0)])
    assert store.outcomes(chunk_id) == {}


def test_pages_begun_before_something_else_goes_wrong_are_kept(store: SqlStore) -> None:
    _, held = planted(store)
    with pytest.raises(KeyError), store.saving(held, NOW) as save:
        save([bought(0)])
        raise KeyError
    assert store.outcomes(held.id) == {("combined", "SUCCEEDED"): 1}


def test_closing_gives_an_outcome_only_to_records_without_one(store: SqlStore) -> None:
    _, held = planted(store)
    store.save(held, [bought(0)], NOW)
    assert store.close_records(held, Outcome.MISSING, "NOT_IN_OUTPUT", "no line", NOW) == 1
    assert store.close_records(held, Outcome.MISSING, "NOT_IN_OUTPUT", "no line", NOW) == 0
    assert store.outcomes(held.id) == {("combined", "SUCCEEDED"): 1, ("combined", "MISSING"): 1}


def test_a_record_of_another_chunk_is_left_alone(store: SqlStore) -> None:
    first, second = plant(store, chunks=2, files=1)
    store.save(hold_chunk(store, first), [bought(0), bought(1), bought(99)], NOW)
    assert store.outcomes(first) == {("combined", "SUCCEEDED"): 1}
    assert store.outcomes(second) == {}


amounts = st.integers(0, 10**15).map(lambda units: Decimal(units).scaleb(-12))


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(costs=st.lists(amounts, min_size=5, max_size=5), padding=amounts)
def test_money_is_summed_exactly(store: SqlStore, costs: list[Decimal], padding: Decimal) -> None:
    chunk_id = next(iter(_planted_once(store)))
    held = hold_chunk(store, chunk_id, seconds=-1)
    store.save(held, [bought(n, cost) for n, cost in enumerate(costs)], NOW)
    store.save_padding(held, Spent(7, 3, padding))
    assert store.spent(chunk_id) == Spent(507, 53, sum(costs, padding))
    assert store.bought(chunk_id) == Spent(500, 50, sum(costs, Decimal(0)))
    count = store.count(chunk_id.partition("-")[0])
    assert count.spent.cost_usd == sum(costs, Decimal(0))
    assert count.padding == Spent(7, 3, padding)


def _planted_once(store: SqlStore) -> list[str]:
    known = store.chunk_ids(new_batch("money").batch_id)
    return [chunk_id for chunk_id, _ in known] or plant(store, "money", files=5)


def test_money_reads_the_same_on_both_databases(store: SqlStore) -> None:
    batch_id, held = planted(store, files=3)
    store.save(held, [bought(0, Decimal("0.10")), bought(1, Decimal("20.00")), bought(2, Decimal(0))], NOW)
    assert [str(row.cost_usd) for row in store.result_rows(batch_id)] == ["0.1", "20", "0"]


@pytest.mark.parametrize(
    "unpriced",
    [
        bought(1, None),
        judged(1, Outcome.SUCCEEDED),
        judged(1, Outcome.FILTERED),
        judged(1, Outcome.MISSING, error_code="RESULT_FETCH_FAILED"),
    ],
)
def test_a_bought_record_without_price_makes_the_sum_unknown(store: SqlStore, unpriced: JudgedRecord) -> None:
    batch_id, held = planted(store)
    store.save(held, [bought(0), unpriced], NOW)
    assert store.spent(held.id).cost_usd is None
    assert store.count(batch_id).spent.cost_usd is None


@pytest.mark.parametrize(
    "outcome", [Outcome.MISSING, Outcome.MODEL_ERROR, Outcome.CANCELLED, Outcome.NOT_BOUGHT]
)
def test_a_record_never_bought_needs_no_price(store: SqlStore, outcome: Outcome) -> None:
    _, held = planted(store)
    store.save(held, [bought(0), judged(1, outcome, result=None)], NOW)
    assert store.spent(held.id) == Spent(100, 10, CENTS)


def test_padding_without_price_is_unknown(store: SqlStore) -> None:
    batch_id, held = planted(store)
    assert store.count(batch_id).padding == Spent()
    store.save_padding(held, Spent(5, 5, None))
    assert store.count(batch_id).padding.cost_usd is None
    store.save_padding(held, Spent(0, 0, None))
    assert store.count(batch_id).padding.cost_usd is None
    store.save_padding(held, Spent())
    assert store.count(batch_id).padding.cost_usd == 0


def test_a_batch_is_counted_by_its_current_records(store: SqlStore) -> None:
    batch_id, held = planted(store, files=4)
    store.refuse_files(held, [Refusal(3, "changed", "")])
    truncated = replace(bought(1, outcome=Outcome.TRUNCATED), repaired=True)
    store.save(held, [bought(0), truncated, bought(2, outcome=Outcome.UNPARSABLE)], NOW)
    assert store.count(batch_id) == BatchCount(
        files=4,
        refused=1,
        records=3,
        reused=0,
        good=2,
        outcomes={Outcome.SUCCEEDED: 1, Outcome.TRUNCATED: 1, Outcome.UNPARSABLE: 1},
        spent=Spent(300, 30, 3 * CENTS),
        padding=Spent(),
        superseded=Spent(),
        chunks=1,
        chunks_through=0,
    )
    retried = again(store, batch_id, [2], 1, attempt=2)
    store.save(retried, [bought(2, attempt=2)], NOW)
    store.end_chunk(retried, ChunkState.FAILED, "", NOW)
    count = store.count(batch_id)
    assert (count.good, count.outcomes) == (3, {Outcome.SUCCEEDED: 2, Outcome.TRUNCATED: 1})
    assert (count.spent.cost_usd, count.superseded) == (3 * CENTS, Spent(100, 10, CENTS))
    assert (count.chunks, count.chunks_through) == (2, 1)


def test_failed_records_come_in_plan_order_with_their_past(store: SqlStore) -> None:
    batch_id, held = planted(store, files=300)
    store.save(held, [bought(n) for n in range(299)], NOW)
    store.save(held, [judged(4, Outcome.UNPARSABLE), judged(2, Outcome.MODEL_ERROR, retryable=True)], NOW)
    assert [record.position for record in store.failed_records(batch_id)] == [2, 4]
    retried = again(store, batch_id, [2, 4], 1, attempt=2)
    store.save(retried, [judged(2, Outcome.TRUNCATED, attempt=2), bought(4, attempt=2)], NOW)
    [record] = store.failed_records(batch_id)
    assert (record.position, record.attempt, record.outcome) == (2, 2, Outcome.TRUNCATED)
    assert record.past == (Outcome.MODEL_ERROR,)
    assert (record.file_id, record.size_bytes, record.max_tokens) == ("1002", 1002, 4096)


def test_every_failed_record_of_a_large_batch_is_streamed(store: SqlStore) -> None:
    batch_id, held = planted(store, files=600)
    store.close_records(held, Outcome.MISSING, "JOB_FAILED", "", NOW)
    assert [record.position for record in store.failed_records(batch_id)] == list(range(600))
    assert len(list(store.result_rows(batch_id))) == 600


def test_result_rows_hold_current_records_and_refused_files_in_plan_order(store: SqlStore) -> None:
    batch_id, held = planted(store, files=3)
    store.refuse_files(held, [Refusal(1, "changed", "another ETag")])
    store.save(held, [bought(0), judged(2, Outcome.MODEL_ERROR, error_code="500", error_message="no")], NOW)
    rows = list(store.result_rows(batch_id))
    assert [(row.file_id, row.outcome, row.analysis_type) for row in rows] == [
        (1000, "SUCCEEDED", "combined"),
        (1001, "REFUSED", None),
        (1002, "MODEL_ERROR", "combined"),
    ]
    assert (rows[0].result, rows[0].cost_usd, rows[0].prompt_version) == ({"summary": {}}, CENTS, "v1")
    assert (rows[0].record_id, rows[0].model_id, rows[0].attempt) == ("file-1000:combined", MODEL, 1)
    assert (rows[1].error_code, rows[1].error_message) == ("changed", "another ETag")
    assert list(store.result_rows(batch_id, held.id)) == rows


def test_the_rows_of_a_chunk_stay_when_they_are_superseded(store: SqlStore) -> None:
    batch_id, held = planted(store)
    store.save(held, [bought(0), judged(1, Outcome.UNPARSABLE)], NOW)
    retried = again(store, batch_id, [1], 1, attempt=2)
    store.save(retried, [bought(1, attempt=2)], NOW)
    part = [(row.outcome, row.attempt) for row in store.result_rows(batch_id, held.id)]
    assert part == [("SUCCEEDED", 1), ("UNPARSABLE", 1)]
    assert [row.attempt for row in store.result_rows(batch_id)] == [1, 2]
    assert [row.attempt for row in store.result_rows(batch_id, retried.id)] == [2]


def test_a_file_that_was_sent_before_is_not_refused_but_missing(store: SqlStore) -> None:
    batch_id, held = planted(store)
    store.save(held, [bought(0), judged(1, Outcome.UNPARSABLE)], NOW)
    retried = again(store, batch_id, [1], 1, attempt=2)
    store.refuse_files(retried, [Refusal(1, "not_found", "gone")])
    assert store.chunk_files(retried.id) == []
    count = store.count(batch_id)
    assert (count.refused, count.records) == (0, 2)
    [record] = store.failed_records(batch_id)
    assert (record.attempt, record.outcome, record.error_code) == (2, Outcome.MISSING, "CHUNK_NOT_PREPARED")


def test_odd_text_of_a_model_is_stored(store: SqlStore) -> None:
    batch_id, held = planted(store)
    odd = judged(0, Outcome.UNPARSABLE, result=None, raw_text="\x00\ud83d", error_message="日本 \x00 \ud83d")
    store.save(held, [odd], NOW)
    [row] = store.result_rows(batch_id)
    assert row.error_message == "日本 \ufffd \ufffd"


def test_a_batch_without_files_counts_to_nothing(store: SqlStore) -> None:
    batch = new_batch()
    store.accept(batch)
    held = hold_batch(store, batch.batch_id)
    store.finish_plan(held, NOW)
    store.finish_batch(held, changes_of(store, held.id), BatchState.FAILED, "no file", NOW)
    count = store.count(batch.batch_id)
    assert (count.files, count.records, count.chunks, count.spent) == (0, 0, 0, Spent())
    assert list(store.result_rows(batch.batch_id)) == []
