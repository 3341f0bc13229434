"""What is installed on a machine: built from what is hash-locked, and replaced by what was built last."""

import re
import subprocess
import sys
from pathlib import Path
from shutil import copy2, copytree, ignore_patterns

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = ("Makefile", "Dockerfile", "deploy/systemd/README.md", "docs/recovery.md")
SOURCES = ("Makefile", "pyproject.toml", "README.md", "LICENSE", "requirements-dev.txt")


@pytest.mark.parametrize("page", PAGES)
def test_nothing_is_installed_that_is_neither_hash_locked_nor_built_here(page: str) -> None:
    text = (ROOT / page).read_text().replace("\\\n", " ")
    commands = re.findall(r"\bpip(?: --\S+ \S+)? (?:install|wheel)\b[^\n&]*", text)
    assert commands
    for each in commands:
        assert re.search(r"--require-hashes|--no-build-isolation|--no-deps .*\.whl", each), each


@pytest.mark.endurance
def test_the_wheel_that_was_built_last_replaces_one_of_the_same_version(tmp_path: Path) -> None:
    source, place = tmp_path / "source", tmp_path / "opt"
    source.mkdir()
    for name in SOURCES:
        copy2(ROOT / name, source)
    for name in ("schemas", "consumers", "daemon"):
        copytree(ROOT / name, source / name, ignore=ignore_patterns("__pycache__"))
    page = (ROOT / "deploy/systemd/README.md").read_text()
    (install,) = re.findall(r"^sudo (/opt/novabatch/bin/pip install .*\.whl)$", page, re.MULTILINE)
    subprocess.run([sys.executable, "-m", "venv", place], check=True)
    for mark in ("first", "second"):
        (source / "daemon/built.py").write_text(f"MARK = {mark!r}\n")
        (source / f"daemon/only_{mark}.py").write_text("")
        subprocess.run(["make", "wheel", f"PYTHON={sys.executable}"], cwd=source, check=True)
        command = install.replace("/opt/novabatch", str(place))
        subprocess.run(["bash", "-ec", command], cwd=source, check=True)
        (source / f"daemon/only_{mark}.py").unlink()
    asked = "import daemon.built, sys; print(daemon.built.MARK, daemon.__path__[0])"
    told = subprocess.run(
        [place / "bin/python", "-c", asked], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    mark, where = told.stdout.split()
    assert mark == "second"
    assert (Path(where) / "only_second.py").exists()
    assert not (Path(where) / "only_first.py").exists()
