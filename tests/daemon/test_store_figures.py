"""Gauges of the store, over a real database."""

from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from daemon.adapters.figures import StoreFigures
from daemon.store_gauges import StoreGauges
from schemas.models import load_models
from tests.databases import make_sqlite_store
from tests.fakes.clock import FakeClock
from tests.stages.simulation import Simulation


def test_the_gauges_tell_what_the_store_holds(tmp_path: Path) -> None:
    store = make_sqlite_store(tmp_path)
    sim = Simulation(store, slots=2, min_records=2)
    sim.small_chunks(2)
    sim.submit(sim.media(8))
    clock = FakeClock()
    figures = StoreFigures(store.database, load_models(slots=3), clock)
    registry = CollectorRegistry()
    gauges = StoreGauges(lambda: True, figures.read, clock)
    registry.register(gauges)

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(f"novabatch_{name}", labels)

    gauges.refresh()
    nova = "amazon.nova-2-lite-v1:0"
    assert value("slots_used", model=nova) == 2
    assert value("slots_limit", model=nova) == 3
    assert value("slots_used", model="amazon.nova-pro-v1:0") == 0
    assert value("chunks", state="SUBMITTED", model=nova) == 2
    assert value("chunks", state="READY", model=nova) == 2
    assert value("slot_idle_seconds_total", model=nova) == 0
    clock.advance(60)
    gauges.refresh()
    assert value("slot_idle_seconds_total", model=nova) == pytest.approx(60)
    store.pause("us." + nova, "too dear", sim.now)
    store.find("overdue", "chunk", "late", sim.now + timedelta(seconds=1))
    clock.advance(60)
    gauges.refresh()
    assert value("paused", model=nova, reason="paused") == 1
    assert value("findings", kind="overdue") == 1
    assert value("slot_idle_seconds_total", model=nova) == pytest.approx(60)
    store.engine.dispose()
