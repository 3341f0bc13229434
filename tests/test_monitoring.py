"""Monitoring beside the local stack, and the compose file for machines that can pull images."""

import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest
import yaml  # type: ignore[import-untyped]

from deploy.local import monitoring, processes
from deploy.local.processes import Child
from tests.prometheus import Prometheus

UP = [sys.executable, "-m", "deploy.local", "up", "--monitoring", "--port", "0"]
DEPLOY = Path(__file__).resolve().parent.parent / "deploy"
GRAFANA = DEPLOY / "grafana"
COMPOSE = yaml.safe_load((GRAFANA / "compose.yml").read_text())


@pytest.fixture
def up(prometheus: Path, tmp_path: Path) -> Iterator[Child]:
    """The local stack with its Prometheus, ready."""
    environment = {**os.environ, "PATH": f"{prometheus.parent}:{os.environ['PATH']}"}
    child = processes.start("up", [*UP, "--dir", str(tmp_path / "up")], environment, tmp_path)
    try:
        processes.wait_ready(child, lambda: "\nready" in child.said(), 60)
        yield child
    finally:
        processes.stop([child], 30)


def told(child: Child, name: str) -> str:
    (found,) = (line.split()[1] for line in child.said().splitlines() if line.startswith(f"{name}:"))
    return found


def test_monitoring_beside_the_local_stack_scrapes_watches_and_draws(up: Child) -> None:
    server = Prometheus(told(up, "prometheus"))
    assert processes.wait_until(lambda: server.query("sum(up)") == [({}, 3.0)], 30)
    with urlopen(f"{server.url}/api/v1/rules") as answer:
        rules = json.load(answer)["data"]["groups"]
    assert {group["name"] for group in rules} >= {"novabatch", "novabatch-recording"}
    assert processes.answers(told(up, "dashboards"))


def test_monitoring_without_prometheus_says_what_to_install(tmp_path: Path) -> None:
    environment = {**os.environ, "PATH": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    environment.pop(monitoring.FOLDER, None)
    command = [*UP, "--no-consumers", "--dir", str(tmp_path / "up")]
    child = processes.start("up", command, environment, tmp_path)
    assert child.process.wait(60) == 1
    assert "apt-get install prometheus" in child.said()


def test_the_shipped_scraping_and_the_local_one_name_the_same_job_rules_and_consumers() -> None:
    shipped = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text())
    local = monitoring.config({"submit": 9100, "job_state": 9101, "cleanup": 9102})
    assert [Path(rule).name for rule in local["rule_files"]] == shipped["rule_files"]
    assert local["scrape_configs"] == shipped["scrape_configs"]


def test_the_compose_file_pins_its_images_and_listens_on_loopback_only() -> None:
    for name, service in COMPOSE["services"].items():
        assert re.fullmatch(r"v?[0-9]+[.][0-9]+[.][0-9]+", service["image"].rpartition(":")[2]), name
        assert service.get("network_mode") == "host" or all(
            port.startswith("127.0.0.1:") for port in service["ports"]
        )
    assert any(
        "--web.listen-address=127.0.0.1:" in word for word in COMPOSE["services"]["prometheus"]["command"]
    )
    assert COMPOSE["services"]["grafana"]["environment"]["GF_SERVER_HTTP_ADDR"] == "127.0.0.1"


def test_every_place_the_compose_file_mounts_is_there() -> None:
    mounts = [mount for service in COMPOSE["services"].values() for mount in service["volumes"]]
    here = [mount.split(":") for mount in mounts if mount.startswith(".")]
    assert here
    for source, _, mode in here:
        assert (GRAFANA / source).exists(), source
        assert mode == "ro"


def test_provisioning_leads_to_the_dashboards_and_the_source_that_compose_brings_up() -> None:
    mounted = {
        mount.split(":")[1]: mount.split(":")[0] for mount in COMPOSE["services"]["grafana"]["volumes"]
    }
    (provider,) = yaml.safe_load((GRAFANA / "provisioning/dashboards/novabatch.yml").read_text())["providers"]
    assert (GRAFANA / mounted[provider["options"]["path"]] / "novabatch-overview.json").exists()
    assert mounted["/etc/grafana/provisioning"] == "./provisioning"
    (source,) = yaml.safe_load((GRAFANA / "provisioning/datasources/novabatch.yml").read_text())[
        "datasources"
    ]
    listens = [word for word in COMPOSE["services"]["prometheus"]["command"] if "listen-address" in word]
    assert listens == [f"--web.listen-address={source['url'].removeprefix('http://')}"]
    assert (GRAFANA / mounted["/usr/share/grafana/public/novabatch"] / "runbook.md").exists()
