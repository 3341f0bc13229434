"""How deep tests look: what takes minutes is for ``make endurance``, which sets NOVABATCH_TEST_SWEEPS=all."""

import os

IN_ALL = os.environ.get("NOVABATCH_TEST_SWEEPS") == "all"
"""Whether sweeps strike everywhere and chance has all its examples."""


def examples(usually: int, in_all: int) -> int:
    """Return how many examples Hypothesis draws; they are others each time."""
    return in_all if IN_ALL else usually
