"""Packages of npm, fetched once for all runs into a cache outside of the repository."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from deploy.local.monitoring import CACHE

INSTALL = ("npm", "install", "--no-audit", "--no-fund", "--no-save", "--ignore-scripts", "--prefix")


def packages(name: str, *wanted: str) -> Path:
    """Return the folder whose ``node_modules`` holds these packages; skips where npm cannot be had."""
    folder = CACHE / "-".join([name, *(each.rpartition("@")[2] for each in wanted)])
    if not (folder / "node_modules").exists():
        _fetch(folder, wanted)
    return folder


def _fetch(folder: Path, wanted: tuple[str, ...]) -> None:
    target = folder.with_name(f"{folder.name}.{os.getpid()}")
    try:
        target.mkdir(parents=True)
        subprocess.run([*INSTALL, str(target), *wanted], check=True, capture_output=True, timeout=180)
        target.rename(folder)
    except (OSError, subprocess.SubprocessError):
        shutil.rmtree(target, ignore_errors=True)
        if not (folder / "node_modules").exists():
            pytest.skip(f"npm cannot fetch {' and '.join(wanted)}")
