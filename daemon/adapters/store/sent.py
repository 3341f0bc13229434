"""The question which records were sent of some files, put so that a database looks each of them up by itself.

Joined freely, a planner without statistics walks through all files or records of a batch for every page.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import BindParameter, Select, and_, bindparam, lateral, select, true

from daemon.adapters.store.database import TEXTS
from daemon.adapters.tables import files, records

_batch: BindParameter[str] = bindparam("batch")
_of_record = [records.c[name] for name in ("analysis_type", "attempt", "chunk_id")]
MOST_RECORDS = 1000
"""More than a file can have: the types of analysis times the attempts."""


def _on_sqlite() -> Select[Any]:
    """An outer join is taken in the order it is written in."""
    names = TEXTS["sqlite"]
    file = and_(files.c.batch_id == _batch, files.c.file_id == names.c.value)
    record = and_(records.c.batch_id == _batch, records.c.position == files.c.position)
    joined = names.outerjoin(files, file).outerjoin(records, record)
    return select(files.c.file_id, files.c.position, files.c.s3_key, files.c.kind, *_of_record).select_from(
        joined
    )


def _on_postgresql() -> Select[Any]:
    """What has a limit of its own is asked for each row of what stands before it."""
    names = TEXTS["postgresql"]
    named = and_(files.c.batch_id == _batch, files.c.file_id == names.c.value)
    file = lateral(
        select(files.c.file_id, files.c.position, files.c.s3_key, files.c.kind).where(named).limit(1)
    )
    sent = and_(records.c.batch_id == _batch, records.c.position == file.c.position)
    record = lateral(select(*_of_record).where(sent).limit(MOST_RECORDS))
    joined = names.join(file, true()).join(record, true())
    return select(*file.c, *record.c).select_from(joined)


SENT: Mapping[str, Select[Any]] = {"sqlite": _on_sqlite(), "postgresql": _on_postgresql()}
"""By dialect; ``batch`` and ``texts``, the ids of the files, are its parameters."""
