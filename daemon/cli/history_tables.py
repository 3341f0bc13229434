"""Histories as tables of 80 columns."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

from daemon.cli.batch_tables import show_batch
from daemon.cli.output import cell, moment, show, table
from daemon.cli.reparsing import reparse_lines

Document = Mapping[str, Any]
SHOWN = 200
TEXT_SHOWN = 300
_TIMES = (
    "created_at",
    "preparing_at",
    "ready_at",
    "submitted_at",
    "last_checked_at",
    "ended_at",
    "results_fetched_at",
    "finished_at",
    "cleaned_at",
    "wake_after",
)


def show_history(document: Document) -> None:
    """Show what `show` found."""
    _KINDS[document["kind"]](document)


def _show_batch(document: Document) -> None:
    show_batch(document, ())
    if document["reparse"]:
        for line in reparse_lines(document["reparse"]):
            click.echo(line)
    made = table("refused file~", "code", "reason~")
    for each in document["refused_files"][:SHOWN]:
        made.add_row(*map(cell, (each["file_id"], each["code"], each["reason"])))
    if made.row_count:
        show(made)


def _show_chunk(document: Document) -> None:
    click.echo(f"chunk     {document['chunk_id']}  folder {document['folder']}")
    click.echo(f"state     {document['state']}" + (f" ({document['reason']})" if document["reason"] else ""))
    click.echo(f"job       {document['job_name'] or '-'}\n          {document['job_arn'] or '-'}")
    for name in _TIMES:
        if document[name]:
            click.echo(f"{name.removesuffix('_at'):<16}  {moment(document[name])}")
    failures = ", ".join(f"{kind} {count} times" for kind, count in document["failures"].items())
    if failures:
        click.echo(f"failures  {failures}; the last: {document['last_error']}")
    made = table("file_id~", "original~", "copy~")
    for each in document["placed"][:SHOWN]:
        copy = f"refused: {each['code']}" if each["refused"] else each["safe_name"]
        made.add_row(*map(cell, (each["file_id"], each["s3_key"], copy)))
    show(made, otherwise="No files.")
    _show_attempts(document["attempts"])


def _show_file(document: Document) -> None:
    for each in document["batches"]:
        click.echo(f"file {each['file_id']} in {each['request_id']} ({moment(each['created_at'])})")
        click.echo(f"  s3://{each['bucket']}/{each['s3_key']}, {each['size_bytes']} bytes")
        if each["code"]:
            click.echo(f"  REFUSED {each['code']}: {each['reason']}")
        if each["attempts"]:
            _show_attempts(each["attempts"])


def _show_attempts(attempts: Sequence[Document]) -> None:
    made = table("record~", "try>", "outcome~", "tokens>", "USD>", "chunk")
    for each in attempts[:SHOWN]:
        tokens = f"{each['input_tokens'] or 0}+{each['output_tokens'] or 0}"
        outcome = (each["outcome"] or "waiting") + _notes(each)
        row = (each["record_id"], each["attempt"], outcome, tokens, each["cost_usd"])
        made.add_row(*map(cell, row), cell(each["chunk_id"] and "…" + each["chunk_id"][-8:]))
    show(made, otherwise="No records.")
    for each in attempts[:SHOWN]:
        if each["raw_text"]:
            click.echo(f"{each['record_id']}, try {each['attempt']}, said: {_shortened(each['raw_text'])}")
    if len(attempts) > SHOWN:
        click.echo(f"and {len(attempts) - SHOWN} more: see --json")


def _notes(attempt: Document) -> str:
    error = attempt["error"]
    notes = [
        *(["sent again"] if attempt["superseded"] else []),
        *(["repaired"] if attempt["repaired"] else []),
        *([f"{attempt['missing']} parts missing"] if attempt["missing"] else []),
        *([f"{error['code']}: {error['message']}"] if error else []),
    ]
    return f" ({'; '.join(notes)})" if notes else ""


def _shortened(text: str) -> str:
    """Write the beginning of what the model said on one line; nothing in it may steer a terminal."""
    cut = "".join(c if c.isprintable() else " " for c in text[:TEXT_SHOWN])
    more = f" … ({len(text)} characters: see --json)" if len(text) > TEXT_SHOWN else ""
    return " ".join(cut.split()) + more


_KINDS: Mapping[str, Callable[[Document], None]] = {
    "batch": _show_batch,
    "chunk": _show_chunk,
    "file": _show_file,
}
