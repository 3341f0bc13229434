"""The store: every row of novabatch, in SQLite or PostgreSQL."""

from sqlalchemy import Engine

from daemon.adapters.store.adopting import Adopting
from daemon.adapters.store.aging import Aging
from daemon.adapters.store.auditing import Auditing
from daemon.adapters.store.batches import Batches
from daemon.adapters.store.chunks import Chunks
from daemon.adapters.store.database import Database
from daemon.adapters.store.engine import make_engine
from daemon.adapters.store.failed import Failed
from daemon.adapters.store.file_rows import Files
from daemon.adapters.store.forgetting import Forgetting
from daemon.adapters.store.idling import Idling
from daemon.adapters.store.jobs import Jobs
from daemon.adapters.store.leases import Leases
from daemon.adapters.store.money import Money
from daemon.adapters.store.outcomes import Outcomes
from daemon.adapters.store.parts import Parts
from daemon.adapters.store.plans import Plans
from daemon.adapters.store.records import Records
from daemon.adapters.store.refused import Refused
from daemon.adapters.store.removing import Removing
from daemon.adapters.store.reparsing import Reparsing
from daemon.adapters.store.restored_ends import RestoredEnds
from daemon.adapters.store.restored_results import RestoredResults
from daemon.adapters.store.restoring import Restoring
from daemon.adapters.store.results import Results
from daemon.adapters.store.reuse import Reuse
from daemon.adapters.store.rounds import Rounds
from daemon.adapters.store.schema import migrate, schema_serves
from daemon.adapters.store.slots import Slots
from daemon.adapters.store.splits import Splits
from daemon.adapters.store.stopping import Stopping
from daemon.adapters.store.sums import Sums
from daemon.adapters.store.watch import Watch

__all__ = ["SqlStore", "make_engine", "migrate", "schema_serves"]


class SqlStore(
    Leases,
    Batches,
    Plans,
    Files,
    Rounds,
    Stopping,
    Chunks,
    Splits,
    Slots,
    Idling,
    Jobs,
    Money,
    Records,
    Outcomes,
    Reuse,
    Failed,
    Refused,
    Results,
    Parts,
    Reparsing,
    Sums,
    Watch,
    Adopting,
    Restoring,
    RestoredResults,
    RestoredEnds,
    Aging,
    Auditing,
    Forgetting,
    Removing,
):
    """Everything the stages ask of the database, and the leases; safe to share between threads.

    ``actor`` is who works with it, for the audit: the role of a process, or a person at a machine.
    """

    def __init__(self, engine: Engine, actor: str = "unknown") -> None:
        self.engine = engine
        self.actor = actor
        self.database = Database(engine)
