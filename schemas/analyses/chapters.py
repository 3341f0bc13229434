"""A video divided into chapters."""

from typing import Annotated

from schemas.shapes import Analysis, Count, Inference, Kind, Shape, Time, says


class Chapter(Shape):
    """One chapter; we add `time_range_seconds`."""

    index: Annotated[Count, says("1 for the first chapter")]
    title: Annotated[str, says("3–8 words")]
    start_time: Time
    end_time: Time
    summary: Annotated[str, says("one or two sentences")]
    detailed_summary: Annotated[str, says("one paragraph")]
    key_points: Annotated[list[str], says("a key point; 2–5 of them")]


class Chapters(Shape):
    """All chapters of a video, in order."""

    chapters: list[Chapter]


ANALYSES = (
    Analysis(
        "chapters",
        Kind.VIDEO,
        "Divide the whole video into chapters by topic. The first begins at 00:00, each next one where the "
        "one before ends, the last ends with the video.",
        Chapters,
        Inference(4096, 0.2, 0.9),
    ),
)
