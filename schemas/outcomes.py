"""What a record gave."""

from enum import StrEnum


class Outcome(StrEnum):
    """What one record gave; every record of an ended chunk has exactly one.

    SUCCEEDED: a readable answer. TRUNCATED: cut at the token limit, the readable part is kept.
    UNPARSABLE: text that is no answer. FILTERED: the model gave nothing or withheld it.
    MODEL_ERROR: Bedrock answered with an error. MISSING: no line in any output.
    NOT_BOUGHT: the budget ended first. CANCELLED: the batch was cancelled first.
    """

    SUCCEEDED = "SUCCEEDED"
    TRUNCATED = "TRUNCATED"
    UNPARSABLE = "UNPARSABLE"
    FILTERED = "FILTERED"
    MODEL_ERROR = "MODEL_ERROR"
    MISSING = "MISSING"
    NOT_BOUGHT = "NOT_BOUGHT"
    CANCELLED = "CANCELLED"
