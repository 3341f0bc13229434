"""The kinds of media a batch can hold."""

from enum import StrEnum


class Kind(StrEnum):
    """What a file is to the model: it decides the prompt, the fields and the content block."""

    VIDEO = "video"
    IMAGE = "image"
