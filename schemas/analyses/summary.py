"""What a video is about, in words."""

from typing import Annotated

from schemas.options import SummaryDepth
from schemas.shapes import MAIN, Analysis, Inference, Kind, Notes, Options, Shape, says

WORDS = {"brief": "at most 50 words", "standard": "about 150 words", "detailed": "about 400 words"}


class Summary(Shape):
    """A summary; we add `word_count`."""

    text: Annotated[str, MAIN, says("the summary, as plain text")]
    depth: Annotated[SummaryDepth, says("the depth asked for")]
    language: Annotated[str, says("ISO code of the language of the summary")]


def ask_depth(options: Options) -> str:
    """Say how long the summary shall be."""
    return f"The depth of the summary is `{options.summary_depth}`: {WORDS[options.summary_depth]}."


def count_words(result: dict[str, object], _notes: Notes) -> None:
    """Add the number of words, counted at white space."""
    result["word_count"] = len(str(result["text"]).split())


ANALYSES = (
    Analysis(
        "summary",
        Kind.VIDEO,
        "Summarise what the video shows and what is said in it: purpose, course, result.",
        Summary,
        Inference(2048, 0.3, 0.9),
        rules=(count_words,),
        wishes=(ask_depth,),
    ),
)
