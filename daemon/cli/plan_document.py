"""A plan as one JSON document; a million files of it take little more memory than a few."""

from collections.abc import Iterator, Mapping
from itertools import chain
from tempfile import SpooledTemporaryFile
from typing import Any, Self

import click
import msgspec

from consumers.core.cost import money
from consumers.core.names import is_renamed
from consumers.core.rows import NewFile
from consumers.submit.outlook import Outlook
from consumers.submit.preview import Judged, PlannedChunk

IN_MEMORY = 16_000_000
COPY = 1_000_000
Row = Mapping[str, Any]


class PlanDocument:
    """Keeps chunks and refused files as they come, and writes them once the plan is whole.

    A plan that breaks off leaves nothing on stdout.
    """

    def __init__(self) -> None:
        self._chunks = _Rows()
        self._refused = _Rows()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._chunks.file.close()
        self._refused.file.close()

    def add(self, part: Judged | PlannedChunk) -> None:
        """Take one page or one chunk."""
        if isinstance(part, PlannedChunk):
            self._chunks.add(_chunk(part))
            return
        for file in part.files:
            if file.code:
                self._refused.add(_refusal(file))

    def show(self, outlook: Outlook) -> None:
        """Write the document, its fields in the order in which they are documented."""
        rest = {
            "reused": outlook.reused,
            "tokens": {"input": outlook.input_tokens, "output": outlook.output_tokens},
            "cost_usd": money(outlook.cost_usd),
            "cost_on_demand_usd": money(outlook.on_demand_usd),
            "assumed": list(outlook.assumed()),
        }
        for piece in chain([b'{"chunks":['], self._chunks, [b'],"refused":['], self._refused, [b"],"]):
            click.echo(piece, nl=False)
        click.echo(msgspec.json.encode(rest)[1:])


class _Rows:
    """JSON values one after another, with commas between them; on disk once they are many."""

    def __init__(self) -> None:
        self.file = SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115 - it lives as long as the rows
        self._empty = True

    def add(self, row: Row) -> None:
        self.file.write((b"\n" if self._empty else b",\n") + msgspec.json.encode(row))
        self._empty = False

    def __iter__(self) -> Iterator[bytes]:
        self.file.seek(0)
        while piece := self.file.read(COPY):
            yield piece


def _chunk(part: PlannedChunk) -> Row:
    chunk = part.chunk
    return {
        "index": chunk.index,
        "folder": chunk.folder,
        "bytes": chunk.bytes,
        "records": len(chunk.records),
        "padding": chunk.padding,
        "files": [_file(file, chunk.safe_names[file.position]) for file in part.files],
    }


def _file(file: NewFile, safe_name: str) -> Row:
    return {
        "file_id": file.echo,
        "s3_key": file.s3_key,
        "safe_name": safe_name,
        "renamed": is_renamed(file.s3_key, safe_name),
        "size_bytes": file.size_bytes,
    }


def _refusal(file: NewFile) -> Row:
    return {"file_id": file.echo, "s3_key": file.s3_key, "reason": f"{file.code}: {file.reason}"}
