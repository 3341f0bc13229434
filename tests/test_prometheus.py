"""The shipped rules on a real Prometheus, which scrapes what a test tells it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from deploy.local import processes
from tests.prometheus import Prometheus, prometheus_server

RULES = Path(__file__).resolve().parent.parent / "deploy/prometheus"
SHIPPED = yaml.safe_load((RULES / "prometheus.yml").read_text())
QUICK = {"scrape_interval": "1s", "evaluation_interval": "1s"}


@contextmanager
def watching(program: Path, folder: Path, ports: Mapping[str, int]) -> Iterator[Prometheus]:
    """Run a Prometheus with the shipped config, but quick and with consumers at other ports."""
    folder.mkdir()
    targets = [
        {"targets": [f"{processes.HOST}:{port}"], "labels": {"consumer": name}}
        for name, port in ports.items()
    ]
    (scrape,) = SHIPPED["scrape_configs"]
    config: dict[str, Any] = {
        "global": QUICK,
        "rule_files": [str(RULES / file) for file in SHIPPED["rule_files"]],
        "scrape_configs": [{**scrape, "static_configs": targets}],
    }
    with prometheus_server(program, folder, config) as server:
        yield server


def test_a_consumer_that_does_not_answer_is_on_its_way_to_an_alert(prometheus: Path, tmp_path: Path) -> None:
    ports = {"submit": processes.free_port()}
    with watching(prometheus, tmp_path / "prometheus", ports) as server:
        pending = 'ALERTS{alertname="NovabatchConsumerDown", alertstate="pending", consumer="submit"}'
        assert processes.wait_until(lambda: bool(server.query(pending)), 20)
        ((labels, _),) = server.query(pending)
        assert labels["severity"] == "critical"


def test_a_server_that_cannot_read_its_config_says_why(prometheus: Path, tmp_path: Path) -> None:
    with (
        pytest.raises(processes.NotStartedError, match="no_such_setting"),
        prometheus_server(prometheus, tmp_path, {"no_such_setting": 1}),
    ):
        pass
