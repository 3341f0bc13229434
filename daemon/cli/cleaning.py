"""The verbs about the bucket: cleanup and storage."""

import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from daemon.cli.access import Access, open_access
from daemon.cli.output import as_json, cell, show, size, table, write_json

LOOK_EVERY = 0.5
WAIT_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Going:
    """A chunk's folders that would go."""

    chunk_id: str
    folder: str
    objects: int
    bytes: int


@click.command()
@click.argument("batch", required=False)
@click.option(
    "--older-than-days",
    type=click.IntRange(0, 3650),
    help="Chunks that ended so long ago.  [default: RETENTION_DAYS]",
)
@click.option("--dry-run", is_flag=True, help="Only show what would go.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option(
    "--wait",
    type=click.IntRange(0),
    default=WAIT_SECONDS,
    show_default=True,
    help="Seconds to wait for the cleanup consumer.",
)
@as_json
def cleanup(
    *, batch: str | None, older_than_days: int | None, dry_run: bool, yes: bool, wait: int, as_json: bool
) -> None:
    """Delete temporary folders of ended chunks.

    Those of BATCH, or of all batches that ended long enough ago.

    It never touches originals and results, nor folders whose results are not stored.
    """
    from schemas.messages import CleanupBatch, Sweep

    may_ask = sys.stdin.isatty() and not as_json
    if not (dry_run or yes or may_ask):
        raise click.UsageError("there is no terminal to ask on: add --yes or --dry-run")
    with open_access() as access:
        batch_id = None if batch is None else access.batch_id_of(batch)
        days = access.settings.retention_days if older_than_days is None else older_than_days
        going = _going(access, batch_id, days)
        if not as_json:
            _show(going)
        if going and not dry_run:
            if not yes and not click.confirm("Delete these folders?"):
                raise click.ClickException("nothing was deleted")
            failures = _failures(going, access)
            access.send(CleanupBatch(batch_id=batch_id) if batch_id else Sweep(older_than_days=days))
            document = _cleaned(failures, wait, access)
        else:
            document = _would(going, dry_run=dry_run)
        document["folders"] = [asdict(each) for each in going]
    if as_json:
        write_json(document)
    elif going:
        _tell(document)
    if document["errors"] and wait:
        raise click.exceptions.Exit(1)


def _going(access: Access, batch_id: str | None, days: int) -> list[Going]:
    """Measure the folders that may go, by the same rule as the consumer."""
    from consumers.core import layout
    from consumers.core.retention import may_clean

    now = datetime.now(UTC)
    before = now - timedelta(days=days)
    found = (access.store.chunk(each) for each in access.views.cleanable(before, batch_id))
    going = []
    for chunk in found:
        if chunk is not None and may_clean(chunk, now):
            prefixes = layout.temporary_prefixes(chunk.folder)
            sizes = [each.bytes for prefix in prefixes for each in access.objects.versions(prefix)]
            going.append(Going(chunk.chunk_id, chunk.folder, len(sizes), sum(sizes)))
    return going


def _show(going: Sequence[Going]) -> None:
    made = table("chunk", "folder", "objects>", "bytes>")
    for each in going:
        made.add_row(*map(cell, ("…" + each.chunk_id[-12:], each.folder, each.objects, size(each.bytes))))
    show(made, otherwise="Nothing to clean.")


def _failures(going: Sequence[Going], access: Access) -> dict[str, int]:
    """Return how often the cleaning of each chunk has failed so far."""
    return {row.chunk_id: row.failures for row in access.views.cleanings([each.chunk_id for each in going])}


def _cleaned(failures: Mapping[str, int], wait: int, access: Access) -> dict[str, Any]:
    """Wait until the rows say that the folders are gone, or why not, and count what they say."""
    ids, pause, end = [*failures], threading.Event(), time.monotonic() + wait
    while True:
        rows = access.views.cleanings(ids)
        told = all(row.cleaned or row.failures > failures[row.chunk_id] for row in rows)
        if told or time.monotonic() >= end:
            break
        pause.wait(LOOK_EVERY)
    gone = [row for row in rows if row.cleaned]
    errors = [
        {"chunk_id": row.chunk_id, "message": row.error or "sent, not cleaned yet"}
        for row in rows
        if not row.cleaned
    ]
    counts = sum(row.objects for row in gone), sum(row.bytes for row in gone)
    return _document(len(ids), len(gone), counts, errors, dry_run=False)


def _would(going: Sequence[Going], *, dry_run: bool) -> dict[str, Any]:
    counts = sum(each.objects for each in going), sum(each.bytes for each in going)
    return _document(len(going), len(going), counts, [], dry_run=dry_run)


def _document(
    processed: int, cleaned: int, counts: tuple[int, int], errors: list[dict[str, str]], *, dry_run: bool
) -> dict[str, Any]:
    return {
        "jobs_processed": processed,
        "jobs_cleaned": cleaned,
        "objects_deleted": counts[0],
        "bytes_freed": counts[1],
        "errors": errors,
        "dry_run": dry_run,
    }


def _tell(document: dict[str, Any]) -> None:
    what = "would clean" if document["dry_run"] else "cleaned"
    click.echo(
        f"{what} {document['jobs_cleaned']} of {document['jobs_processed']} chunks: "
        f"{document['objects_deleted']} objects, {size(document['bytes_freed'])}"
    )
    for error in document["errors"]:
        click.echo(f"{error['chunk_id']}: {error['message']}", err=True)
    if document["errors"]:
        click.echo("Is `novabatch run cleanup` running? The messages wait for it.", err=True)


@click.command()
@as_json
def storage(as_json: bool) -> None:
    """Measure the bucket, area by area.

    Lists the whole bucket. `cleanable` and `unowned` are parts of the folders counted above them.
    """
    from daemon.storage import Measure

    with open_access() as access:
        measure = Measure(access.views.folders(datetime.now(UTC)))
        for info in access.objects.list(""):
            measure.add(info)
    document = measure.document()
    if as_json:
        write_json(document)
        return
    made = table("area", "objects>", "bytes>", "", "of it")
    for area, counted in document.items():
        more = ", ".join(f"{n} {name}" for name, n in counted.items() if name not in {"objects", "bytes"})
        made.add_row(area, str(counted["objects"]), f"{counted['bytes']:,}", size(counted["bytes"]), more)
    show(made)
