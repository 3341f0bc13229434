"""Putting a local file into the bucket, read as it is sent: memory holds next to nothing of it."""

from contextlib import ExitStack
from functools import partial

from consumers.core.faults import PassingFault
from daemon.adapters.local_media import LocalFile
from daemon.adapters.s3.sending import Sending

# Up to this size one PutObject is enough; beyond, what a broken connection costs is one such part.
# AWS: multipart upload limits, 10,000 parts; these reach 320 GB.
PART_BYTES = 32 * 1024 * 1024


def upload(file: LocalFile, sending: Sending) -> None:
    """Send the file as one object. Changed if it was written meanwhile: what was sent is no version of it."""
    with ExitStack() as unless_sent:
        unless_sent.callback(sending.abandon)
        try:
            _send(file, sending)
        finally:
            file.check()
        unless_sent.pop_all()


def _send(file: LocalFile, sending: Sending) -> None:
    if file.size <= PART_BYTES:
        sending.put(lambda: file.stretch(0, file.size))
        return
    for start in range(0, file.size, PART_BYTES):
        if sending.stopped.is_set():
            raise PassingFault(f"PutObject {sending.subject}: nobody wants it any more")
        sending.send(partial(file.stretch, start, min(PART_BYTES, file.size - start)))
    file.check()
    sending.complete()
