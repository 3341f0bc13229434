"""The verb that tells a whole history: show."""

from collections.abc import Callable, Mapping
from typing import Any

import click

from daemon.cli import completion
from daemon.cli.access import Access, open_access
from daemon.cli.output import as_json, write_json

REFUSED_SHOWN = 1000
S3 = "s3://"
Document = dict[str, Any]


@click.command()
@click.argument("name", metavar="BATCH|CHUNK|FILE", shell_complete=completion.batches)
@click.option(
    "--kind", type=click.Choice(["batch", "chunk", "file"]), help="What NAME is, where it is several."
)
@as_json
def show(name: str, kind: str | None, as_json: bool) -> None:
    """The whole history of a batch, a chunk or a file.

    FILE is a file_id, an object's key or its s3:// URI. Its history goes over all batches that name it:
    refused and why, or copied as what, in which chunks and jobs, and what each attempt gave and cost.
    """
    from daemon.cli import history_tables

    with open_access() as access:
        document, others = _found(access, name, kind)
    if as_json:
        write_json(document)
    else:
        history_tables.show_history(document)
    for other in others:
        click.echo(f"note: {name!r} is also a {other}: `--kind {other}` shows it", err=True)


def _found(access: Access, name: str, kind: str | None) -> tuple[Document, list[str]]:
    """Return the history, and what else the name stands for."""
    finders = _FINDERS if kind is None else {kind: _FINDERS[kind]}
    found = [(each, document) for each, find in finders.items() if (document := find(access, name))]
    if not found:
        raise click.ClickException(
            f"{name!r} is no {kind or 'batch, chunk or file'} here: `novabatch status` lists the batches, "
            "`novabatch results BATCH` the files of one."
        )
    (first, document), *others = found
    return {"kind": first, **document}, [each for each, _ in others]


def _batch(access: Access, name: str) -> Document | None:
    views = access.views
    batch_id = views.batch_id_of(name)
    if batch_id is None:
        return None
    refused = views.refused_files(batch_id, REFUSED_SHOWN)
    return {**(views.status(batch_id) or {}), "refused_files": refused, "reparse": views.reparse_of(batch_id)}


def _chunk(access: Access, name: str) -> Document | None:
    return access.views.chunk_history(name)


def _file(access: Access, name: str) -> Document | None:
    """Find a file by the id its senders gave it, else by its key."""
    from daemon.adapters.views.files import spent_on

    views = access.views
    if name.startswith(S3):
        bucket, _, key = name.removeprefix(S3).partition("/")
        found = views.object_history(key, bucket)
    else:
        found = views.file_history(name) or views.object_history(name)
    if not found:
        return None
    objects = dict.fromkeys(f"{S3}{each['bucket']}/{each['s3_key']}" for each in found)
    return {"file_id": found[0]["file_id"], "objects": list(objects), **spent_on(found), "batches": found}


_FINDERS: Mapping[str, Callable[[Access, str], Document | None]] = {
    "batch": _batch,
    "chunk": _chunk,
    "file": _file,
}
