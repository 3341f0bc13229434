"""Programs of a real Prometheus: from the environment, from PATH, or from Debian's package, unpacked only."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "novabatch-tests"
DOWNLOAD_SECONDS = 120


@pytest.fixture(scope="session")
def promtool() -> Path:
    """The checker that comes with Prometheus; without one the test is skipped, and says so."""
    found = _program("promtool")
    if found is None:
        pytest.skip("no promtool: set NOVABATCH_TEST_PROMETHEUS to its folder or install Debian's prometheus")
    return found


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
