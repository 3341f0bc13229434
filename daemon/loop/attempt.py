"""The one place that catches everything: a fault of the loop's own must not end the loop."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from consumers.core.faults import Fault

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Failed:
    """What a call raised."""

    error: Exception

    @property
    def why(self) -> str:
        """Say what went wrong. Only faults are quoted: other errors may repeat the data they met."""
        return self.error.message if isinstance(self.error, Fault) else type(self.error).__name__


def attempt(call: Callable[[], T]) -> T | Failed:
    """Return what a call returns, or what it raised."""
    try:
        return call()
    except Exception as error:
        return Failed(error)
