"""The verbs about the bucket: cleanup and storage."""

import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from daemon.cli import completion
from daemon.cli.access import Access, open_access
from daemon.cli.going import CLEANS_ON, Ended, Going, Wish, describe, show_going, tell, wait_for, would_end
from daemon.cli.output import as_json, printable, show, size, table, write_json
from daemon.cli.progress import bar

if TYPE_CHECKING:
    from schemas.messages import Message

WAIT_SECONDS = 60
PARTS = ("folders", "media", "manifests", "jobs")


@click.command()
@click.argument("batch", required=False, shell_complete=completion.batches)
@click.option(
    "--older-than-days",
    type=click.IntRange(0, 3650),
    help="Chunks that ended so long ago.  [default: RETENTION_DAYS]",
)
@click.option("--unowned", multiple=True, metavar="FOLDER", help="A folder that belongs to no chunk.")
@click.option(
    "--legacy", multiple=True, metavar="NAME", help="What an earlier system left, as `storage` names it."
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
    *,
    batch: str | None,
    older_than_days: int | None,
    unowned: tuple[str, ...],
    legacy: tuple[str, ...],
    dry_run: bool,
    yes: bool,
    wait: int,
    as_json: bool,
) -> None:
    """Delete temporary folders of ended chunks.

    Those of BATCH, or of all batches that ended long enough ago; or only what --unowned and --legacy name.

    It never touches originals and results, nor folders whose results are not stored.
    """
    may_ask = sys.stdin.isatty() and not as_json
    if not (dry_run or yes or may_ask):
        raise click.UsageError("there is no terminal to ask on: add --yes or --dry-run")
    if (unowned or legacy) and (batch is not None or older_than_days is not None):
        raise click.UsageError("--unowned and --legacy stand alone: leave out BATCH and --older-than-days")
    with open_access() as access:
        wish = _wish(access, batch, older_than_days, unowned, legacy)
        if not as_json:
            show_going(wish.going)
        if not wish.going or dry_run:
            ended = would_end(wish)
        else:
            if not yes and not click.confirm("Delete these folders?"):
                raise click.ClickException("nothing was deleted")
            access.send(*wish.messages())
            ended = wish.ended(wait)
    document = describe(wish, ended, dry_run=dry_run)
    if as_json:
        write_json(document)
    elif wish.going:
        tell(document)
    if ended.errors and wait:
        raise click.exceptions.Exit(1)


def _wish(
    access: Access,
    batch: str | None,
    older_than_days: int | None,
    unowned: tuple[str, ...],
    legacy: tuple[str, ...],
) -> Wish:
    if unowned or legacy:
        from daemon.cli.strangers import Strangers

        return Strangers(access, unowned, legacy)
    batch_id = None if batch is None else access.batch_id_of(batch)
    days = access.settings.retention_days if older_than_days is None else older_than_days
    return Chunks(access, batch_id, days)


class Chunks:
    """The folders of ended chunks, by the same rule as the consumer's: of a batch, or of an age."""

    def __init__(self, access: Access, batch_id: str | None, days: int) -> None:
        self._access, self._batch_id, self._days = access, batch_id, days
        self.going = _going(access, batch_id, days)
        self._ids = [each.chunk_id for each in self.going if each.chunk_id]
        self._failures = {row.chunk_id: row.failures for row in access.views.cleanings(self._ids)}

    def messages(self) -> "tuple[Message, ...]":
        """Return the one message that asks for all of it."""
        from schemas.messages import CleanupBatch, Sweep

        if self._batch_id is None:
            return (Sweep(older_than_days=self._days),)
        return (CleanupBatch(batch_id=self._batch_id),)

    def ended(self, wait: int) -> Ended:
        """Wait until the rows say that the folders are gone, or why not."""
        rows = self._access.views.cleanings(self._ids)

        def count_left() -> int:
            rows[:] = self._access.views.cleanings(self._ids)
            return sum(not row.cleaned and row.failures <= self._failures[row.chunk_id] for row in rows)

        wait_for(count_left, len(self._ids), wait, CLEANS_ON)
        return Ended(
            [(row.objects, row.bytes) for row in rows if row.cleaned],
            [
                {"chunk_id": row.chunk_id, "message": row.error or "sent, not cleaned yet"}
                for row in rows
                if not row.cleaned
            ],
        )


def _going(access: Access, batch_id: str | None, days: int) -> list[Going]:
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


@click.command()
@as_json
def storage(as_json: bool) -> None:
    """Measure the bucket, area by area.

    Lists the whole bucket. `cleanable` and `unowned` are parts of the folders counted above them. What
    `cleanup --unowned` and `--legacy` can delete is told by name.
    """
    from daemon.storage import Measure

    with open_access() as access:
        measure = Measure(access.views.folders(datetime.now(UTC)))
        with bar("listing objects") as listed:
            for info in access.objects.list(""):
                measure.add(info)
                listed.add(1)
    document = measure.document()
    if as_json:
        write_json(document)
        return
    made = table("area", "objects>", "bytes>", "", "of it")
    for area, counted in document.items():
        more = ", ".join(f"{n} {name}" for name, n in counted.items() if name in PARTS)
        made.add_row(area, str(counted["objects"]), f"{counted['bytes']:,}", size(counted["bytes"]), more)
    show(made)
    for area, counted in document.items():
        for name, of_name in sorted(counted.get("names", {}).items()):
            told = f"{of_name['objects']} objects, {size(of_name['bytes'])}"
            click.echo(f"{area}, {told}:\n  {printable(name)}")
