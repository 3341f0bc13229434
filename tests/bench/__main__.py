"""``python -m tests.bench [--full] [NAME…]``: prints what each bench found, beside its targets.

Ends with 1 if a target is missed that its table does not know a reason for.
"""

import argparse
import os
import platform
import sys
from collections.abc import Iterable
from importlib import import_module

from tests.bench import NAMES
from tests.bench.table import Scale, Table


def main() -> int:
    """Run the benches that were named, or all of them."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"any of: {', '.join(NAMES)} (default: all)")
    parser.add_argument("--full", action="store_const", const=Scale.FULL, default=Scale.SHORT, dest="scale",
                        help="as many files, rows and rounds as the targets speak of")  # fmt: skip
    asked = parser.parse_args()
    if unknown := set(asked.names) - set(NAMES):
        parser.error(f"no bench is called {', '.join(sorted(unknown))}: choose from {', '.join(NAMES)}")
    load = os.getloadavg()[0]
    print(
        f"Python {platform.python_version()}, {os.cpu_count()} processors, load {load:.1f} at the start. "
        "Ratios of one run count; absolute figures move with the machine."
    )
    return judge(
        table
        for name in asked.names or NAMES
        for table in import_module(f"tests.bench.{name}").tables(asked.scale)
    )


def judge(tables: Iterable[Table]) -> int:
    """Print tables as they come; returns 1 if a target is missed that is not known to be."""
    missed, known = [], 0
    for table in tables:
        print(*table.lines(), sep="\n", flush=True)
        missed += [f"{table.title}: {target.what}" for target in table.targets if target.failed]
        known += sum(not target.met and not target.failed for target in table.targets)
    print(f"\n{len(missed)} targets missed, {known} more for known reasons", *missed, sep="\n  ")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
