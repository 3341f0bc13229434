"""The verb that lets nothing be left of a file: forget."""

import hashlib
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from daemon.cli.access import Access, open_access
from daemon.cli.going import wait_for
from daemon.cli.output import as_json, cell, filled, printable, show, table, write_json

if TYPE_CHECKING:
    from consumers.core.rows import Batch, Leaving

WAIT_SECONDS = 120


@click.command()
@click.argument("name", metavar="FILE")
@click.option("--dry-run", is_flag=True, help="Only show which batches hold it.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option(
    "--wait",
    type=click.IntRange(0),
    default=WAIT_SECONDS,
    show_default=True,
    help="Seconds to wait for the job_state consumer.",
)
@as_json
def forget(*, name: str, dry_run: bool, yes: bool, wait: int, as_json: bool) -> None:
    """Let nothing be left of a file in any batch.

    FILE is a file_id or s3://bucket/key. Results, raw lines, plans and rows lose it, its copies go; every
    batch that held it has a new revision. All of them must have ended. The original is never touched.
    Tokens and cost stay, without a name. Cut short, do it again.
    """
    if not (dry_run or yes or (sys.stdin.isatty() and not as_json)):
        raise click.UsageError("there is no terminal to ask on: add --yes or --dry-run")
    with open_access() as access:
        wish = _wish(access, name)
        if not wish.holders:
            raise click.ClickException(
                f"no batch knows {name}: nothing was forgotten. Is it a file_id, or s3://bucket/key? "
                "A file that was forgotten before is known no more."
            )
        if not as_json:
            _show(wish)
        if not dry_run:
            _check(wish)
            if wish.holders and not yes and not click.confirm("Forget it for good?"):
                raise click.ClickException("nothing was forgotten")
            wish.carry_out(wait)
        left = list(wish.left())
    if as_json:
        write_json(_document(wish, left, dry_run=dry_run))
    elif not dry_run:
        _tell(wish, left)
    if left and not dry_run:
        raise click.exceptions.Exit(1)


@dataclass(frozen=True, slots=True)
class Holder:
    """A batch that knows the file, with what must be known to look for it afterwards."""

    batch: "Batch"
    leaving: "Leaving"


class Wish:
    """One object, and the batches that hold it."""

    def __init__(self, access: Access, name: str, file_id: str, place: tuple[str, str]) -> None:
        self._access = access
        self.name, self._file_id, self._place = name, file_id, place
        self.holders = self._holders()

    def carry_out(self, wait: int) -> None:
        """Send a message for each batch, and wait until none knows the file any more."""
        from consumers.core.rows import Deed, Verb
        from schemas.messages import ForgetFile

        first = {each.batch.batch_id: each.leaving.position for each in reversed(self.holders)}
        if not first:
            return
        with self._access.diary.noted(Deed(Verb.FORGET, self._digest(), detail="asked for")):
            self._access.send(
                *(ForgetFile(batch_id=batch_id, position=position) for batch_id, position in first.items())
            )
        look = f"`novabatch forget {self.name} --dry-run` shows who still knows it."
        wait_for(lambda: len(self._holders()), len(self.holders), wait, f"the forgetting goes on: {look}")

    def left(self) -> Iterator[str]:
        """Look through all that could still tell of the file, and name what does."""
        from consumers.forgetting.traces import traces
        from daemon.cli.worlds import no_lease, world_of

        for each in self._holders():
            yield f"rows of batch {each.batch.batch_id}, which is {each.batch.state}"
        by_batch: dict[str, list[Holder]] = {}
        for each in self.holders:
            by_batch.setdefault(each.batch.batch_id, []).append(each)
        for mine in by_batch.values():
            world = world_of(self._access, no_lease, lambda: None)
            yield from traces(mine[0].batch, [each.leaving for each in mine], world)

    def why_left(self) -> Iterator[str]:
        """Say what went wrong and what goes on by itself; where nothing went wrong, what to look at."""
        failing = self._access.views.failing("forget", {each.batch.batch_id for each in self.holders})
        for batch_id, why in failing.items():
            yield filled(printable(f"batch {batch_id} failed: {why}"), indent=2)
        if failing:
            yield "Mend that; it is tried again by itself, within the hour at the latest."
            yield "`novabatch forget` again waits for it, `novabatch doctor` tells what was found."
        else:
            yield "Does `novabatch run job_state` run? See `novabatch status` and `novabatch dlq list`."

    def elsewhere(self) -> Iterator[str]:
        """Name output of others that was taken in: it may tell of the file and is not ours to change."""
        ids = sorted({chunk_id for each in self.holders for chunk_id in each.leaving.chunk_ids})
        for chunk_id in ids:
            chunk = self._access.store.chunk(chunk_id)
            if chunk is not None and chunk.output_uri:
                yield chunk.output_uri

    def _holders(self) -> list[Holder]:
        store = self._access.store
        found = []
        for batch_id, leaving in store.holders_of(self._file_id, *self._place):
            if (batch := store.batch(batch_id)) is not None:
                found.append(Holder(batch, leaving))
        return found

    def _digest(self) -> str:
        """Name the object in the audit so that who knows its name can find the entry, and nobody else."""
        uri = "s3://{}/{}".format(*self._place) if self._place[1] else f"file {self._file_id}"
        return f"sha256:{hashlib.sha256(uri.encode()).hexdigest()}"


def _wish(access: Access, name: str) -> Wish:
    """Find the one object that a person means."""
    from consumers.core import layout

    if name.startswith("s3://"):
        try:
            place = layout.parse_s3_uri(name)
        except ValueError as error:
            raise click.UsageError(str(error)) from error
        return Wish(access, name, "", place)
    found = access.store.objects_named(name)
    if len(found) > 1:
        uris = ", ".join(layout.s3_uri(*place) for place in found)
        raise click.ClickException(f"file_id {name!r} names several objects: {uris}. Say which one.")
    return Wish(access, name, name, found[0] if found else ("", ""))


def _check(wish: Wish) -> None:
    """Refuse as long as a batch that holds the file has not ended."""
    from consumers.core.lifecycle import BATCH_ENDS

    running = sorted({each.batch.batch_id for each in wish.holders if each.batch.state not in BATCH_ENDS})
    if running:
        raise click.ClickException(
            f"{', '.join(running)} still run: wait for their end, or cancel them. Nothing was forgotten."
        )


def _show(wish: Wish) -> None:
    made = table("batch~", "request~", "state", "file_id", "chunks>")
    for each in wish.holders:
        batch = each.batch
        row = (
            batch.batch_id,
            batch.request_id,
            batch.state,
            each.leaving.file_id,
            len(each.leaving.chunk_ids),
        )
        made.add_row(*map(cell, row))
    show(made, otherwise=f"No batch knows {wish.name}.")


def _tell(wish: Wish, left: Sequence[str]) -> None:
    for each in left:
        click.echo(f"left: {each}", err=True)
    if left:
        click.echo("\n".join(wish.why_left()), err=True)
        return
    click.echo(f"nothing of {wish.name} is left")
    for uri in wish.elsewhere():
        click.echo(f"note: {uri} is output of others that was taken in, and may tell of it", err=True)


def _document(wish: Wish, left: Sequence[str], *, dry_run: bool) -> dict[str, Any]:
    return {
        "file": wish.name,
        "batches": [
            {
                "batch_id": each.batch.batch_id,
                "request_id": each.batch.request_id,
                "state": each.batch.state,
                "file_id": each.leaving.file_id,
                "chunks": list(each.leaving.chunk_ids),
            }
            for each in wish.holders
        ],
        "dry_run": dry_run,
        "left": list(left),
    }
