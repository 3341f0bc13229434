"""Writing one object piece by piece: memory holds one part of it."""

import gzip
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from consumers.core.objects import Writer
from daemon.adapters.s3.sending import Sending

# AWS: multipart upload limits, 10,000 parts of at least 5 MiB; these reach 80 GiB.
PART_BYTES = 8 * 1024 * 1024
# The library's 9 costs more than reading and judging what is packed, for a few per cent of room.
GZIP_LEVEL = 4


@dataclass
class _Buffered:
    """Gathers what is written into parts."""

    sending: Sending
    buffer: bytearray = field(default_factory=bytearray)

    def write(self, data: bytes) -> int:
        """Take more of the object, sending a part when one is full."""
        self.buffer += data
        while len(self.buffer) > PART_BYTES:
            self._send(bytes(memoryview(self.buffer)[:PART_BYTES]))
            del self.buffer[:PART_BYTES]
        return len(data)

    def flush(self) -> None:
        """Keep what is buffered: parts have a least size. GzipFile asks for this method."""

    def finish(self) -> None:
        """Make the object appear."""
        rest = bytes(self.buffer)
        if not self.sending.upload:
            self.sending.put(lambda: rest)
            return
        if rest:
            self._send(rest)
        self.sending.complete()

    def _send(self, part: bytes) -> None:
        self.sending.send(lambda: part)


@contextmanager
def writer(sending: Sending) -> Iterator[Writer]:
    """Give a writer for one object, which appears whole when the block is left and never if it raises."""
    written = _Buffered(sending)
    with ExitStack() as unless_finished:
        unless_finished.callback(sending.abandon)
        if sending.place["Key"].endswith(".gz"):
            # No name and no time in the header: the same lines make the same bytes.
            with gzip.GzipFile(
                filename="", mode="wb", compresslevel=GZIP_LEVEL, fileobj=written, mtime=0
            ) as packed:
                yield packed
        else:
            yield written
        written.finish()
        unless_finished.pop_all()
