"""How the model shall write its answer to one record."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Inference:
    """The sampling settings of one record.

    `max_tokens` bounds the answer; `temperature` and `top_p` lie between 0 and 1. None leaves a setting
    to the model's own default and keeps it out of the record.
    """

    max_tokens: int
    temperature: float | None = None
    top_p: float | None = None
