"""Replacing names inside moto, so that a release that moved one of them says so at start."""

from importlib.metadata import version
from typing import Any

MOTO_VERSION = "5.2.5"


class MotoChangedError(RuntimeError):
    """A name inside moto that the emulator replaces or calls is no longer there."""


def original(owner: object, name: str) -> Any:
    """Return what `owner` calls `name` today, or say what is missing."""
    if not hasattr(owner, name):
        place = getattr(owner, "__qualname__", None) or getattr(owner, "__name__", repr(owner))
        raise MotoChangedError(
            f"moto {version('moto')} has no {place}.{name}; "
            f"the local AWS was written for moto {MOTO_VERSION}: install that version, or adapt deploy/local"
        )
    return getattr(owner, name)


def replace(owner: object, name: str, new: object) -> Any:
    """Put `new` in the place of `owner.name` and return what stood there."""
    old = original(owner, name)
    setattr(owner, name, new)
    return old
