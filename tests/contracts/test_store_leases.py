"""Leases: one holder at a time, by the database's clock."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from consumers.core.rows import Held, Leased
from daemon.adapters.store import SqlStore
from tests.contracts.planting import GONE, LONG, hold, plant


@pytest.fixture(params=list(Leased))
def row(request: pytest.FixtureRequest, store: SqlStore) -> tuple[Leased, str]:
    """Something that a lease can be taken on."""
    [chunk_id] = plant(store)
    ids = {Leased.CHUNK: chunk_id, Leased.BATCH: chunk_id.partition("-")[0], Leased.RECONCILER: "reconcile"}
    return request.param, ids[request.param]


def test_a_lease_is_taken_once(store: SqlStore, row: tuple[Leased, str]) -> None:
    assert store.take(*row, LONG) is not None
    assert store.take(*row, LONG) is None


def test_a_lease_given_back_can_be_taken_again(store: SqlStore, row: tuple[Leased, str]) -> None:
    store.release(hold(store, *row))
    assert store.take(*row, LONG) is not None


def test_a_lease_that_ran_out_is_taken_over_and_lost(store: SqlStore, row: tuple[Leased, str]) -> None:
    old = hold(store, *row, GONE)
    new = hold(store, *row)
    assert not store.renew(old, LONG)
    store.release(old)
    assert store.renew(new, LONG)


def test_a_lease_that_ran_out_is_kept_if_nobody_took_it(store: SqlStore, row: tuple[Leased, str]) -> None:
    held = hold(store, *row, GONE)
    assert store.renew(held, LONG)
    assert store.take(*row, LONG) is None


def test_a_lease_renewed_for_no_time_can_be_taken(store: SqlStore, row: tuple[Leased, str]) -> None:
    held = hold(store, *row)
    assert store.renew(held, GONE)
    assert store.take(*row, LONG) is not None


def test_what_does_not_exist_cannot_be_held(store: SqlStore) -> None:
    assert store.take(Leased.CHUNK, "nothing", LONG) is None
    assert not store.renew(Held(Leased.BATCH, "nothing", "token"), LONG)


def test_of_many_takers_at_the_same_moment_one_succeeds(store: SqlStore, row: tuple[Leased, str]) -> None:
    with ThreadPoolExecutor(8) as threads:
        taken = list(threads.map(lambda _: store.take(*row, LONG), range(16)))
    assert len([held for held in taken if held]) == 1
