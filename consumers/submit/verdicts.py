"""What is found out about the files of a chunk while its folder is filled."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from consumers.core import layout
from consumers.core.faults import Denied, Fault, Missing, Rejected, Throttled
from consumers.core.media import Media, media_of
from consumers.core.originals import FileLimit, Unfit, unfit_size
from consumers.core.rows import Chunk, ChunkFile, Held, Measured, Refusal
from consumers.core.world import World
from consumers.submit.lookout import Lookout


@dataclass(frozen=True, slots=True)
class Staging:
    """The chunk that is being staged, under whose lease, and how large a file of it may be."""

    chunk: Chunk
    held: Held
    limit: FileLimit
    lookout: Lookout
    world: World

    def key(self, file: ChunkFile) -> str:
        """Name a file's place in the folder."""
        return layout.file_key(self.chunk.folder, file.safe_name)

    def as_it_is(self, file: ChunkFile, size: int, etag: str) -> ChunkFile | Unfit:
        """Return a file with the size and ETag it has now, or why it is REFUSED: it may change but once."""
        if bad := unfit_size(size, self.limit):
            return bad
        if file.measured_again:
            where = layout.s3_uri(file.bucket, file.s3_key)
            was, now = _version(file.size_bytes, file.etag), _version(size, etag)
            why = f"{where} changed again after it was measured a second time: {was} then, {now} now"
            return Unfit("changed", f"{why}. Retry the batch once nobody writes it any more")
        return replace(file, size_bytes=size, etag=etag, measured_again=True)

    def remember(self, files: Iterable[ChunkFile]) -> None:
        """Store what files came to when they were measured again."""
        measured = [Measured(file.position, file.size_bytes, file.etag) for file in files]
        if measured:
            self.world.store.remeasure(self.held, measured)


@dataclass
class Verdicts:
    """Files that are REFUSED with their reasons, and faults that may pass."""

    refusals: list[Refusal] = field(default_factory=list)
    denied: list[tuple[ChunkFile, Denied]] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    def refuse(self, file: ChunkFile, why: Unfit) -> None:
        """Refuse a file."""
        self.refusals.append(Refusal(file.position, why.code, why.reason))

    def note(self, file: ChunkFile, fault: Fault, code: str) -> None:
        """Refuse a file for a fault that stays; keep one that may pass or strike all files alike."""
        match fault:
            case Rejected():
                self.refuse(file, Unfit(code, fault.message))
            case Missing():
                self.refuse(file, Unfit("not_found", fault.message))
            case Denied():
                self.denied.append((file, fault))
            case _:
                self.faults.append(fault)

    def take(self, found: ChunkFile | Unfit, file: ChunkFile, taken: list[ChunkFile]) -> None:
        """Take a file as it was found, or refuse it."""
        if isinstance(found, Unfit):
            self.refuse(file, found)
        else:
            taken.append(found)

    def close(self, *, others_came: bool) -> None:
        """Raise the worst fault, if any. What is denied for some files only is a matter of these files."""
        for file, fault in self.denied:
            if others_came:
                self.refuse(file, Unfit("access_denied", fault.message))
            else:
                self.faults.append(fault)
        if self.faults:
            raise min(self.faults, key=lambda fault: isinstance(fault, Throttled))


def media_for(file: ChunkFile) -> Media:
    """Tell what a file of a chunk is. Raises Rejected for one that should never have got there."""
    media = media_of(file.s3_key)
    if media is None:
        raise Rejected(f"{file.s3_key} has no format the model takes")
    return media


def _version(size: int, etag: str) -> str:
    return f"{size} bytes with ETag {etag}" if etag else f"{size} bytes"
