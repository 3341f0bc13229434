"""Read-only queries behind the command line; they take no lock and change nothing."""

from sqlalchemy import Engine

from daemon.adapters.store.database import Database
from daemon.adapters.store.sums import Sums
from daemon.adapters.views.audit import AuditViews
from daemon.adapters.views.batches import BatchViews
from daemon.adapters.views.files import FileViews
from daemon.adapters.views.history import HistoryViews
from daemon.adapters.views.standing import StandingViews
from schemas.models import ModelTable


class _Counts(Sums):
    """The store's own sums."""

    def __init__(self, database: Database) -> None:
        self.database = database


class Views(BatchViews, StandingViews, HistoryViews, FileViews, AuditViews):
    """Everything the reading verbs ask of the database."""

    def __init__(self, engine: Engine, models: ModelTable) -> None:
        self.database = Database(engine)
        self.sums = _Counts(self.database)
        self.models = models
