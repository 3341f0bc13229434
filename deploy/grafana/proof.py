"""What shows that a panel tells the truth, one line for each.

A test runs the demo quietly and on a bad day under a real Prometheus, and holds every panel to its line.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Higher:
    """Its highest value on a bad day is so many times that of a quiet one, or the quiet one is zero."""

    times: float = 2


@dataclass(frozen=True, slots=True)
class More:
    """What lies below its lines on a bad day is so many times that of a quiet one."""

    times: float = 1.2


@dataclass(frozen=True, slots=True)
class Named:
    """It shows something above zero whose name begins so, and that it does not show on a quiet day."""

    name: str


@dataclass(frozen=True, slots=True)
class Known:
    """At the end of either day it equals a number that the store, a queue or a process tells by itself.

    ``within`` is the share it may differ: a rate is a guess at the edges of its window.
    """

    number: str
    within: float = 0.0


@dataclass(frozen=True, slots=True)
class Counted:
    """What lies below its lines adds up, within a share, to a number that the store tells by itself."""

    number: str
    within: float = 0.15


@dataclass(frozen=True, slots=True)
class Peak:
    """The highest value of each line equals a number known from elsewhere, on either day."""

    number: str


Proof = Higher | More | Named | Known | Counted | Peak

PROOFS: Mapping[str, Mapping[str, Proof]] = {
    "novabatch-overview": {
        "Consumers": Known("living processes"),
        "Alerts that fire": Higher(),
        "Dead letters": Known("dead letters"),
        "Findings": Known("findings"),
        "Oldest message": Higher(),
        "Longest since a poll": Higher(),
        "Submissions stopped": Named("paused"),
        "Slots in use": Known("share of the slots"),
        "Chunks that wait": Known("waiting chunks"),
        "Oldest open job": Higher(),
        "Job events missed": Higher(),
        "Received within 5 min": Known("all, since neither day lasts five minutes"),
        "Lateness budget left": Known("all, since neither day lasts five minutes"),
        "Which alerts fire": Named("NovabatchDeadLetters warning submit"),
        "Which findings": Known("findings by kind"),
        "Calls that AWS refused in ten minutes": Named(
            "bedrock CreateModelInvocationJob ThrottlingException"
        ),
        "Visible messages": Known("visible messages"),
        "Drain time": Higher(),
        "Oldest message by queue": Higher(),
        "Batches by state": Known("batches"),
        "Chunks on their way": Known("chunks on their way"),
        "Slots": Known("slots of models with chunks"),
        "Received": More(),
        "Handled by outcome": Named("submit poison"),
        "Failure ratio": Higher(),
        "Time to handle": Higher(),
        "Calls to AWS that fail": Named("s3 InternalError"),
        "Dependency down": Named("submit"),
    },
    "novabatch-pipeline": {
        "Batches by state": Known("batches"),
        "Chunks by state": Known("chunks"),
        "Slots": Known("slots"),
        "Empty slots while chunks wait": Known("empty slots", within=0.1),
        "Files decided": Counted("files"),
        "Copies": More(),
        "Time of each phase": Peak("phases of under a minute"),
        "Jobs in the last hour": Named("us.amazon.nova-2-lite-v1:0 Failed"),
        "Oldest open job": Higher(),
        "Time of a job": Known("jobs of under a minute"),
        "Records by outcome": Named("FILTERED"),
        "From a job's end to stored results": Higher(),
        "Set going by the reconciler, last 10 minutes": Higher(),
        "Tokens in the last hour": Known("tokens", within=0.05),
        "Cost in the last day": Known("cost", within=0.05),
        "Saved in the last day": Known("savings", within=0.05),
        "Today against the budget": Known("committed today"),
    },
    "novabatch-storage": {
        "Bytes by area": Known("bytes by area"),
        "Objects by area": Known("objects by area"),
        "Growth in a day": Known("growth by area"),
        "Objects deleted in the last hour": Known("objects deleted", within=0.05),
        "Bytes freed in the last hour": Known("bytes freed", within=0.05),
        "Bytes copied": More(),
        "Findings of cleaning": Known("findings of cleaning"),
    },
    "novabatch-consumer": {
        "Slots": Known("places"),
        "Oldest message in hand": Higher(),
        "Polls by result": Named("submit error"),
        "Since the last poll": Higher(),
        "Polling rests": Named("submit"),
        "Wait in the queue": Higher(),
        "Lease remaining": More(),
        "Extensions": Named("submit error"),
        "Leases lost in the last hour": Named("submit"),
        "Deletions": Named("submit failed"),
        "Waiting for deletion": Higher(),
        "Delay of deletion": Higher(),
        "CPU": Counted("processor seconds", within=0.5),
        "Memory": Known("memory", within=0.1),
        "Open files": Known("open files", within=0.2),
        "Versions": Known("versions"),
        "Given back at a stop": Named("submit"),
    },
}
