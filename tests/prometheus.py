"""A real Prometheus: programs from the environment, PATH or Debian, and a server to ask."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest
import yaml  # type: ignore[import-untyped]

from deploy.local import processes

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "novabatch-tests"
DOWNLOAD_SECONDS = 120
RULES = Path(__file__).resolve().parent.parent / "deploy/prometheus"
SHIPPED = yaml.safe_load((RULES / "prometheus.yml").read_text())
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


@contextmanager
def prometheus_server(program: Path, folder: Path, config: Mapping[str, object]) -> Iterator[Prometheus]:
    """Run a server on a free loopback port until the block ends; data, config and log lie in the folder."""
    file = folder / "prometheus.yml"
    file.write_text(json.dumps(config))  # JSON is YAML.
    address = f"{processes.HOST}:{processes.free_port()}"
    command = [str(program), f"--config.file={file}", f"--storage.tsdb.path={folder / 'data'}"]
    child = processes.start("prometheus", [*command, f"--web.listen-address={address}"], os.environ, folder)
    try:
        processes.wait_ready(child, lambda: processes.answers(f"http://{address}/-/ready"))
        yield Prometheus(f"http://{address}")
    finally:
        processes.stop([child])


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


def _need(name: str) -> Path:
    found = _program(name)
    if found is None:
        pytest.skip(f"no {name}: set NOVABATCH_TEST_PROMETHEUS to its folder or install Debian's prometheus")
    return Path(str(found))


def _program(name: str) -> Path | None:
    folder = os.environ.get("NOVABATCH_TEST_PROMETHEUS")
    if found := shutil.which(name, path=folder) or shutil.which(name):
        return Path(found)
    unpacked = CACHE / "prometheus" / "usr" / "bin" / name
    return unpacked if unpacked.exists() or _unpack() else None


def _unpack() -> bool:
    """Get Debian's package without installing it; tells whether it is there."""
    if not (shutil.which("apt-get") and shutil.which("dpkg")):
        return False
    target = CACHE / f"prometheus.{os.getpid()}"
    target.mkdir(parents=True, exist_ok=True)
    try:
        _run(["apt-get", "download", "prometheus"], target)
        for package in target.glob("*.deb"):
            _run(["dpkg", "-x", str(package), str(target)], target)
            package.unlink()
        target.rename(CACHE / "prometheus")
    except (subprocess.SubprocessError, OSError):
        shutil.rmtree(target, ignore_errors=True)
    return (CACHE / "prometheus" / "usr" / "bin").is_dir()


def _run(command: list[str], folder: Path) -> None:
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=DOWNLOAD_SECONDS)
