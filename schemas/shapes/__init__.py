"""Everything an analysis file is written in: one import for the authors of analysis types.

A `Shape` says which fields an answer has; the form in the prompt and the reading of the answer both follow
from it. An `Analysis` is a shape with its name, its kind of media, its instructions and its `Inference`.
"""

from schemas.inference import Inference
from schemas.kinds import Kind
from schemas.options import Options
from schemas.shapes.analysis import Analysis
from schemas.shapes.fields import (
    MAIN,
    Certainty,
    Count,
    Day,
    Level,
    Percentage,
    Ratio,
    Shape,
    Time,
    TimeRange,
    says,
)
from schemas.shapes.notes import Notes

__all__ = [
    "MAIN",
    "Analysis",
    "Certainty",
    "Count",
    "Day",
    "Inference",
    "Kind",
    "Level",
    "Notes",
    "Options",
    "Percentage",
    "Ratio",
    "Shape",
    "Time",
    "TimeRange",
    "says",
]
