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
    parser = ArgumentParser(prog="python -m tests.dashboards", description="Draw the five failures.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("failures", nargs="*", choices=[*FAILURES, []], default=[])
    chosen = parser.parse_args()
    server, chrome = program("prometheus"), browser()
    if server is None or chrome is None:
        print("Prometheus and Chromium are needed: apt-get install prometheus chromium", file=sys.stderr)
        return 1
    names = random.sample(NAMES, len(NAMES))
    chosen.folder.mkdir(parents=True, exist_ok=True)
    with (chosen.folder / "key.txt").open("a") as key:
        for name, failure in zip(names, chosen.failures or FAILURES, strict=False):
            with (
                tempfile.TemporaryDirectory() as state,
                failing(server, Path(state), FAILURES[failure]) as seen,
            ):
                all_pages(Camera(chrome, seen.server.url, seen.begin, seen.end), chosen.folder / name)
            key.write(f"{name} {failure}\n")
            print(f"{failure} is drawn", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
