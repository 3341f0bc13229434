"""Results that were bought before: found by what they are about, and copied into a plan."""

from dataclasses import replace
from decimal import Decimal

from consumers.core.rows import Batch, Held, NewFile, Spent
from daemon.adapters.store import SqlStore
from schemas.options import Options
from schemas.outcomes import Outcome
from tests.contracts.planting import (
    MODEL,
    NOW,
    after,
    hold_batch,
    hold_chunk,
    judged,
    new_batch,
    new_file,
    plant,
)

VERSIONS = {("video", "combined"): "v1"}


def bought(store: SqlStore, request_id: str = "r", *outcomes: Outcome) -> str:
    """Plant a batch whose files have these outcomes; returns its id."""
    outcomes = outcomes or (Outcome.SUCCEEDED,)
    [chunk_id] = plant(store, request_id, files=len(outcomes))
    held = hold_chunk(store, chunk_id)
    spent = {"input_tokens": 100, "output_tokens": 10, "cost_usd": Decimal("0.01"), "stop_reason": "end_turn"}
    store.save(held, [judged(n, outcome, **spent) for n, outcome in enumerate(outcomes)], NOW)
    store.release(held)
    return chunk_id.partition("-")[0]


def batch_with(store: SqlStore, request_id: str = "again", model: str = MODEL, **options: object) -> Batch:
    """Accept a batch with other options or another model, and return it."""
    new = new_batch(request_id, model=model)
    terms = new.terms.model_copy(update={"options": Options.model_validate(options)})
    assert store.accept(replace(new, terms=terms))
    batch = store.batch(new.batch_id)
    assert batch is not None
    return batch


def linked(store: SqlStore, batch: Batch, *files: NewFile) -> Held:
    """Plan files as they are and hold their batch."""
    held = hold_batch(store, batch.batch_id)
    store.plan_files(held, files, {"phase": "cut"})
    return held


def test_results_of_the_same_object_and_request_are_found(store: SqlStore) -> None:
    first = bought(store, "r", Outcome.SUCCEEDED, Outcome.UNPARSABLE, Outcome.SUCCEEDED)
    again = [replace(new_file(n), position=n + 5) for n in range(3)]
    twin = replace(new_file(0), position=9)
    found = store.reusable(batch_with(store), VERSIONS, [*again, twin])
    assert found == {
        (5, "combined"): f"{first}/0/combined/1",
        (7, "combined"): f"{first}/2/combined/1",
        (9, "combined"): f"{first}/0/combined/1",
    }


def test_nothing_is_found_where_anything_differs(store: SqlStore) -> None:
    bought(store)
    file, batch = new_file(0), batch_with(store)
    for other in (
        replace(file, etag="other"),
        replace(file, etag=""),
        replace(file, s3_key="proxy/other.mov"),
        replace(file, bucket="other"),
        replace(file, analysis_types=("summary",)),
        replace(file, kind="image"),
    ):
        assert store.reusable(batch, VERSIONS, [other]) == {}
    assert store.reusable(batch, {("video", "combined"): "v2"}, [file]) == {}
    assert store.reusable(batch_with(store, "a", "us.amazon.nova-lite-v1:0"), VERSIONS, [file]) == {}
    assert store.reusable(batch_with(store, "b", language="de"), VERSIONS, [file]) == {}
    assert store.reusable(batch, VERSIONS, [file]) != {}


def test_whether_results_were_to_be_reused_is_no_difference(store: SqlStore) -> None:
    bought(store)
    assert store.reusable(batch_with(store, reuse="never"), VERSIONS, [new_file(0)]) != {}


def test_the_newest_of_several_results_is_found(store: SqlStore) -> None:
    bought(store, "old")
    [chunk_id] = plant(store, "new", files=1)
    held = hold_chunk(store, chunk_id)
    store.save(held, [judged(0)], after(hours=1))
    found = store.reusable(batch_with(store), VERSIONS, [new_file(0)])
    assert found == {(0, "combined"): f"{chunk_id.partition('-')[0]}/0/combined/1"}


