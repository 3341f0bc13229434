"""A check: what was looked at, what was found, and what to do about it."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import click

from consumers.core.faults import Fault


class Level(StrEnum):
    """How bad it is: a warning works, but perhaps not as it was meant."""

    OK = "ok"
    WARN = "warn"
    FAULT = "fault"


class Doubt(Exception):
    """What was found works, but perhaps not as it was meant; ``advice`` says what to do about that."""

    def __init__(self, detail: str, advice: str) -> None:
        super().__init__(detail)
        self.advice = advice


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    name: str
    level: Level
    detail: str
    advice: str | None = None

    @property
    def ok(self) -> bool:
        """Whether one can work with it."""
        return self.level is not Level.FAULT


def look(name: str, call: Callable[[], str], advice: str) -> Check:
    """Look at one thing; ``call`` returns what it found or raises what is wrong with it."""
    from daemon.settings import BadSettings
    from schemas.models import BadModelTable

    try:
        return Check(name, Level.OK, call())
    except Doubt as doubt:
        return Check(name, Level.WARN, str(doubt), doubt.advice)
    except Fault as fault:
        return Check(name, Level.FAULT, fault.message, advice)
    except click.ClickException as error:
        return Check(name, Level.FAULT, error.message, advice)
    except (BadSettings, BadModelTable) as error:
        return Check(name, Level.FAULT, str(error), advice)
