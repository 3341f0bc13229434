"""A plan as text: what it comes to, and the first of its chunks, new names and refusals."""

from collections.abc import Iterator
from datetime import timedelta

import click

from consumers.core.cost import money
from consumers.core.names import is_renamed
from consumers.core.rows import NewChunk, NewFile
from consumers.submit.outlook import Outlook
from consumers.submit.preview import Judged, PlannedChunk
from daemon.cli.output import cell, more, show, size, table, wrapped

CHUNKS_SHOWN = 40
FILES_SHOWN = 20


class PlanTables:
    """Keeps the first rows of a plan and counts the others, so that a million files take no more memory."""

    def __init__(self) -> None:
        self._chunks: list[tuple[NewChunk, int]] = []
        self._refused: list[NewFile] = []
        self._renamed: list[tuple[NewFile, str]] = []
        self._names_changed = 0

    def add(self, part: Judged | PlannedChunk) -> None:
        """Take one page or one chunk."""
        if isinstance(part, Judged):
            refused = [file for file in part.files if file.code]
            self._refused += refused[: FILES_SHOWN - len(self._refused)]
            return
        if len(self._chunks) < CHUNKS_SHOWN:
            self._chunks.append((part.chunk, len(part.files)))
        for file in part.files:
            name = part.chunk.safe_names[file.position]
            if is_renamed(file.s3_key, name):
                self._names_changed += 1
                self._renamed += [(file, name)] if len(self._renamed) < FILES_SHOWN else []

    def show(self, outlook: Outlook) -> None:
        """Show the plan."""
        for line in _lines(outlook):
            wrapped(line, indent=10)
        self._show_chunks(outlook.chunks)
        self._show_renamed()
        self._show_refused(outlook.refused)

    def _show_chunks(self, count: int) -> None:
        made = table("chunk", "folder", "files>", "records>", "bytes>")
        for chunk, files in self._chunks:
            records = str(len(chunk.records)) + (f"+{chunk.padding}" if chunk.padding else "")
            made.add_row(*map(cell, (chunk.index, chunk.folder, files, records, size(chunk.bytes))))
        click.echo()
        show(made, otherwise="No chunk: nothing would be bought.")
        more(count - len(self._chunks), "chunks")

    def _show_renamed(self) -> None:
        made = table("file_id~", "original~", "copied as~")
        for file, name in self._renamed:
            made.add_row(*map(cell, (file.echo, file.s3_key.rpartition("/")[2], name)))
        if self._renamed:
            click.echo()
            show(made)
        more(self._names_changed - len(self._renamed), "new names")

    def _show_refused(self, count: int) -> None:
        made = table("refused file~", "code", "reason~")
        for file in self._refused:
            made.add_row(*map(cell, (file.echo, file.code, file.reason)))
        if self._refused:
            click.echo()
            show(made)
        more(count - len(self._refused), "refused files")


def _lines(outlook: Outlook) -> Iterator[str]:
    batch, model = outlook.preview.batch, outlook.preview.model
    unknown = "unknown"
    yield f"batch     {batch.batch_id}  request {batch.request_id}"
    if known := outlook.preview.known:
        yield f"          accepted before and {known.state} now: sending it again starts nothing"
    else:
        yield "          the folders will carry the time at which it is accepted, here they carry this one"
    yield f"model     {model.id}"
    yield f"files     {outlook.files}, of them refused {outlook.refused}"
    yield f"records   {outlook.records}, and {outlook.padding} of padding; reused {outlook.reused}"
    yield f"tokens    at most {outlook.input_tokens} in, {outlook.output_tokens} out"
    yield f"cost      at most {money(outlook.cost_usd) or unknown} USD at the batch rate"
    yield f"          on demand it would be {money(outlook.on_demand_usd) or unknown} USD"
    if outlook.chunks:
        yield f"time      {_time(outlook)}"
    if day_budget := outlook.day_budget():
        yield f"budget    {day_budget}"
    for assumption in outlook.assumed():
        yield f"assumed   {assumption}"


def _time(outlook: Outlook) -> str:
    behind = f" behind {outlook.preview.backlog} others" if outlook.preview.backlog else ""
    jobs = f"{outlook.chunks} jobs{behind}, {outlook.room.slots} at a time"
    return f"about {_hours(outlook.duration())}: {jobs}"


def _hours(duration: timedelta) -> str:
    minutes = -(-duration // timedelta(minutes=1))
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"
