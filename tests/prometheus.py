"""A real Prometheus: programs from the environment, PATH or Debian, and a server to ask."""

import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest

from deploy.local import monitoring, processes
from tests.databases import give_up

QUICK = {"scrape_interval": "1s", "evaluation_interval": "1s"}
Sample = tuple[Mapping[str, str], float]


@pytest.fixture(scope="session")
def promtool() -> Path:
    """The checker that comes with Prometheus."""
    return _need("promtool")


@pytest.fixture(scope="session")
def prometheus() -> Path:
    """The server's program."""
    return _need("prometheus")


@dataclass(frozen=True, slots=True)
class Prometheus:
    """A running server."""

    url: str

    def query(self, expression: str) -> Sequence[Sample]:
        """Return what an instant query gives now: labels and value of each series."""
        with urlopen(f"{self.url}/api/v1/query?{urlencode({'query': expression})}", timeout=10) as answer:
            found = json.load(answer)["data"]["result"]
        return [(each["metric"], float(each["value"][1])) for each in found]

    def firing(self) -> set[str]:
        """Return the names of the alerts that fire."""
        return {labels["alertname"] for labels, _ in self.query('ALERTS{alertstate="firing"}')}

    def fired(self) -> Mapping[str, float]:
        """Tell how many seconds ago each alert fired last that did so within five minutes."""
        last = 'max_over_time(timestamp(ALERTS{alertstate="firing"})[5m:1s])'
        return {
            labels["alertname"]: ago for labels, ago in self.query(f"time() - max by (alertname) ({last})")
        }


@contextmanager
def prometheus_server(binary: Path, folder: Path, config: Mapping[str, object]) -> Iterator[Prometheus]:
    """Run a server on a free loopback port until the block ends; data, config and log lie in the folder."""
    with monitoring.served(binary, folder, config, processes.free_port()) as server:
        yield Prometheus(server.url)


@contextmanager
def watching(binary: Path, folder: Path, ports: Mapping[str, int]) -> Iterator[Prometheus]:
    """Run a Prometheus with the shipped rules, but quick and with consumers at other ports."""
    folder.mkdir()
    with prometheus_server(binary, folder, {**monitoring.config(ports), "global": QUICK}) as server:
        yield server


def _need(name: str) -> Path:
    """Find a program; where Debian offers it, CI must not go on without."""
    found = monitoring.program(name)
    if found is None:
        why = f"no {name}: set {monitoring.FOLDER} to its folder or install Debian's prometheus"
        if _is_offered():
            give_up(why)
        pytest.skip(why)
    return Path(str(found))


def _is_offered() -> bool:
    """Tell whether apt knows the package."""
    apt = shutil.which("apt-cache")
    return apt is not None and not subprocess.run([apt, "show", "prometheus"], capture_output=True).returncode
