"""Measuring: rounds in which everything takes its turn, so that a busy machine strikes all alike."""

import time
from collections.abc import Callable, Mapping
from statistics import median
from typing import TypeVar

K = TypeVar("K")


def interleaved(rounds: int, measures: Mapping[K, Callable[[], float]]) -> dict[K, float]:
    """Take every measure once a round, each round beginning with another one; returns the medians."""
    names = list(measures)
    found: dict[K, list[float]] = {name: [] for name in names}
    for number in range(rounds):
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            found[name].append(measures[name]())
    return {name: median(values) for name, values in found.items()}


def seconds(work: Callable[[], object]) -> float:
    """Return how long a piece of work takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def each(work: Callable[[], object], times: int) -> float:
    """Return the median of how long a piece of work takes, done so many times."""
    return median(seconds(work) for _ in range(times))
