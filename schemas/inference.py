"""How the model shall write its answer to one record."""

from dataclasses import dataclass, replace
from math import isfinite
from typing import Any

Bounds = tuple[float, float]
"""The least and the greatest value of a setting, both included."""


@dataclass(frozen=True, slots=True)
class Inference:
    """The sampling settings of one record.

    `max_tokens` bounds the answer, `temperature` is 0 or more, `top_p` lies between 0 and 1. None leaves a
    setting to the model's own default and keeps it out of the record. ValueError for anything else.
    """

    max_tokens: int
    temperature: float | None = None
    top_p: float | None = None

    def __post_init__(self) -> None:
        if not _is_number(self.max_tokens, int) or self.max_tokens < 1:
            raise ValueError(f"max_tokens is {self.max_tokens!r}: write a whole number from 1 on")
        if self.temperature is not None and not _is_number(self.temperature, int | float):
            raise ValueError(
                f"temperature is {self.temperature!r}: write a number from 0 on, or leave it out"
            )
        if self.top_p is not None and not (_is_number(self.top_p, int | float) and self.top_p <= 1):
            raise ValueError(f"top_p is {self.top_p!r}: write a number from 0 to 1, or leave it out")

    def within(self, temperature: Bounds, top_p: Bounds) -> "Inference":
        """Return the settings moved into a model's bounds; one left to the model stays so."""
        return replace(
            self, temperature=_moved(self.temperature, temperature), top_p=_moved(self.top_p, top_p)
        )


def _is_number(value: object, kinds: Any) -> bool:
    return isinstance(value, kinds) and not isinstance(value, bool) and isfinite(value) and value >= 0


def _moved(value: float | None, bounds: Bounds) -> float | None:
    return value if value is None else min(max(value, bounds[0]), bounds[1])
