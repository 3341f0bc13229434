"""Output of a job that was not created here: what a line tells of its file, and what a batch of it is."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol

import msgspec

from consumers.core import layout
from consumers.core.jobs import JobReport
from consumers.core.layout import RecordName, S3Place
from consumers.core.media import media_of
from consumers.core.results import BrokenLine, read_line
from consumers.core.rows import Batch, Held, NewChunk, NewFile
from schemas.kinds import Kind
from schemas.messages import LONGEST_NAME, Terms

ADOPTING = "adopting"
"""The phase of a plan that ``adopt_job`` goes on with."""
UNKNOWN_MODEL = "unknown"
_NOWHERE = S3Place("", "")
_WHOLE = re.compile(r"0|[1-9][0-9]*")


@dataclass(frozen=True, slots=True)
class ForeignLine:
    """What a line of output tells of its record; ``place`` is empty where the line echoes no S3 URI.

    ``name`` is None where the record was only there to fill the job up.
    """

    name: RecordName | None
    place: S3Place
    kind: str


class PlacedFile(NamedTuple):
    """A file that was taken in already: its place in the batch, and what was asked of it."""

    position: int
    analysis_types: tuple[str, ...]


class Adoption(Protocol):
    """The port to the store for output of others."""

    def placed_files(self, batch_id: str, file_ids: Sequence[str]) -> Mapping[str, PlacedFile]:
        """Return place and analysis types of those of the files that are there already, by id."""

    def adopt_page(
        self, held: Held, chunk: NewChunk, files: Sequence[NewFile], cursor: Mapping[str, object]
    ) -> None:
        """Add files and the records that ``chunk`` has of them, and move the cursor, in one transaction.

        A file that is there already has other types by now.
        """

    def end_adopting(
        self, held: Held, chunk_id: str, padding: int, job: JobReport | None, why: str, now: datetime
    ) -> None:
        """Let the chunk be read, with its job where one is known; ``why`` nothing of the batch is bought.

        What it cost counts on the day of the job, not on the day it was taken in.
        """


class _S3Location(msgspec.Struct):
    uri: str = ""


class _Source(msgspec.Struct, rename={"s3_location": "s3Location"}):
    s3_location: _S3Location | None = None


class _Media(msgspec.Struct):
    source: _Source | None = None


class _Content(msgspec.Struct):
    video: _Media | None = None
    image: _Media | None = None


class _Message(msgspec.Struct):
    content: list[_Content] | None = None


class _Input(msgspec.Struct):
    messages: list[_Message] | None = None


class _Echo(msgspec.Struct, rename={"model_input": "modelInput"}):
    model_input: _Input | None = None


_ECHO = msgspec.json.Decoder(_Echo)


def request_id_of(source: str) -> str:
    """Name the batch of what is taken in; a long URI by its hash."""
    name = f"adopt:{source}"
    return name if len(name) <= LONGEST_NAME else f"adopt:{hashlib.sha256(source.encode()).hexdigest()}"


def request_of(terms: Terms) -> str:
    """Write what stands for the request of a batch that nobody requested."""
    fields = terms.model_dump(mode="json", exclude={"version"})
    return msgspec.json.encode({**fields, "files": []}, order="sorted").decode()


def adopted_from(batch: Batch) -> str:
    """Return what a batch was taken in from; empty for one that was planned here."""
    return str(batch.cursor.get("adopted") or "")


def nothing_bought(source: str) -> str:
    """Say why nothing more is bought of a batch that was taken in."""
    return f"It was taken in from {source}: nothing of it is bought here."


def not_planned_here(batch_id: str, source: str) -> str:
    """Say why a batch that was taken in cannot be retried, and what to do."""
    return (
        f"batch {batch_id} was taken in from {source}: nothing of it was planned here, so nothing can be "
        "sent again. Post its files in a new request."
    )


def echo_of(file_id: str) -> int | str:
    """Return a file's id as its sender wrote it, as far as a record id tells: digits were a number."""
    return (
        int(file_id) if file_id.isascii() and file_id.isdigit() and str(int(file_id)) == file_id else file_id
    )


def read_foreign(line: bytes) -> ForeignLine | None:
    """Read what a line of output tells of its file; None for what names no record."""
    told = read_line(line)
    if isinstance(told, BrokenLine):
        return None
    if layout.is_padding(told.record_id):
        return ForeignLine(None, _NOWHERE, "")
    kind, uri = _media(line)
    place = _place(uri)
    media = media_of(place.key)
    return ForeignLine(layout.parse_record_id(told.record_id), place, media.kind if media else kind)


def _media(line: bytes) -> tuple[str, str]:
    """Return kind and URI of the media in the echoed prompt; a video at no place where none is readable."""
    try:
        messages = (_ECHO.decode(line).model_input or _Input()).messages or []
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        messages = []
    parts = [part for message in messages for part in message.content or []]
    found = [(Kind.VIDEO, part.video) for part in parts if part.video]
    found += [(Kind.IMAGE, part.image) for part in parts if part.image]
    for kind, media in found:
        location = media.source.s3_location if media.source else None
        return kind, location.uri if location else ""
    return Kind.VIDEO, ""


def _place(uri: str) -> S3Place:
    try:
        return layout.parse_s3_uri(uri)
    except ValueError:
        return _NOWHERE
