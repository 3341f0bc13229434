"""Dashboards: the committed files are the declarations', lie well, and every panel shows something."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from daemon.metric_list import DECLARED, PREFIX, Declared
from daemon.metrics import Metrics
from deploy.grafana.__main__ import DASHBOARDS, FOLDER
from deploy.grafana.write import text
from deploy.local import processes
from tests.prometheus import Prometheus, prometheus_server

FILES = {path.stem: json.loads(path.read_text()) for path in FOLDER.glob("*.json")}
BESIDES = {
    "outcome": ("ok", "retry"),
    "dlq": ("true", "false"),
    "state": ("visible", "busy"),
    "code": ("Throttled",),
}
USUAL = {"process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds"}
OVER_A_DAY = "offset 1d"


def panels(uid: str) -> list[dict[str, Any]]:
    return [panel for panel in FILES[uid]["panels"] if panel["type"] != "row"]


def expressions() -> list[str]:
    return [target["expr"] for uid in FILES for panel in panels(uid) for target in panel["targets"]]


def test_the_committed_files_are_what_the_declarations_say() -> None:
    told = {path.stem: path.read_text() for path in FOLDER.glob("*.json")}
    assert told == {each.uid: text(each) for each in DASHBOARDS}, "make pages"


@pytest.mark.parametrize("uid", FILES)
def test_every_panel_says_what_it_shows_and_in_which_unit(uid: str) -> None:
    for panel in panels(uid):
        assert panel["title"] and panel["description"] and panel["fieldConfig"]["defaults"]["unit"]
    ids = [panel["id"] for panel in FILES[uid]["panels"]]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("uid", FILES)
def test_no_panel_lies_on_another_or_beyond_the_edge(uid: str) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in FILES[uid]["panels"]:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24
        cells = set(product(range(at["x"], at["x"] + at["w"]), range(at["y"], at["y"] + at["h"])))
        assert not cells & taken, panel["title"]
        taken |= cells


def test_panels_ask_only_for_metrics_that_are_declared() -> None:
    known = {PREFIX + each.name for each in DECLARED} | USUAL
    for expr in expressions():
        names = re.findall(r"\b(?:novabatch|process)_\w+", expr)
        assert {re.sub("_bucket$", "", name) for name in names} <= known, expr


@pytest.fixture(scope="module")
def scraped(prometheus: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """A Prometheus that has seen every declared metric of the product's registry twice or more."""
    with told() as port:
        target = {"targets": [f"{processes.HOST}:{port}"]}
        config = {
            "global": {"scrape_interval": "1s"},
            "scrape_configs": [{"job_name": "novabatch", "static_configs": [target]}],
        }
        with prometheus_server(prometheus, tmp_path_factory.mktemp("prometheus"), config) as server:
            seen = "count_over_time(novabatch_build_info[1m]) >= 3"
            assert processes.wait_until(lambda: bool(server.query(seen)), 30)
            yield server


@contextmanager
def told() -> Iterator[int]:
    metrics, port = Metrics(), processes.free_port()
    for each in DECLARED:
        if not each.from_store and each.name != "build_info":
            touch(metrics, each)
    metrics.registry.register(Stored())
    server, thread = start_http_server(port, processes.HOST, metrics.registry)
    try:
        yield port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def touch(metrics: Metrics, each: Declared) -> None:
    for values in children(each):
        metric: Any = getattr(metrics, each.kind)(each.name)
        child = metric.labels(*values) if values else metric
        child.observe(1) if each.kind == "histogram" else child.inc()


def children(each: Declared) -> Iterator[tuple[str, ...]]:
    yield from product(*(BESIDES.get(label, ("a",)) for label in each.labels))


class Stored:
    """What one process tells of the store."""

    def collect(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
        for each in DECLARED:
            if each.from_store:
                make = CounterMetricFamily if each.kind == "counter" else GaugeMetricFamily
                family = make(PREFIX + each.name, each.help, labels=each.labels)
                for values in children(each):
                    family.add_metric(values, 1)
                yield family


@pytest.mark.parametrize("expr", sorted(set(expressions())))
def test_every_expression_gives_data_on_a_real_prometheus(scraped: Prometheus, expr: str) -> None:
    asked = expr.replace("$__rate_interval", "1m").replace("$queue", ".*").replace("$model", ".*")
    scraped.query(asked)  # Raises where it cannot be read.
    assert scraped.query(asked.replace(OVER_A_DAY, "")), "no data"
