"""What the audit tells: who did what to what, what it cost and freed."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum


class Verb(StrEnum):
    """What was done. A person's own verbs are named as on the command line, with what they asked for."""

    SEND = "send"
    ACCEPT = "accept"
    CANCEL = "cancel"
    RETRY = "retry"
    REPARSE = "reparse"
    ADOPT = "adopt"
    FORGET = "forget"
    CLEANUP = "cleanup"
    REDRIVE = "redrive"
    PAUSE = "pause"
    RESUME = "resume"
    MIGRATE = "migrate"
    REBUILD = "rebuild"
    CREATE_JOB = "create_job"
    STOP_JOB = "stop_job"
    END_CHUNK = "end_chunk"
    END_BATCH = "end_batch"
    CLEAN_FOLDERS = "clean_folders"
    REMOVE_RAW = "remove_raw"
    REMOVE_RESULTS = "remove_results"
    REMOVE_ROWS = "remove_rows"
    REMOVE_STRANGER = "remove_stranger"


class Phase(StrEnum):
    """DONE stands with its effect in one transaction. INTENT stands before an effect outside, OUTCOME after.

    An intent without an outcome was cut short: it may have come through, and what repeats it is told anew.
    """

    DONE = "done"
    INTENT = "intent"
    OUTCOME = "outcome"


@dataclass(frozen=True, slots=True)
class Deed:
    """One entry of the audit, without who and when, which the store knows.

    ``requested_by`` is what a message says of its sender: a stranger's word. Objects and bytes are those that
    went; None where there is nothing to count.
    """

    verb: Verb
    target: str
    batch_id: str | None = None
    detail: str = ""
    requested_by: str | None = None
    objects: int | None = None
    bytes: int | None = None
    cost_usd: Decimal | None = None
