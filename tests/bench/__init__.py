"""Benches: ratios of us to a naive way and to the limit, taken in one run. They judge nothing by time."""

from collections.abc import Mapping

NAMES: Mapping[str, str] = {
    "loop": "loop",
    "hostile": "hostile",
    "claim": "claim",
    "copy": "copy",
    "slowdown": "slowdown",
    "clean": "clean",
    "slots": "slots",
    "plan": "plan",
    "hostile": "hostile",
    "start": "start",
}
"""Each bench by its name, with the module that has its ``tables(scale)``."""
