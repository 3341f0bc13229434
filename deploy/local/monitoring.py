"""A Prometheus beside the local AWS, with the shipped rules and the page that draws the dashboards."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.local import processes
from deploy.local.processes import ROOT, Child
from deploy.local.up import CannotStartError, Guest, Local

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "novabatch"
FOLDER = "NOVABATCH_TEST_PROMETHEUS"
RULES, DASHBOARDS = ROOT / "deploy/prometheus", ROOT / "deploy/grafana"
RULE_FILES = ("recording.yml", "alerts.yml")
PREFERRED_PORT = 9090
DOWNLOAD_SECONDS = 120
EVERY = {"scrape_interval": "5s", "evaluation_interval": "5s"}
MISSING = (
    "monitoring needs Prometheus, which is neither on PATH nor to be had here: apt-get install prometheus"
)


@dataclass(frozen=True, slots=True)
class Served:
    """A running Prometheus."""

    url: str
    child: Child


@contextmanager
def beside(local: Local) -> Iterator[Guest]:
    """Run a Prometheus that watches the consumers of a local environment, on port 9090 or a free one."""
    binary = program("prometheus")
    if binary is None:
        raise CannotStartError(MISSING)
    folder = local.directory / "prometheus"
    folder.mkdir(exist_ok=True)
    with served(binary, folder, config(local.ports), processes.free_port(PREFERRED_PORT)) as server:
        page = f"dashboards: {server.url}/user/preview/index.html"
        yield Guest(server.child, [f"prometheus: {server.url}", page])


def config(ports: Mapping[str, int]) -> dict[str, Any]:
    """Return a configuration for consumers at these ports of this machine."""
    targets = [
        {"targets": [f"{processes.HOST}:{port}"], "labels": {"consumer": name}}
        for name, port in ports.items()
    ]
    return {
        "global": EVERY,
        "rule_files": [str(RULES / name) for name in RULE_FILES],
        "scrape_configs": [{"job_name": "novabatch", "static_configs": targets}],
    }


@contextmanager
def served(binary: Path, folder: Path, config: Mapping[str, object], port: int) -> Iterator[Served]:
    """Run a server on a loopback port until the block ends; data, config and log lie in the folder."""
    file = folder / "prometheus.yml"
    file.write_text(json.dumps(config))  # JSON is YAML.
    address = f"{processes.HOST}:{port}"
    command = [str(binary), f"--config.file={file}", f"--storage.tsdb.path={folder / 'data'}"]
    command += [f"--web.listen-address={address}", f"--web.user-assets={DASHBOARDS}"]
    child = processes.start("prometheus", command, os.environ, folder)
    try:
        processes.wait_ready(child, lambda: processes.answers(f"http://{address}/-/ready"))
        yield Served(f"http://{address}", child)
    finally:
        processes.stop([child])


def program(name: str) -> Path | None:
    """Return a program of Prometheus: from PATH, or from Debian's package, which need not be installed."""
    folder = os.environ.get(FOLDER)
    if found := shutil.which(name, path=folder) or shutil.which(name):
        return Path(found)
    unpacked = CACHE / "prometheus" / "usr" / "bin" / name
    return unpacked if unpacked.exists() or (_unpack() and unpacked.exists()) else None


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
