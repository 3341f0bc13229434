"""What makes a file findable: date, project, place, entities and keywords."""

from typing import Annotated, Any, Literal

from msgspec import Meta, field

from schemas.analyses.waterfall_classification import ContentType, SkillLevel
from schemas.shapes import MAIN, Analysis, Certainty, Day, Inference, Kind, Notes, Shape, says

OtherDates = Annotated[dict[str, Any], says("what happened: another date, YYYY-MM-DD")]
DateSource = Literal["path", "filename", "transcript", "visual", "unknown"]


class RecordingDate(Shape, kw_only=True):
    """When the file was recorded, and how that is known."""

    date: Annotated[Day | None, MAIN]
    date_source: DateSource
    confidence: Certainty
    raw_date_string: Annotated[str, says("the date as found")] = ""


class Project(Shape, kw_only=True):
    """The project the file belongs to; customer and project have the same name."""

    customer_name: Annotated[str, MAIN, says("the customer, who is also the project")]
    project_name: Annotated[str, says("the same as customer_name")]
    name_source: Annotated[str, says("path, filename, transcript, visual or unknown")]
    name_confidence: Certainty
    project_code: Annotated[str, says("text, if there is one")] = ""
    job_number: Annotated[str, says("text, if there is one")] = ""
    project_type: Annotated[str, says("e.g. residential pool, commercial fountain")]


class Location(Shape, kw_only=True):
    """Where the file was recorded."""

    site_name: str
    city: str
    state_region: str
    country: str
    address_fragment: Annotated[str, says("text, if there is one")] = ""
    location_source: Annotated[str, says("path, filename, transcript, visual or unknown")]
    location_confidence: Certainty


class Coordinates(Shape):
    """A point on the earth in degrees; null where it is not known."""

    latitude: Annotated[float, Meta(ge=-90, le=90)] | None
    longitude: Annotated[float, Meta(ge=-180, le=180)] | None


class PicturedLocation(Location, kw_only=True):
    """Where an image was taken."""

    gps_coordinates: Coordinates


class WaterFeature(Shape):
    """The water feature in search words."""

    family: Annotated[str, MAIN, says("product family of the water feature, else Unknown")]
    type_keywords: Annotated[list[str], says("a word for its type")]
    style_keywords: Annotated[list[str], says("a word for its style")]


class Content(Shape):
    """What kind of video it is and for whom."""

    content_type: ContentType
    skill_level: SkillLevel


class Entity(Shape):
    """A person, firm, place, product or other thing with a name."""

    type: Annotated[str, says("person, company, place, product, brand or other")]
    value: Annotated[str, MAIN, says("as found")]
    normalized: Annotated[str, says("in its usual spelling")]
    sources: Annotated[list[str], says("path, filename, transcript or visual")]
    evidence: Annotated[str, says("what speaks for it")]
    confidence: Certainty


class ImageMetadata(Shape):
    """Search metadata of an image."""

    recording_date: RecordingDate
    project: Project
    location: PicturedLocation
    entities: list[Entity]
    keywords: Annotated[list[str], says("a search keyword")]


class VideoMetadata(Shape, kw_only=True):
    """Search metadata of a video."""

    recording_date: RecordingDate
    project: Project
    location: Location
    water_feature: WaterFeature
    content: Content
    entities: list[Entity]
    keywords: Annotated[list[str], says("a search keyword")]
    dates: OtherDates = field(default_factory=dict)


def share_name(result: dict[str, Any], _notes: Notes) -> None:
    """Give customer and project the same name; the customer's counts where they differ."""
    project = result["project"]
    name = project["customer_name"] or project["project_name"]
    project["customer_name"] = project["project_name"] = name


_INSTRUCTIONS = """\
Collect what helps to find the {kind} again. File name and path often hold the date, the customer and the \
place: read them in the context. Say where each fact comes from and how sure it is."""

_INFERENCE = Inference(2048, 0.2, 0.9)

ANALYSES = (
    Analysis(
        "search_metadata",
        Kind.VIDEO,
        _INSTRUCTIONS.format(kind="video"),
        VideoMetadata,
        _INFERENCE,
        rules=(share_name,),
    ),
    Analysis(
        "search_metadata",
        Kind.IMAGE,
        _INSTRUCTIONS.format(kind="image"),
        ImageMetadata,
        _INFERENCE,
        rules=(share_name,),
    ),
)
