"""Output of others, page by page: its files and records as the store takes them, and the place behind."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from consumers.core import layout
from consumers.core.foreign import ForeignLine, PlacedFile, echo_of, read_foreign
from consumers.core.rows import Batch, Held, NewChunk, NewFile, NewRecord
from consumers.core.world import World
from consumers.job_state.foreign_output import ForeignOutput
from consumers.naming import stored_batch
from schemas.shapes.analysis import Analysis

LINES_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Page:
    """Some lines of one object, and the place behind them."""

    lines: Sequence[ForeignLine]
    key: str
    offset: int


def chunk_of(batch: Batch, found: ForeignOutput) -> NewChunk:
    """Return the one chunk of a batch that is taken in: its own folder stays empty."""
    return NewChunk(
        chunk_id=layout.chunk_id(batch.batch_id, 0),
        index=0,
        round=0,
        model=batch.model,
        folder=layout.folder_name(batch.created_at, batch.batch_id, 0),
        priority=0,
        bytes=0,
        padding=0,
        safe_names={},
        records=(),
        created_at=batch.created_at,
        output_uri=found.uri,
    )


def pages(batch: Batch, found: ForeignOutput, world: World) -> Iterator[Page]:
    """Read the output from where the cursor stands; memory stays flat. The last page may be empty."""
    at, offset = str(batch.cursor.get("key", "")), int(batch.cursor.get("offset", 0))
    for key in (key for key in found.keys if key >= at):
        yield from _pages_of(key, offset if key == at else 0, found.place.bucket, world)


def _pages_of(key: str, start: int, bucket: str, world: World) -> Iterator[Page]:
    lines = world.objects.lines(key, bucket, start)
    while some := [(offset, read_foreign(line)) for offset, line in islice(lines, LINES_AT_ONCE)]:
        start = some[-1][0]
        yield Page([line for _, line in some if line is not None], key, start)
    yield Page([], key, start)


def take_page(batch: Batch, held: Held, page: Page, found: ForeignOutput, world: World) -> None:
    """Store the files and records of a page, and the place behind it.

    A type of analysis that nobody knows makes no record: when the output is read its lines are strange.
    """
    known = [line for line in page.lines if line.name is not None and _asked(line, world) is not None]
    ids = {line.name.file_id for line in known if line.name is not None}
    cursor = stored_batch(held.id, world).cursor
    taken = _Taken(world.store.placed_files(held.id, sorted(ids)), int(cursor.get("next", 0)), batch.bucket)
    for line in known:
        taken.add(line, _asked(line, world))
    padding = sum(line.name is None for line in page.lines)
    behind = {
        "key": page.key,
        "offset": page.offset,
        "next": taken.next,
        "padding": int(cursor.get("padding", 0)) + padding,
    }
    chunk = replace(chunk_of(batch, found), safe_names=taken.names, records=tuple(taken.records))
    world.store.adopt_page(held, chunk, list(taken.files.values()), {**cursor, **behind})


def _asked(line: ForeignLine, world: World) -> Analysis | None:
    return world.analyses.find(line.name.analysis_type, line.kind) if line.name else None


class _Taken:
    """The files and records of a page, each file at the place it has or gets."""

    def __init__(self, placed: Mapping[str, PlacedFile], next: int, bucket: str) -> None:
        self.next = next
        self.names: dict[int, str] = {}
        self.files: dict[str, NewFile] = {}
        self.records: list[NewRecord] = []
        self._placed, self._bucket = placed, bucket

    def add(self, line: ForeignLine, asked: Analysis | None) -> None:
        """Take a record; of a file that is there already the type alone is new."""
        if line.name is None or asked is None:
            return
        file_id, kind = line.name
        file = self.files.get(file_id) or self._file(file_id, line)
        if kind not in file.analysis_types:
            file = replace(file, analysis_types=(*file.analysis_types, kind))
        self.files[file_id] = file
        self.names[file.position] = file_id
        self.records.append(NewRecord(file.position, kind, 1, asked.inference.max_tokens))

    def _file(self, file_id: str, line: ForeignLine) -> NewFile:
        placed = self._placed.get(file_id)
        position, types = placed or PlacedFile(self.next, ())
        self.next += placed is None
        return NewFile(
            position=position,
            file_id=file_id,
            echo=echo_of(file_id),
            bucket=line.place.bucket or self._bucket,
            s3_key=line.place.key,
            size_bytes=0,
            etag="",
            kind=line.kind,
            local_path=None,
            context={},
            analysis_types=types,
        )
