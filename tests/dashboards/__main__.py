"""Draw the five failures: python -m tests.dashboards FOLDER [FAILURE ...]."""

import random
import sys
import tempfile
from argparse import ArgumentParser
from pathlib import Path

from deploy.local.monitoring import program
from tests.dashboards.drawing import Camera, all_pages, browser
from tests.dashboards.failures import FAILURES, failing

NAMES = ("amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "heron")


def main() -> int:
    """Write the pictures of each failure into a folder of a name that tells nothing, and the key beside."""
    parser = ArgumentParser(
        prog="python -m tests.dashboards", description="Draw failures as operators see them."
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("failures", nargs="*", metavar="FAILURE", help=f"of {', '.join(FAILURES)} (all)")
    chosen = parser.parse_args()
    if unknown := set(chosen.failures) - set(FAILURES):
        parser.error(f"there is no failure {', '.join(sorted(unknown))}")
    server, chrome = program("prometheus"), browser()
    if server is None or chrome is None:
        print("Prometheus and Chromium are needed: apt-get install prometheus chromium", file=sys.stderr)
        return 1
    chosen.folder.mkdir(parents=True, exist_ok=True)
    failures = chosen.failures or random.sample([*FAILURES], len(FAILURES))
    for name, failure in zip(random.sample(NAMES, len(failures)), failures, strict=True):
        draw(server, chrome, failure, chosen.folder / name)
        with (chosen.folder / "key.txt").open("a") as key:
            key.write(f"{name} {failure}\n")
        print(f"{failure} is drawn", flush=True)
    return 0


def draw(server: Path, chrome: str, failure: str, pictures: Path) -> None:
    """Let one failure happen and write the pictures of all dashboards."""
    with tempfile.TemporaryDirectory() as state, failing(server, Path(state), FAILURES[failure]) as seen:
        all_pages(Camera(chrome, seen.server.url, seen.begin, seen.end), pictures)


if __name__ == "__main__":
    sys.exit(main())
