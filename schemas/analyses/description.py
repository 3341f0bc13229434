"""What an image shows, in words."""

from typing import Annotated

from schemas.shapes import MAIN, Analysis, Inference, Kind, Shape, says


class Overview(Shape):
    """An image in one sentence and in one paragraph."""

    overview: Annotated[str, MAIN, says("one sentence")]
    detailed: Annotated[str, says("one paragraph")]


class Description(Shape):
    """What an image shows and how it was taken."""

    description: Overview
    scene_type: Annotated[str, says("e.g. construction site, finished garden, product photo")]
    primary_subject: str
    context: Annotated[str, says("what the image was probably made for")]
    mood_atmosphere: str
    technical_observations: Annotated[str, says("light, focus, angle, quality")]


ANALYSES = (
    Analysis(
        "description",
        Kind.IMAGE,
        "Describe the image: what it shows, where, what is in the centre, and how it was taken.",
        Description,
        Inference(2048, 0.3, 0.9),
    ),
)
