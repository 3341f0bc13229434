"""Benches: ratios of us to a naive way and to the limit, taken in one run. They judge nothing by time."""

from collections.abc import Sequence

NAMES: Sequence[str] = (
    "slots",
    "scale",
    "copy",
    "slowdown",
    "plan",
    "ingest",
    "claim",
    "keep",
    "loop",
    "hostile",
    "clean",
    "start",
)
"""Each bench is the module of its name, with ``tables(scale)``; what matters most comes first."""