def test_a_link_is_a_record_that_cost_nothing(store: SqlStore) -> None:
    first = bought(store)
    batch = batch_with(store)
    ref = f"{first}/0/combined/1"
    held = linked(store, batch, replace(new_file(0), reused={"combined": ref}))
    store.finish_plan(held, NOW)
    [old], [new] = store.result_rows(first), store.result_rows(batch.batch_id)
    assert (new.reused_from, new.attempt, new.outcome) == (ref, 1, "SUCCEEDED")
    assert (new.result, new.prompt_version, new.stop_reason) == (old.result, "v1", "end_turn")
    assert (new.input_tokens, new.output_tokens, new.cost_usd) == (0, 0, Decimal(0))
    count = store.count(batch.batch_id)
    assert (count.records, count.reused, count.good, count.outcomes) == (1, 1, 1, {})
    assert count.spent == Spent(0, 0, Decimal(0))
    assert list(store.failed_records(batch.batch_id)) == []
    assert store.is_through(batch.batch_id)


def test_a_result_that_is_forgotten_before_it_is_linked_is_linked_by_nobody(store: SqlStore) -> None:
    first = bought(store, "r", Outcome.SUCCEEDED, Outcome.SUCCEEDED)
    batch = batch_with(store)
    again = [new_file(0), new_file(1)]
    found = store.reusable(batch, VERSIONS, again)
    meanwhile = hold_batch(store, first)
    store.begin_forgetting(meanwhile, 0, NOW)
    store.release(meanwhile)
    linked(
        store,
        batch,
        *(replace(file, reused={"combined": found[file.position, "combined"]}) for file in again),
    )
    [(ref, result)] = [
        (row.reused_from, row.result) for row in store.result_rows(batch.batch_id) if row.reused_from
    ]
    assert ref == f"{first}/1/combined/1"
    assert result


def test_the_same_step_again_makes_no_second_link(store: SqlStore) -> None:
    first = bought(store)
    batch = batch_with(store)
    file = replace(new_file(0), reused={"combined": f"{first}/0/combined/1"})
    for _ in range(2):
        store.release(linked(store, batch, file))
    assert store.count(batch.batch_id).records == 1


def test_files_come_back_with_what_is_reused_of_them(store: SqlStore) -> None:
    first = bought(store)
    batch = batch_with(store)
    both = replace(new_file(1), analysis_types=("combined", "summary"))
    files = [new_file(0), replace(both, reused={"combined": f"{first}/0/combined/1"}), new_file(2)]
    linked(store, batch, *files)
    assert [file.reused for file in store.uncut_files(batch.batch_id, 0, 9)] == [
        file.reused for file in files
    ]


def test_a_result_that_is_gone_meanwhile_is_bought(store: SqlStore) -> None:
    batch = batch_with(store)
    linked(store, batch, replace(new_file(0), reused={"combined": f"{batch.batch_id}/77/combined/1"}))
    [file] = store.uncut_files(batch.batch_id, 0, 9)
    assert file.reused == {}
    assert store.count(batch.batch_id).records == 0


def test_a_link_is_not_found_again_as_a_result(store: SqlStore) -> None:
    first = bought(store)
    ref = f"{first}/0/combined/1"
    for request_id in ("again", "b", "c", "d", "e"):
        linked(store, batch_with(store, request_id), replace(new_file(0), reused={"combined": ref}))
    assert store.reusable(batch_with(store, "third"), VERSIONS, [new_file(0)]) == {(0, "combined"): ref}


def test_thousands_of_files_are_asked_for_at_once(store: SqlStore) -> None:
    first = bought(store, "r", *[Outcome.SUCCEEDED] * 1200)
    found = store.reusable(batch_with(store), VERSIONS, [new_file(n) for n in range(1500)])
    assert len(found) == 1200
    assert found[1199, "combined"] == f"{first}/1199/combined/1"
