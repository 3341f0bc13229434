"""The port to the store: what the stages ask of the database."""

from typing import Protocol

from consumers.core.foreign import Adoption
from consumers.core.restored import Restoration
from consumers.core.store.aging import Aging
from consumers.core.store.auditing import Auditing
from consumers.core.store.batches import Batches
from consumers.core.store.chunks import Chunks
from consumers.core.store.forgetting import Forgetting
from consumers.core.store.records import Records, SavePage
from consumers.core.store.reparsing import Reparsing
from consumers.core.store.watch import Watch

__all__ = ["SavePage", "Store"]


class Store(
    Batches, Chunks, Records, Reparsing, Watch, Restoration, Adoption, Aging, Auditing, Forgetting, Protocol
):
    """Everything the stages ask of the database."""
