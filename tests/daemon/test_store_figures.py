"""Gauges of the store, over a real database and all stages."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from daemon.adapters.figures import StoreFigures
from daemon.adapters.store import SqlStore, make_engine
from daemon.clock import SystemClock
from daemon.store_gauges import Leader, StoreGauges
from schemas.job_events import JobStateChange
from schemas.models import load_models
from tests.contracts.local_aws import until
from tests.databases import make_sqlite_store
from tests.stages.simulation import Simulation

LEASE_SECONDS = 1.5
NOVA = "amazon.nova-2-lite-v1:0"


@dataclass
class Gauges:
    """A simulation, and the gauges of its store on the same clock."""

    sim: Simulation
    models_file: str | None = None

    def __post_init__(self) -> None:
        table = load_models(self.models_file, slots=self.sim.slots)
        figures = StoreFigures(self.sim.store, table, self.sim.policy, self)
        self.gauges = StoreGauges(lambda: True, figures.read, self)
        self.registry = CollectorRegistry()
        self.registry.register(self.gauges)

    def now(self) -> datetime:
        return self.sim.now

    def monotonic(self) -> float:
        return self.sim.now.timestamp()

    def value(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(f"novabatch_{name}", labels)

    def idle(self) -> float:
        """Look, and return the seconds that slots stood empty so far."""
        self.gauges.refresh()
        seconds = self.value("slot_idle_seconds_total", model=NOVA)
        assert seconds is not None
        return seconds


@pytest.fixture
def sim(sqlite_template: Path, tmp_path: Path) -> Iterator[Simulation]:
    store = make_sqlite_store(tmp_path)
    sim = Simulation(store, slots=2, min_records=2)
    sim.small_chunks(2)
    yield sim
    store.engine.dispose()


def test_the_gauges_tell_what_the_store_holds(sim: Simulation) -> None:
    gauges = Gauges(sim)
    sim.submit(sim.media(8))
    gauges.gauges.refresh()
    assert gauges.value("slots_used", model=NOVA) == 2
    assert gauges.value("slots_limit", model=NOVA) == 2
    assert gauges.value("slots_used", model="amazon.nova-pro-v1:0") == 0
    assert gauges.value("batches", state="RUNNING", stopped="no") == 1
    assert gauges.value("batches", state="COMPLETED", stopped="no") == 0
    assert gauges.value("chunks", state="SUBMITTED", model=NOVA) == 2
    assert gauges.value("chunks", state="READY", model=NOVA) == 2
    assert gauges.value("slot_idle_seconds_total", model="amazon.nova-pro-v1:0") == 0
    sim.store.pause("us." + NOVA, "too dear", sim.now)
    sim.store.find("overdue", "chunk", "late", sim.now + timedelta(seconds=1))
    gauges.gauges.refresh()
    assert gauges.value("paused", model=NOVA, reason="paused") == 1
    assert gauges.value("findings", kind="overdue") == 1
    assert gauges.value("findings", kind="token_mismatch") == 0


def test_a_batch_that_its_own_budget_stopped_is_told_apart_from_what_was_stopped_for_other_reasons(
    sim: Simulation,
) -> None:
    gauges = Gauges(sim)
    sim.objects.put("proxy_video/a.mov", "a", size=900_000_000)
    file = {"file_id": 1, "s3_key": "proxy_video/a.mov"}
    sim.submit([{**file, "size_bytes": 1}], "larger than said", budget_usd="0.02")
    sim.submit([file], "dearer than allowed", budget_usd="0.001")
    sim.store.stop_buying(sim.submit(sim.media(2), "bad canary"), "Of the 2 records 0 succeeded.", sim.now)
    sim.submit(sim.media(2, first=10), "well", budget_usd="5")
    gauges.gauges.refresh()
    assert gauges.value("batches", state="FAILED", stopped="budget") == 2
    assert gauges.value("batches", state="RUNNING", stopped="other") == 1
    assert gauges.value("batches", state="RUNNING", stopped="no") == 1
    assert gauges.value("batches", state="RUNNING", stopped="budget") == 0


class Process:
    """What one of several processes over a database exports; its clock and its lease are real."""

    def __init__(self, sim: Simulation, url: str, seconds: float) -> None:
        self.store = SqlStore(make_engine(url))
        figures = StoreFigures(self.store, load_models(None, slots=sim.slots), sim.policy, SystemClock())
        leader = Leader(self.store, seconds)
        self.gauges = StoreGauges(leader.leads, figures.read, SystemClock(), seconds)
        self.registry = CollectorRegistry()
        self.registry.register(self.gauges)

    def exported(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(f"novabatch_{name}", labels) or 0.0


@pytest.fixture
def three(sim: Simulation) -> Iterator[list[Process]]:
    url = sim.store.engine.url.render_as_string()
    made = [Process(sim, url, LEASE_SECONDS) for _ in range(3)]
    yield made
    for each in made:
        each.store.engine.dispose()


def test_over_three_processes_the_sum_of_a_gauge_is_what_the_store_holds(
    sim: Simulation, three: list[Process]
) -> None:
    sim.submit(sim.media(8))
    for _ in range(2):
        for each in three:
            each.gauges.refresh()
    assert sum(each.exported("chunks", state="READY", model=NOVA) for each in three) == 2
    assert sum(each.exported("slots_used", model=NOVA) for each in three) == 2


def test_when_the_process_that_exports_is_cut_off_another_takes_over_and_nothing_counts_twice(
    sim: Simulation, three: list[Process]
) -> None:
    sim.submit(sim.media(8))
    leader, *others = three
    for each in three:
        each.gauges.refresh()
    assert leader.exported("slots_used", model=NOVA) == 2
    until(lambda: _refreshed(others) > 0, 20)
    assert sum(each.exported("slots_used", model=NOVA) for each in three) == 2
    assert leader.exported("slots_used", model=NOVA) == 0


def _refreshed(processes: list[Process]) -> float:
    for each in processes:
        each.gauges.refresh()
    return sum(each.exported("slots_used", model=NOVA) for each in processes)


def test_the_gauges_tell_when_models_end_and_how_old_their_prices_are(sim: Simulation) -> None:
    gauges = Gauges(sim, '{"models": [{"id": "us.amazon.nova-2-lite-v1:0", "ends_on": "2026-03-01"}]}')
    gauges.gauges.refresh()
    end = gauges.value("model_end_timestamp_seconds", model="us." + NOVA)
    assert end == datetime(2026, 3, 1, tzinfo=UTC).timestamp()
    assert gauges.value("model_end_timestamp_seconds", model="global." + NOVA) is None
    noted = datetime(2026, 11, 1, tzinfo=UTC).timestamp()
    assert gauges.value("price_timestamp_seconds", model="global." + NOVA) == noted


def test_a_slot_whose_event_got_lost_was_empty_until_the_reconciler_looked(sim: Simulation) -> None:
    gauges = Gauges(sim)
    sim.submit(sim.media(8))
    sim.pass_time(1200)
    assert gauges.idle() == 0
    sim.events_arrive = False
    assert sim.finish_jobs() == 2
    sim.pass_time(45)
    assert gauges.idle() == 0
    sim.reconcile()
    assert gauges.idle() == pytest.approx(2 * 45, abs=0.01)


def test_slots_are_not_empty_for_want_of_chunks_nor_while_a_model_is_paused(sim: Simulation) -> None:
    gauges = Gauges(sim)
    sim.submit(sim.media(4), "first")
    sim.finish_all()
    sim.pass_time(7200)
    assert gauges.idle() == 0
    sim.store.pause("*", "for the night", sim.now)
    sim.submit(sim.media(8, first=10), "second")
    sim.pass_time(7200)
    assert gauges.idle() == 0
    sim.store.resume("*")
    sim.pass_time(10)
    sim.reconcile()
    assert gauges.idle() == pytest.approx(2 * 10, abs=0.01)


def test_what_bedrock_says_of_a_jobs_beginning_never_makes_the_counter_fall(sim: Simulation) -> None:
    gauges = Gauges(sim)
    sim.submit(sim.media(6))
    sim.events_arrive = False
    sim.finish_jobs()
    sim.pass_time(60)
    sim.reconcile()
    before = gauges.idle()
    for arn, report in sim.jobs.reports.items():
        sim.jobs.reports[arn] = replace(report, submitted_at=sim.now - timedelta(seconds=20))
        sim.post(JobStateChange.hint(arn, report.name, report.status))
    sim.run()
    assert sim.store.idle_seconds()[NOVA] < before
    assert gauges.idle() == before


def test_the_age_of_the_oldest_job_grows_while_it_is_open(sim: Simulation) -> None:
    gauges = Gauges(sim)
    sim.submit(sim.media(2))
    sim.pass_time(600)
    gauges.gauges.refresh()
    assert gauges.value("job_oldest_seconds", model=NOVA) == 600
    assert gauges.value("job_oldest_seconds", model="amazon.nova-pro-v1:0") == 0
    sim.finish_jobs()
    gauges.gauges.refresh()
    assert gauges.value("job_oldest_seconds", model=NOVA) == 0


def test_beside_the_oldest_job_stands_how_long_a_job_may_run(sim: Simulation) -> None:
    sim.policy = replace(sim.policy, job_timeout_hours=36)
    gauges = Gauges(sim)
    gauges.gauges.refresh()
    assert gauges.value("job_timeout_seconds") == 36 * 3600


def test_what_is_committed_today_stands_beside_the_budget_of_a_day(sim: Simulation) -> None:
    sim.policy = replace(sim.policy, budget_usd_per_day=Decimal("12.5"))
    gauges = Gauges(sim)
    sim.submit(sim.media(2))
    gauges.gauges.refresh()
    today = gauges.value("day_committed_usd")
    assert today is not None
    assert 0 < today < 12.5
    assert gauges.value("day_budget_usd") == 12.5
    sim.now += timedelta(days=1)
    gauges.gauges.refresh()
    assert gauges.value("day_committed_usd") == 0


def test_without_a_budget_of_a_day_there_is_none_to_pass(sim: Simulation) -> None:
    gauges = Gauges(sim)
    gauges.gauges.refresh()
    assert gauges.value("day_budget_usd") is None
