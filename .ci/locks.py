"""Write the two lock files, or with --check tell whether they are in step with pyproject.toml.

Each lock begins with a digest of the dependencies it was made from, so that the check needs no network.
"""

import hashlib
import json
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCKS: dict[str, list[str]] = {"requirements.txt": [], "requirements-dev.txt": ["--extra", "dev"]}
COMPILE = ["pip", "compile", "--quiet", "--universal", "--generate-hashes", "--no-header", "--no-annotate"]
MARK = "# dependencies "


def digest(extra: list[str]) -> str:
    """Return what a lock depends on: the Python it is for, and the dependencies asked for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = [project["requires-python"], project["dependencies"], *extra]
    if extra:
        asked.append(project["optional-dependencies"]["dev"])
    return hashlib.sha256(json.dumps(asked).encode()).hexdigest()


def write(name: str, extra: list[str]) -> None:
    """Resolve pyproject.toml into a lock, keeping the versions that stand there already."""
    uv = Path(sys.executable).with_name("uv")
    source, target = str(ROOT / "pyproject.toml"), ROOT / name
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, name)
        copy.write_text(target.read_text() if target.exists() else "")
        command = [str(uv), *COMPILE, "--python-version", "3.11", *extra, source, "-o", str(copy)]
        subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)  # noqa: S603
        target.write_text(f"{MARK}{digest(extra)}\n{copy.read_text()}")


def in_step(name: str, extra: list[str]) -> bool:
    """Tell whether a lock was made from today's dependencies and pins every package by hash."""
    lines = (ROOT / name).read_text().splitlines()
    pins = [line for line in lines if "==" in line]
    return lines[0] == MARK + digest(extra) and len(pins) > 10 and all(line.endswith("\\") for line in pins)


def main(arguments: list[str]) -> int:
    """Check or write; 1 if a lock is out of step."""
    if arguments == ["--check"]:
        late = [name for name, extra in LOCKS.items() if not in_step(name, extra)]
        for name in late:
            print(f"{name} is not in step with pyproject.toml: run `make lock`")
        return 1 if late else 0
    for name, extra in LOCKS.items():
        write(name, extra)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
