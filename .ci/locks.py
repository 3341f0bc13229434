"""Write the two lock files, or with --check tell whether they are in step with pyproject.toml."""

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCKS: dict[str, list[str]] = {"requirements.txt": [], "requirements-dev.txt": ["--extra", "dev"]}
COMPILE = ["pip", "compile", "--quiet", "--universal", "--generate-hashes", "--no-header", "--no-annotate"]


def compile_lock(extra: list[str], target: Path) -> None:
    """Resolve pyproject.toml into ``target``, keeping the versions that stand there already."""
    uv = Path(sys.executable).with_name("uv")
    source = str(ROOT / "pyproject.toml")
    command = [str(uv), *COMPILE, "--python-version", "3.11", *extra, source, "-o", str(target)]
    subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)  # noqa: S603


def out_of_step(name: str, extra: list[str]) -> bool:
    """Tell whether a lock would change if it were written again."""
    committed = (ROOT / name).read_text()
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, name)
        copy.write_text(committed)
        compile_lock(extra, copy)
        return copy.read_text() != committed


def main(arguments: list[str]) -> int:
    """Check or write; 1 if a lock is out of step."""
    if arguments == ["--check"]:
        late = [name for name, extra in LOCKS.items() if out_of_step(name, extra)]
        for name in late:
            print(f"{name} is not in step with pyproject.toml: run `make lock`")
        return 1 if late else 0
    for name, extra in LOCKS.items():
        compile_lock(extra, ROOT / name)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
