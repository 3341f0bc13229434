"""The words that result shapes are written in."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from schemas.shapes.times import RANGE, TIME


def says(guidance: str) -> Meta:
    """Tell the model what belongs in a field; the text stands in the form of the prompt."""
    return Meta(description=guidance)


class Shape(Struct):
    """The shape of a result, or of a part of one.

    Every field is asked for and noted where it is missing; one with a default may be absent.
    """


MAIN = Meta(extra={"main": True})
"""Marks the field a bare value goes to where the whole object was asked for: `"pump"` is `{name: "pump"}`."""

Level = Literal["high", "medium", "low"]
Ratio = Annotated[float, Meta(ge=0, le=1)]
Certainty = Level | Ratio
"""Asked for as a level; a number from 0 to 1 is taken too."""
Percentage = Annotated[float, Meta(ge=0, le=100)]
Count = Annotated[int, Meta(ge=0)]
Day = Annotated[
    str, Meta(pattern=r"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])\Z", description="YYYY-MM-DD")
]
Time = Annotated[str, Meta(pattern=TIME, description="MM:SS or HH:MM:SS", extra={"reads": "time"})]
TimeRange = Annotated[str, Meta(pattern=RANGE, description="MM:SS-MM:SS", extra={"reads": "range"})]
