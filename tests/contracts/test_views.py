"""What operators look at is the same on SQLite and on PostgreSQL."""

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

from consumers.core import layout
from consumers.core.gate import Room
from consumers.core.lifecycle import ChunkState, JobStatus
from consumers.core.rows import Refusal, Spent
from daemon.adapters.store import SqlStore
from daemon.adapters.views import Views
from daemon.adapters.views.standing import Cleaning, Progress
from schemas.models import load_models
from tests.contracts.planting import (
    MODEL,
    NOW,
    after,
    arn,
    end_job,
    hold_chunk,
    judged,
    plant,
    report,
    submit,
)

BATCH = layout.batch_id("r")


def views_of(store: SqlStore) -> Views:
    return Views(store.engine, load_models())


def end(store: SqlStore, chunk: str, first: int, day: int) -> None:
    """End a chunk of two files whose records cost something on a day."""
    submit(store, chunk)
    end_job(store, chunk)
    held = hold_chunk(store, chunk)
    bought: dict[str, Any] = {"input_tokens": 1_000_000, "output_tokens": 0, "cost_usd": Decimal("0.165")}
    store.save(held, [judged(first, **bought), judged(first + 1, **bought)], after(days=day))
    store.save_padding(held, Spent(1_000_000, 0, Decimal("0.165")))
    store.end_chunk(held, ChunkState.COMPLETED, "", after(days=day))
    store.release(held)


def test_a_batch_is_counted_and_priced(store: SqlStore) -> None:
    first, second = plant(store, chunks=2)
    end(store, first, 0, day=0)
    end(store, second, 2, day=1)
    document = views_of(store).status(BATCH)
    assert document is not None
    assert (document["cost_usd"], document["cost_padding_usd"]) == ("0.99", "0.33")
    assert document["cost_on_demand_usd"] == "1.32"
    assert document["tokens"] == {"input": 6_000_000, "output": 0}
    assert [chunk["chunk_id"] for chunk in document["chunks"]] == [first, second]
    overview = views_of(store).overview(1)["batches"]
    assert overview == [{name: value for name, value in document.items() if name != "chunks"}]


def test_on_demand_is_priced_on_the_day_the_job_ended_however_late_it_was_read(store: SqlStore) -> None:
    per_million = ("input_per_million", "output_per_million")
    prices = [
        dict.fromkeys(per_million, usd) | {f"on_demand_{name}": 2 * usd for name in per_million} | since
        for usd, since in ((1, {"since": "2026-01-01"}), (50, {"since": "2026-01-06"}))
    ]
    models = load_models(json.dumps({"models": [{"id": MODEL, "prices": prices}]}))
    [chunk] = plant(store)
    submit(store, chunk)
    assert store.job_seen(chunk, replace(report(chunk, JobStatus.COMPLETED), ended_at=NOW), after(days=3))
    bought: dict[str, Any] = {"input_tokens": 1_000_000, "output_tokens": 0, "cost_usd": Decimal(1)}
    store.save(hold_chunk(store, chunk), [judged(0, **bought), judged(1, **bought)], after(days=3))
    document = Views(store.engine, models).status(BATCH)
    assert document is not None
    assert (document["cost_usd"], document["cost_on_demand_usd"]) == ("2", "4")


def test_estimates_and_what_is_committed_are_summed_exactly(store: SqlStore) -> None:
    costs = [Decimal("0.1"), Decimal("0.200000000001"), Decimal("0.3")]
    first, second, third = plant(store, chunks=3, costs=costs, budget=Decimal("25.5"))
    submit(store, first)
    end(store, second, 2, day=0)
    views = views_of(store)
    document = views.status(BATCH)
    assert document is not None
    assert (document["budget_usd"], document["estimate_usd"]) == ("25.5", "0.600000000001")
    assert document["committed_usd"] == "0.595"
    assert views.committed_on(NOW.date()) == Decimal("0.595")
    assert views.committed_on(after(days=1).date()) == Decimal(0)
    store.stop_buying(BATCH, "why", NOW)
    stopped = views.status(BATCH)
    assert stopped is not None
    assert (stopped["estimate_usd"], stopped["stopped"]) == ("0.300000000001", "why")
    assert stopped["chunks"][2]["chunk_id"] == third


def test_one_unknown_price_makes_an_estimate_unknown(store: SqlStore) -> None:
    plant(store, chunks=2, costs=[Decimal("0.1")])
    document = views_of(store).status(BATCH)
    assert document is not None
    assert document["estimate_usd"] is None


