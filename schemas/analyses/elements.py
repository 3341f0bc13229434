"""What is to be seen and heard: equipment, topics and people of a video; things and texts of an image."""

from typing import Annotated

from schemas.shapes import MAIN, Analysis, Count, Inference, Kind, Level, Percentage, Shape, TimeRange, says


class Equipment(Shape):
    """A tool, machine or product that appears in a video; we add `time_ranges_seconds`."""

    name: Annotated[str, MAIN, says("name of the tool, machine or product")]
    category: str
    time_ranges: list[TimeRange]
    discussed: Annotated[bool, says("is it spoken about?")]
    confidence: Level


class Topic(Shape):
    """A topic somebody speaks about; we add `time_ranges_seconds`."""

    topic: Annotated[str, MAIN, says("the topic in a few words")]
    time_ranges: list[TimeRange]
    importance: Level
    description: Annotated[str, says("what is said about it")]
    keywords: Annotated[list[str], says("a keyword; 3–8 of them")]


class People(Shape):
    """How many people a video shows."""

    max_count: Annotated[Count, says("most people visible at once")]
    multiple_speakers: Annotated[bool, says("does more than one person speak?")]


class Speaker(Shape):
    """Somebody who speaks in a video; we add `time_ranges_seconds`."""

    speaker_id: Annotated[str, MAIN, says("speaker_1, speaker_2 and so on")]
    role: Annotated[str, says("e.g. narrator, installer, customer")]
    time_ranges: list[TimeRange]
    speaking_percentage: Annotated[Percentage, says("share of all speech")]


class VideoElements(Shape):
    """What appears in a video."""

    equipment: list[Equipment]
    topics_discussed: list[Topic]
    people: People
    speakers: list[Speaker]


class PicturedEquipment(Shape):
    """A tool, machine or product in an image."""

    name: Annotated[str, MAIN, says("name of the tool, machine or product")]
    category: str
    location_in_image: Annotated[str, says("e.g. lower left")]
    prominence: Annotated[str, says("primary, secondary or background")]
    condition: Annotated[str, says("e.g. new, used, damaged")]
    confidence: Level


class PicturedObject(Shape):
    """A thing in an image."""

    name: Annotated[str, MAIN, says("name of the thing")]
    category: str
    material: str
    description: str


class Structure(Shape):
    """Something built, or being built, in an image."""

    type: Annotated[str, MAIN, says("e.g. pool, wall, waterfall")]
    description: str
    materials: Annotated[list[str], says("a material")]
    construction_phase: Annotated[str, says("e.g. excavation, framing, finished")]


class PicturedPeople(Shape):
    """The people in an image; nobody is identified."""

    count: Annotated[Count, says("how many people are visible")]
    descriptions: Annotated[list[str], says("role and clothing of a person, no identity")]
    activities: Annotated[list[str], says("what somebody does")]


class VisibleText(Shape):
    """Text that can be read in an image."""

    text: Annotated[str, MAIN, says("the text as written")]
    location: Annotated[str, says("where it stands")]
    type: Annotated[str, says("e.g. sign, label, logo, caption")]
    relevance: Annotated[str, says("what it tells about the image")]


class Materials(Shape):
    """The materials of an image."""

    primary: Annotated[list[str], says("a main material")]
    secondary: Annotated[list[str], says("another material")]
    finishes: Annotated[list[str], says("a surface finish")]


class Environment(Shape):
    """The surroundings in an image."""

    setting: Annotated[str, says("indoor or outdoor, and what kind")]
    location_type: Annotated[str, says("e.g. back yard, showroom, workshop")]
    weather_conditions: str
    time_of_day: str


class ImageElements(Shape):
    """What appears in an image."""

    equipment: list[PicturedEquipment]
    objects: list[PicturedObject]
    structures: list[Structure]
    people: PicturedPeople
    text_visible: list[VisibleText]
    materials: Materials
    environment: Environment


ANALYSES = (
    Analysis(
        "elements",
        Kind.VIDEO,
        "List the equipment that appears, the topics people speak about, how many people there are and who "
        "speaks when. Give every stretch of time in which something appears.",
        VideoElements,
        Inference(4096, 0.3, 0.9),
    ),
    Analysis(
        "elements",
        Kind.IMAGE,
        "List the equipment, the other things, what is built or being built, the people, every readable "
        "text, the materials and the surroundings.",
        ImageElements,
        Inference(4096, 0.3, 0.9),
    ),
)
