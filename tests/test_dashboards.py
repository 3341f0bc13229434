"""Dashboards: the committed files are the declarations', lie well, and every panel shows something."""

import json
import re
import subprocess
import sys
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
from deploy.grafana.panel import Dashboard
from deploy.grafana.proof import PROOFS
from deploy.grafana.write import RUNBOOK as RUNBOOK_ADDRESS
from deploy.grafana.write import text
from deploy.local import processes
from tests.dashboards.drawing import Camera, browser
from tests.prometheus import Prometheus, watching

FILES = {path.stem: json.loads(path.read_text()) for path in FOLDER.glob("*.json")}
ROOT = Path(__file__).resolve().parent.parent
RUNBOOK = (ROOT / "docs/runbook.md").read_text()
BESIDES = {
    "outcome": ("ok", "retry"),
    "dlq": ("true", "false"),
    "state": ("visible", "busy"),
    "code": ("Throttled",),
    "kind": ("cleanup_failing",),
    "action": ("event_missed",),
}
USUAL = {"process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds"}


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
    for what in ("id", "title"):
        told = [panel[what] for panel in FILES[uid]["panels"]]
        assert len(told) == len(set(told))


def test_no_panel_is_without_a_proof_and_no_proof_without_a_panel() -> None:
    ours = {uid: {panel["title"] for panel in panels(uid)} for uid in FILES}
    assert {uid: set(proofs) for uid, proofs in PROOFS.items()} == ours


def test_every_panel_leads_to_the_runbook_and_to_entries_that_are_there() -> None:
    entries = {f"#{line[3:].lower()}" for line in RUNBOOK.splitlines() if line.startswith("## ")}
    links = [panel["links"] for uid in FILES for panel in panels(uid)]
    assert all(links)
    told = {link["url"].removeprefix("${runbook}") for each in links for link in each}
    assert len(told) > 15
    assert told <= {"", *entries}


@pytest.mark.parametrize("uid", FILES)
def test_every_page_lets_a_person_choose_source_part_and_runbook(uid: str) -> None:
    variables = {each["name"]: each for each in FILES[uid]["templating"]["list"]}
    assert len(variables) >= 3
    assert variables["datasource"]["type"] == "datasource"
    assert variables["runbook"]["query"] == RUNBOOK_ADDRESS
    used = set(re.findall(r"\$(?!__)(\w+)", json.dumps(FILES[uid]["panels"])))
    assert used - {"datasource"} == set(variables) - {"datasource", "runbook"}


def test_the_runbook_lies_where_the_person_who_writes_the_dashboards_says(tmp_path: Path) -> None:
    address = "https://wiki.example/novabatch"
    command = [sys.executable, "-m", "deploy.grafana", "--runbook", address, "--to", str(tmp_path)]
    subprocess.run(command, check=True, cwd=ROOT)
    for uid in FILES:
        variables = json.loads((tmp_path / f"{uid}.json").read_text())["templating"]["list"]
        assert [each["query"] for each in variables if each["name"] == "runbook"] == [address]


def test_a_queue_in_the_overview_leads_to_the_detail_of_its_consumer() -> None:
    linked = [link for panel in panels("novabatch-overview") for link in data_links(panel)]
    assert len(linked) > 5
    for link in linked:
        assert link["url"].startswith("/d/novabatch-consumer?var-queue=${__field.labels.queue}&")
    variables = {each["name"] for each in FILES["novabatch-consumer"]["templating"]["list"]}
    assert "queue" in variables


def data_links(panel: dict[str, Any]) -> list[dict[str, Any]]:
    links: list[dict[str, Any]] = panel["fieldConfig"]["defaults"].get("links", [])
    return links


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
        assert {re.sub("_(bucket|count)$", "", name) for name in names} <= known, expr


@pytest.fixture(scope="module")
def scraped(prometheus: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """A Prometheus that has seen every declared metric of the product's registry twice or more."""
    folder = tmp_path_factory.mktemp("prometheus") / "watching"
    with told() as port, watching(prometheus, folder, {"submit": port}) as server:
        seen = "count_over_time(novabatch_build_info[1m]) >= 3"
        assert processes.wait_until(lambda: bool(server.query(seen) and server.firing()), 30)
        yield server


@contextmanager
def told() -> Iterator[int]:
    metrics, port = Metrics(), processes.free_port()
    metrics.registry.register(Told(metrics))
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


class Told:
    """What one process tells of the store; at each look all that is counted has grown."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._looks = 0

    def collect(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
        self._looks += 1
        for each in DECLARED:
            if not each.from_store and each.name != "build_info":
                touch(self._metrics, each)
        for each in DECLARED:
            if each.from_store:
                make = CounterMetricFamily if each.kind == "counter" else GaugeMetricFamily
                family = make(PREFIX + each.name, each.help, labels=each.labels)
                for values in children(each):
                    family.add_metric(values, self._looks if each.kind == "counter" else 1)
                yield family


@pytest.mark.parametrize("expr", sorted(set(expressions())))
def test_every_expression_gives_data_on_a_real_prometheus(scraped: Prometheus, expr: str) -> None:
    asked = re.sub(r"\$(queue|model|area)", ".*", expr.replace("$__rate_interval", "1m"))
    assert scraped.query(asked), "no data"


@pytest.mark.skipif(browser() is None, reason="no browser: apt-get install chromium")
@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda dashboard: str(dashboard.uid))
def test_the_preview_draws_every_panel(scraped: Prometheus, dashboard: Dashboard) -> None:
    now = scraped.query("vector(time())")[0][1]
    states = Camera(browser() or "", scraped.url, now - 30, now).states(dashboard)
    assert states == {panel["title"]: "data" for panel in panels(dashboard.uid)}
