"""What is found out about the files of a chunk while its folder is filled."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from consumers.core import layout
from consumers.core.faults import Denied, Fault, Rejected, Throttled
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
            return Unfit("changed", f"{why}. Leave it as it is, then retry the batch")
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
    denied: list[tuple[ChunkFile, Unfit, Denied]] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    def refuse(self, file: ChunkFile, why: Unfit) -> None:
        """Refuse a file."""
        self.refusals.append(Refusal(file.position, why.code, why.reason))

    def note(self, file: ChunkFile, fault: Fault, why: Unfit | None) -> None:
        """Refuse a file for a fault that stays; keep one that may pass or strike all files alike."""
        if why is None:
            self.faults.append(fault)
        elif isinstance(fault, Denied):
            self.denied.append((file, why, fault))
        else:
            self.refuse(file, why)

    def take(self, found: ChunkFile | Unfit, file: ChunkFile, taken: list[ChunkFile]) -> None:
        """Take a file as it was found, or refuse it."""
        if isinstance(found, Unfit):
            self.refuse(file, found)
        else:
            taken.append(found)

    def settle_denials(self, *, others_came: bool) -> None:
        """Decide what a denial means: of these files only where others came just now, else of all alike."""
        for file, why, fault in self.denied:
            if others_came:
                self.refuse(file, why)
            else:
                self.faults.append(fault)
        self.denied = []

    def raise_worst(self) -> None:
        """Raise the worst fault, if any: one that is not only a matter of patience."""
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
