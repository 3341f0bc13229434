"""Where a waterfall belongs in the product taxonomy."""

from typing import Annotated, Any, Literal

from msgspec import field

from schemas.shapes import Analysis, Inference, Kind, Notes, Ratio, Shape, says

Family = Literal["Custom Natural Stone", "Custom Formal", "Genesis Natural", "Genesis Formal", "Unknown"]
Tier = Literal["Classic (Small)", "Deluxe (Medium)", "Ultimate (Large)", "Unknown"]
FunctionalType = Literal["Waterfall", "Waterfall with Slide", "Grotto", "Grotto with Slide", "Unknown"]
SubType = Literal["One-Tier", "Two-Tier", "Two-Tier Split", "Three-Tier", "Cantilever", "Unknown"]
ContentType = Literal[
    "product_overview",
    "installation_tutorial",
    "building_demonstration",
    "troubleshooting",
    "comparison",
    "review",
]
Reasons = Annotated[dict[str, str], says("dimension that is Unknown: why")]
SkillLevel = Literal["beginner", "intermediate", "advanced", "professional"]

THRESHOLDS = {"family": 0.70, "tier_level": 0.70, "functional_type": 0.75, "sub_type": 0.70}
"""Below its threshold a dimension is Unknown."""


class Confidence(Shape, kw_only=True):
    """How sure the model is of each dimension; we compute `overall`, the smallest of the four."""

    family: Ratio
    tier_level: Ratio
    functional_type: Ratio
    sub_type: Ratio
    overall: Annotated[Ratio, says("the smallest of the four")] = 0.0


class Classification(Shape, kw_only=True):
    """The dimensions of the taxonomy, with why; common to videos and images."""

    family: Family
    tier_level: Tier
    functional_type: FunctionalType
    sub_type: SubType
    confidence: Confidence
    evidence: Annotated[list[str], says("a short observation that speaks for the decision")]
    unknown_reasons: Reasons = field(default_factory=dict)
    search_tags: Annotated[list[str], says("a search tag")]
    product_keywords: Annotated[list[str], says("a product keyword")]
    content_type: ContentType


class VideoClassification(Classification, kw_only=True):
    """A waterfall in a video."""

    skill_level: SkillLevel
    building_techniques: Annotated[list[str], says("a building technique that is shown")]


class ImageClassification(Classification, kw_only=True):
    """A waterfall in an image."""

    installation_state: Annotated[str, says("e.g. under construction, finished, running")]
    visible_components: Annotated[list[str], says("a visible part, e.g. pump, spillway")]


def doubt(result: dict[str, Any], notes: Notes) -> None:
    """Make doubtful dimensions Unknown and give every Unknown one a reason; recompute `overall`."""
    confidence = result["confidence"]
    given = result["unknown_reasons"]
    reasons: dict[str, str] = {}
    for dimension in THRESHOLDS:
        reason = _reason(dimension, result[dimension], confidence[dimension], given.get(dimension), notes)
        if reason is not None:
            result[dimension] = "Unknown"
            reasons[dimension] = reason
    result["unknown_reasons"] = reasons
    known = [confidence[dimension] for dimension in THRESHOLDS]
    confidence["overall"] = None if None in known else min(known)


def _reason(dimension: str, value: str, sure: float | None, given: str | None, notes: Notes) -> str | None:
    """Return why a dimension is Unknown, or None where it is known."""
    if dimension in notes.outside:
        return "not in the taxonomy"
    if notes.misses(dimension):
        return "not answered"
    if value == "Unknown":
        return given or "no reason given"
    if sure is None:
        return "no confidence given"
    least = THRESHOLDS[dimension]
    return f"confidence {sure:g} is below {least:.2f}" if sure < least else None


_INSTRUCTIONS = """\
Classify the waterfall. Decide in this order: family, functional_type, tier_level, sub_type. What you see \
counts more than what is said, what is said more than the context.
Natural families have boulders, formal ones have none; Genesis is a kit, Custom is bespoke.
Give each dimension its confidence from 0.0 to 1.0. Below 0.70 (functional_type: 0.75) write Unknown and \
say why in unknown_reasons; leave the other dimensions out of unknown_reasons."""

_INFERENCE = Inference(2048, 0.2, 0.9)

ANALYSES = (
    Analysis(
        "waterfall_classification", Kind.VIDEO, _INSTRUCTIONS, VideoClassification, _INFERENCE, rules=(doubt,)
    ),
    Analysis(
        "waterfall_classification", Kind.IMAGE, _INSTRUCTIONS, ImageClassification, _INFERENCE, rules=(doubt,)
    ),
)