def test_a_batch_is_found_by_either_name(store: SqlStore) -> None:
    plant(store)
    views = views_of(store)
    assert [views.batch_id_of(name) for name in ("r", BATCH, "x")] == [BATCH, BATCH, None]
    assert (views.state_of(BATCH), views.state_of("x")) == ("PLANNED", None)


def test_progress_counts_chunks_and_records(store: SqlStore) -> None:
    first, second = plant(store, chunks=2)
    views = views_of(store)
    assert views.progress(BATCH) == Progress("PLANNED", "", 2, 0, 4, 0)
    end(store, first, 0, day=0)
    submit(store, second)
    assert views.progress(BATCH) == Progress("PLANNED", "", 2, 1, 4, 2)
    assert views.progress("unknown") is None


def test_what_may_be_cleaned_is_known_until_it_is_clean(store: SqlStore) -> None:
    first, second = plant(store, chunks=2)
    end(store, first, 0, day=0)
    views = views_of(store)
    assert views.cleanable(after(days=1)) == [first]
    assert views.cleanable(NOW, BATCH) == [first]
    assert sorted(views.folders(NOW).values()) == [False, True]
    held = hold_chunk(store, first)
    store.cleaned(held, 5, 500, NOW)
    store.failed(hold_chunk(store, second), "cleanup", "denied", NOW)
    assert views.cleanings([first, second]) == [
        Cleaning(first, True, 5, 500, 0, ""),
        Cleaning(second, False, 0, 0, 1, "denied"),
    ]
    assert (views.cleanable(after(days=1)), list(views.folders(NOW).values())) == ([], [False, False])


def test_open_jobs_and_resting_models_stand_there(store: SqlStore) -> None:
    (chunk,) = plant(store)
    submit(store, chunk)
    store.pause(MODEL, "holiday", NOW)
    views = views_of(store)
    assert [each["chunk_id"] for each in views.pending()["chunks"]] == [chunk]
    (resting,) = views.resting()
    assert (resting["paused_reason"], resting["paused_at"]) == ("holiday", "2026-01-05T10:00:00Z")


def test_histories_name_chunks_files_and_refusals(store: SqlStore) -> None:
    (chunk,) = plant(store)
    held = hold_chunk(store, chunk)
    store.open_staging(held, Room(20, 20), NOW)
    store.refuse_files(held, [Refusal(1, "changed", "why")])
    views = views_of(store)
    history = views.chunk_history(chunk)
    assert history is not None
    assert [each["refused"] for each in history["placed"]] == [False, True]
    assert [each["record_id"] for each in history["attempts"]] == ["file-1000:combined"]
    assert [each["code"] for each in views.refused_files(BATCH, 10)] == ["changed"]
    (file,) = views.file_history("1001")
    assert (file["file_id"], file["code"], file["attempts"]) == (1001, "changed", [])
    assert views.chunk_history("unknown") is None


def test_a_file_is_found_by_id_and_by_object_with_its_copies_and_jobs(store: SqlStore) -> None:
    (chunk,) = plant(store)
    submit(store, chunk)
    views = views_of(store)
    (by_id,) = views.file_history("1000")
    assert [(each["chunk_id"], each["safe_name"], each["job_arn"]) for each in by_id["copies"]] == [
        (chunk, "0.mov", arn(chunk))
    ]
    assert views.object_history("proxy/0.mov") == views.object_history("proxy/0.mov", "media") == [by_id]
    assert views.object_history("proxy/0.mov", "others") == views.file_history("none") == []


def test_batches_are_named_by_their_beginning_and_what_stands_in_it_is_no_pattern(store: SqlStore) -> None:
    plant(store, "a_1")
    plant(store, "ab1", at=after(hours=1))
    views = views_of(store)
    assert [name for name, _ in views.names_like("a", 10)] == ["ab1", "a_1"]
    assert [name for name, _ in views.names_like("a_", 10)] == ["a_1"]
    assert [name for name, _ in views.names_like("", 1)] == ["ab1"]
    assert views.names_like(layout.batch_id("a_1")[:6], 10)[0][0] == layout.batch_id("a_1")


def test_a_chunk_and_a_batch_tell_their_last_error(store: SqlStore) -> None:
    (chunk,) = plant(store)
    views = views_of(store)
    assert views.last_error_of(chunk) is None
    store.failed(hold_chunk(store, chunk), "prepare", "no room", NOW)
    assert (views.last_error_of(chunk), views.last_error_of(BATCH), views.last_error_of("x")) == (
        "no room",
        None,
        None,
    )
