"""Histories as tables of 80 columns."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import click

from daemon.cli.batch_tables import show_batch
from daemon.cli.output import cell, counted, filled, moment, more, printable, show, size, table, wrapped
from daemon.cli.reparsing import reparse_lines

Document = Mapping[str, Any]
Columns = Mapping[str, Callable[[Document], object]]
SHOWN = 200
BATCHES_SHOWN = 20
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
            wrapped(printable(line), indent=10)
    made = table("refused file~", "code", "reason~")
    for each in document["refused_files"][:SHOWN]:
        made.add_row(*map(cell, (each["file_id"], each["code"], each["reason"])))
    if made.row_count:
        show(made)


def _show_chunk(document: Document) -> None:
    click.echo(f"chunk     {document['chunk_id']}  folder {document['folder']}")
    reason = f" ({document['reason']})" if document["reason"] else ""
    click.echo(_sentence(f"state     {document['state']}{reason}"))
    click.echo(f"job       {document['job_name'] or '-'}\n          {document['job_arn'] or '-'}")
    for name in _TIMES:
        if document[name]:
            click.echo(f"{name.removesuffix('_at'):<16}  {moment(document[name])}")
    failures = ", ".join(f"{kind} {count} times" for kind, count in document["failures"].items())
    if failures:
        wrapped(printable(f"failures  {failures}; the last: {document['last_error']}"), indent=10)
    made = table("file_id~", "original~", "copy~")
    for each in document["placed"][:SHOWN]:
        copy = f"refused: {each['code']}" if each["refused"] else each["safe_name"]
        made.add_row(*map(cell, (each["file_id"], each["s3_key"], copy)))
    show(made, otherwise="No files.")
    _show_attempts(document["attempts"], _OF_CHUNK)


def _show_file(document: Document) -> None:
    for line in _file_lines(document):
        click.echo(line)
    for each in document["batches"][:BATCHES_SHOWN]:
        click.echo()
        for line in _asked_lines(each):
            click.echo(line)
        if each["attempts"]:
            _show_attempts(each["attempts"], _OF_FILE)
    more(len(document["batches"]) - BATCHES_SHOWN, "batches")


def _file_lines(document: Document) -> Iterator[str]:
    """Say what a file came to over all batches, and whether its name means several objects."""
    batches, tokens, objects = document["batches"], document["tokens"], document["objects"]
    attempts = sum(len(each["attempts"]) for each in batches)
    cost = document["cost_usd"] or "unknown"
    yield f"file      {document['file_id']}: {counted(len(batches), 'batch')}, {counted(attempts, 'attempt')}"
    yield f"spent     {tokens['input']} tokens in, {tokens['output']} out, {cost} USD"
    if len(objects) > 1:
        yield f"note      the name stands for {len(objects)} objects; the URI of one tells its history alone:"
        yield from (f"          {printable(uri)}" for uri in objects)


def _asked_lines(each: Document) -> Iterator[str]:
    """Say what one batch asked of the file, and where it went; what is copied from here stays on one line."""
    yield f"batch     {each['batch_id']}  {each['batch_state']}"
    yield f"request   {each['request_id']}"
    yield f"          accepted {moment(each['created_at'])}"
    yield f"object    {printable('s3://' + each['bucket'] + '/' + each['s3_key'])}"
    kind, etag = each["kind"] or "unknown kind", each["etag"] or "-"
    yield f"          {kind}, {size(each['size_bytes'])}, ETag {etag}"
    if each["local_path"]:
        yield f"sent as   {printable(each['local_path'])}, for when S3 does not hold it"
    if each["code"]:
        yield _sentence(f"REFUSED   {each['code']}: {each['reason']}")
    for copy in each["copies"]:
        yield from _copy_lines(copy)


def _copy_lines(copy: Document) -> Iterator[str]:
    reason = f" ({copy['reason']})" if copy["reason"] else ""
    yield _sentence(f"chunk     {copy['chunk_id']}  {copy['state']}{reason}")
    yield f"          {'refused at its copy to' if copy['refused'] else 'copied as'} {copy['safe_name']}"
    if copy["job_name"]:
        yield f"job       {copy['job_name']}  {copy['job_status'] or 'not confirmed'}"
        yield f"          submitted {moment(copy['submitted_at'])}, ended {moment(copy['ended_at'])}"
        yield f"  {copy['job_arn'] or '        no ARN yet'}"
        if copy["job_message"]:
            yield _sentence(f"          {copy['job_message']}")


def _sentence(text: str) -> str:
    """Break what somebody wrote into lines below the words it stands beside."""
    return filled(printable(text), indent=10)


def _show_attempts(attempts: Sequence[Document], columns: Columns) -> None:
    made = table(*columns)
    for each in attempts[:SHOWN]:
        made.add_row(*(cell(value(each)) for value in columns.values()))
    show(made, otherwise="No records.")
    for each in attempts[:SHOWN]:
        for line in _words(each):
            wrapped(line, indent=2)
    more(len(attempts) - SHOWN, "attempts")


def _notes(attempt: Document) -> str:
    source = attempt["reused_from"]
    notes = [
        *(["sent again"] if attempt["superseded"] else []),
        *(["repaired"] if attempt["repaired"] else []),
        *([f"reused from {source.partition('/')[0]}"] if source else []),
        *([f"{attempt['missing']} parts missing"] if attempt["missing"] else []),
    ]
    return ", ".join(notes)


def _words(attempt: Document) -> Iterator[str]:
    """Say why a record failed, and what the model said where that was no answer."""
    error, tried = attempt["error"], f"{attempt['record_id']}, try {attempt['attempt']}"
    if error:
        yield printable(f"{tried}, failed: {': '.join(filter(None, (error['code'], error['message'])))}")
    if attempt["raw_text"]:
        yield f"{tried}, said: {_shortened(attempt['raw_text'])}"


def _shortened(text: str) -> str:
    """Write the beginning of what the model said on one line; nothing in it may steer a terminal."""
    cut = "".join(c if c.isprintable() else " " for c in text[:TEXT_SHOWN])
    left = f" … ({len(text)} characters: see --json)" if len(text) > TEXT_SHOWN else ""
    return " ".join(cut.split()) + left


_ATTEMPT: Columns = {
    "try>": lambda attempt: attempt["attempt"],
    "outcome": lambda attempt: attempt["outcome"] or "waiting",
    "notes~": _notes,
    "in>": lambda attempt: attempt["input_tokens"],
    "out>": lambda attempt: attempt["output_tokens"],
    "USD>": lambda attempt: attempt["cost_usd"],
}
_OF_CHUNK: Columns = {"record~": lambda attempt: attempt["record_id"], **_ATTEMPT}
_OF_FILE: Columns = {
    "analysis": lambda attempt: attempt["analysis_type"],
    **_ATTEMPT,
    # The last part of its id: the batch says the first.
    "chunk>": lambda attempt: attempt["chunk_id"] and attempt["chunk_id"].rpartition("-")[2],
}
_KINDS: Mapping[str, Callable[[Document], None]] = {
    "batch": _show_batch,
    "chunk": _show_chunk,
    "file": _show_file,
}
