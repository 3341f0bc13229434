"""What can be held, and a lease in our hands."""

from dataclasses import dataclass
from enum import StrEnum


class Leased(StrEnum):
    """What a lease can be taken on; RECONCILER has one row, named ``reconcile``."""

    BATCH = "batch"
    CHUNK = "chunk"
    RECONCILER = "reconciler"


@dataclass(frozen=True, slots=True)
class Held:
    """A lease in our hands: every write of the holder is guarded by its token."""

    kind: Leased
    id: str
    token: str
