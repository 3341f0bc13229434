"""The three queues we consume, by the short name that logs, metrics and settings use."""

from enum import StrEnum


class Queue(StrEnum):
    """A queue, by its logical name."""

    SUBMIT = "submit"
    STATE = "state"
    CLEANUP = "cleanup"
