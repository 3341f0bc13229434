"""An analysis type of one's own: the colours of a video or an image.

Put a file like this one into the folder named by NOVABATCH_ANALYSES_DIR and start every process again:
`colours` can then be asked for in `analysis_types`. The fields of a shape become the form the model fills
in, and the reader of its answers.
"""

from typing import Annotated, Any

from schemas.shapes import MAIN, Analysis, Inference, Kind, Notes, Options, Ratio, Shape, TimeRange, says

MOST = {"brief": 3, "standard": 5, "detailed": 10}


class Colour(Shape):
    """One colour; with MAIN a bare `"red"` is read as `{"name": "red"}`."""

    name: Annotated[str, MAIN, says("a plain word such as red, dark blue, silver")]
    share: Annotated[Ratio, says("the part of the picture it covers")]


class Colours(Shape):
    """The colours of an image."""

    colours: list[Colour]
    mood: Annotated[str, says("how the colours feel together, in 2–5 words")]


class MovingColours(Colours):
    """The colours of a video; for its time ranges we add `changes_seconds`."""

    changes: Annotated[list[TimeRange], says("MM:SS-MM:SS in which the colours change")]


def ask_number(options: Options) -> str:
    """A wish says what the options of a request mean for this analysis."""
    return f"Name at most {MOST[options.summary_depth]} colours."


def sort_by_share(result: dict[str, Any], _notes: Notes) -> None:
    """A rule changes a result that was read: here the largest part comes first, an unknown one last."""
    result["colours"].sort(key=lambda colour: -(colour["share"] or 0))


def colours(kind: Kind, shape: type[Shape]) -> Analysis:
    """Declare the analysis for one kind of media."""
    question = f"Name the colours that cover most of the {kind}."
    inference = Inference(max_tokens=1024, temperature=0.2)
    return Analysis("colours", kind, question, shape, inference, rules=(sort_by_share,), wishes=(ask_number,))


ANALYSES = (colours(Kind.VIDEO, MovingColours), colours(Kind.IMAGE, Colours))
