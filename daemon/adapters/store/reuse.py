"""Results that were bought before: found by what they are about, and linked into a plan."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any, NamedTuple

from sqlalchemy import (
    Column,
    Connection,
    Label,
    Select,
    TableValuedAlias,
    and_,
    bindparam,
    cast,
    false,
    func,
    literal,
    select,
)

from consumers.core.rows import Batch, NewFile
from daemon.adapters.store.database import TEXTS, Database, insert, pages
from daemon.adapters.tables import batches, files, records
from schemas.messages import Terms
from schemas.outcomes import Outcome

_COPIED = (
    "max_tokens",
    "outcome",
    "retryable",
    "repaired",
    "stop_reason",
    "missing",
    "prompt_version",
    "created_at",
    "result",
)


class Ref(NamedTuple):
    """One record, as ``reused_from`` names it: ``<batch_id>/<position>/<analysis_type>/<attempt>``."""

    batch_id: str
    position: int
    analysis_type: str
    attempt: int

    def __str__(self) -> str:
        return "/".join(map(str, self))


def ref_of(text: str) -> Ref:
    """Read a reference as ``reused_from`` holds it."""
    batch_id, position, analysis_type, attempt = text.split("/")
    return Ref(batch_id, int(position), analysis_type, int(attempt))


class Reuse:
    """What need not be bought."""

    database: Database

    def reusable(
        self, batch: Batch, prompt_versions: Mapping[tuple[str, str], str], files: Sequence[NewFile]
    ) -> Mapping[tuple[int, str], str]:
        """Find SUCCEEDED results for the same bucket, key, ETag, type and prompt version.

        Model and options are the batch's. ``prompt_versions`` is by (kind, analysis type); the answer, by
        position and type, names the newest record that was bought itself, never a link to it.
        """
        wanted = _wanted(prompt_versions, files)
        asked = _succeeded(batch)
        found: dict[tuple[int, str], str] = {}
        with self.database.read() as connection:
            for page in pages(_seen_before(connection, {key for key, _, _ in wanted})):
                for row in connection.execute(asked, {"sources": page}):
                    ref = Ref(row.batch_id, row.position, row.analysis_type, row.attempt)
                    for position in wanted.get((row.source, row.analysis_type, row.prompt_version), ()):
                        found[position, row.analysis_type] = str(ref)
        return found


def source(bucket: str, key: str, etag: str) -> str | None:
    """Name the content of an object; None where it is not known."""
    return sha256(f"{bucket}\0{key}\0{etag}".encode(errors="replace")).hexdigest()[:32] if etag else None


def options_of(terms: Terms) -> str:
    """Write the options that shape a result; requests with equal text may share theirs."""
    return terms.options.model_dump_json(exclude={"reuse"})


def add_links(connection: Connection, batch_id: str, files: Sequence[NewFile]) -> None:
    """Give files records whose results are copied from earlier ones; they cost nothing.

    An earlier record that is gone by now gives none: the file is bought then.
    """
    rows = [
        {"batch": batch_id, "at": file.position, "ref": text, **_key(ref_of(text))}
        for file in files
        for text in file.reused.values()
    ]
    if rows:
        names = [column.name for column in _LINK.selected_columns]
        link = insert(connection, records).from_select(names, _LINK).on_conflict_do_nothing()
        connection.execute(link, rows)


def links(connection: Connection, batch_id: str, first: int, last: int) -> Mapping[int, Mapping[str, str]]:
    """Return what is reused of the files from one position to another, by position and analysis type."""
    asked = select(records.c.position, records.c.analysis_type, records.c.reused_from).where(
        records.c.batch_id == batch_id,
        records.c.position.between(first, last),
        records.c.reused_from.is_not(None),
    )
    found: dict[int, dict[str, str]] = defaultdict(dict)
    for row in connection.execute(asked):
        found[row.position][row.analysis_type] = row.reused_from
    return found


def _wanted(
    prompt_versions: Mapping[tuple[str, str], str], files: Sequence[NewFile]
) -> Mapping[tuple[str, str, str], Sequence[int]]:
    """Return who could use a result, by what it is about, its type and its prompt version."""
    wanted: dict[tuple[str, str, str], list[int]] = defaultdict(list)
    for file in files:
        key = source(file.bucket, file.s3_key, file.etag)
        for name in file.analysis_types:
            version = prompt_versions.get((file.kind, name))
            if key is not None and version is not None:
                wanted[key, name, version].append(file.position)
    return wanted


def _seen_before(connection: Connection, sources: Iterable[str]) -> Sequence[str]:
    """Return those of the contents that some batch has named: of a new archive none."""
    asked = _SEEN[connection.dialect.name]
    return sorted(connection.execute(asked, {"texts": list(sources)}).scalars())


def _seen(texts: TableValuedAlias) -> Select[Any]:
    """Look each content up by itself, as cheap without statistics as with them."""
    named = select(func.min(files.c.position)).where(files.c.source == texts.c.value)
    return select(texts.c.value).where(named.scalar_subquery().is_not(None))


_SEEN = {name: _seen(texts) for name, texts in TEXTS.items()}


def _succeeded(batch: Batch) -> Select[Any]:
    same = and_(records.c.batch_id == files.c.batch_id, records.c.position == files.c.position)
    return (
        select(
            files.c.source,
            records.c.batch_id,
            records.c.position,
            records.c.analysis_type,
            records.c.attempt,
            records.c.prompt_version,
        )
        .join(records, same)
        .join(batches, batches.c.batch_id == files.c.batch_id)
        .where(
            files.c.source.in_(bindparam("sources", expanding=True)),
            batches.c.model == batch.model,
            batches.c.options == options_of(batch.terms),
            records.c.outcome == Outcome.SUCCEEDED,
            records.c.reused_from.is_(None),
        )
        .order_by(records.c.created_at, records.c.batch_id, records.c.position, records.c.attempt)
    )


def _key(ref: Ref) -> dict[str, Any]:
    return {
        "of_batch": ref.batch_id,
        "of_position": ref.position,
        "of_type": ref.analysis_type,
        "of_attempt": ref.attempt,
    }


def _given(name: str, column: Column[Any]) -> Label[Any]:
    return cast(bindparam(name, type_=column.type), column.type).label(column.name)


def _link() -> Select[Any]:
    """Select what a record becomes in another batch: its result, at no tokens and no cost."""
    free = ("input_tokens", "output_tokens", "cost_usd")
    return select(
        _given("batch", records.c.batch_id),
        _given("at", records.c.position),
        _given("ref", records.c.reused_from),
        records.c.analysis_type,
        literal(1).label("attempt"),
        false().label("superseded"),
        *(literal(0).label(name) for name in free),
        *(records.c[name] for name in _COPIED),
    ).where(
        records.c.batch_id == bindparam("of_batch"),
        records.c.position == bindparam("of_position"),
        records.c.analysis_type == bindparam("of_type"),
        records.c.attempt == bindparam("of_attempt"),
        records.c.result.is_not(None),  # one that was forgotten meanwhile has none
    )


_LINK = _link()
