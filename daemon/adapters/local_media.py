"""Media files below the roots an operator allows, opened so that no link leads out of them."""

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from errno import EACCES, ELOOP, ENAMETOOLONG, ENOENT, ENOTDIR, EPERM
from io import RawIOBase
from pathlib import Path
from typing import NamedTuple

from consumers.core.faults import Changed, Fault, Missing, PassingFault, Rejected

_NO_SUCH_FILE = {ENOENT, ENOTDIR, ENAMETOOLONG}
_NOT_ALLOWED = {EACCES, EPERM}
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Stretch(RawIOBase):
    """A part of an open file as a stream of its own; as many may be read at once as one likes."""

    def __init__(self, fd: int, start: int, length: int) -> None:
        self._fd, self._start, self._length, self._at = fd, start, length, 0

    def readable(self) -> bool:
        """Say yes."""
        return True

    def seekable(self) -> bool:
        """Say yes."""
        return True

    def tell(self) -> int:
        """Return the place in the stretch."""
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place in the stretch."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._length}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Read on. OSError where the file ends before the stretch does."""
        wanted = min(len(buffer), self._length - self._at)
        if wanted <= 0:
            return 0
        data = os.pread(self._fd, wanted, self._start + self._at)
        if not data:
            raise OSError("the file became shorter while it was read")
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


class LocalFile:
    """An open regular file, as long as it stays what it was when it was opened."""

    def __init__(self, fd: int, path: str) -> None:
        self._fd, self._path = fd, path
        self._stamp = self._look()
        self.size = self._stamp.bytes

    def stretch(self, start: int, length: int) -> Stretch:
        """Return some of the file as a stream. Raises Changed if the file was written since it was opened."""
        self.check()
        return Stretch(self._fd, start, length)

    def check(self) -> None:
        """Raise Changed if the file was written since it was opened."""
        if (now := self._look()) != self._stamp:
            was = f"{self._stamp.bytes} bytes when it was opened, {now.bytes} when it had been read"
            raise Changed(f"local_path {self._path!r} changed while it was read: {was}")

    def _look(self) -> "_Stamp":
        found = os.fstat(self._fd)
        return _Stamp(found.st_size, found.st_mtime_ns)


class _Stamp(NamedTuple):
    bytes: int
    modified: int


class MediaRoots:
    """Files below some folders of this machine; links are resolved before a path is compared."""

    def __init__(self, roots: Sequence[str]) -> None:
        self._roots = [Path(os.path.realpath(root)) for root in roots]

    def size(self, path: str) -> int:
        """Return a file's size in bytes; faults as ``open``."""
        with self.open(path) as file:
            return file.size

    @contextmanager
    def open(self, path: str) -> Iterator[LocalFile]:
        """Open a regular file for the block; a relative path is looked for below each root, in order.

        Raises Missing where there is no such file; Rejected for a path that leads out of all roots, for what
        is no regular file, and for one that may not be read.
        """
        with ExitStack() as stack:
            fd = self._find(path)
            stack.callback(os.close, fd)
            yield LocalFile(fd, path)

    def _find(self, path: str) -> int:
        leads_out = not self._roots
        for base in self._roots:
            place = _resolved(base, path)
            root = next((root for root in self._roots if place != root and place.is_relative_to(root)), None)
            if root is None:
                leads_out = True
                continue
            with suppress(Missing):
                return _open(root, place.relative_to(root).parts, path)
        if leads_out:
            raise Rejected(f"local_path {path!r} lies below no folder of NOVABATCH_MEDIA_ROOTS")
        raise Missing(f"local_path {path!r} does not exist")


def _resolved(base: Path, path: str) -> Path:
    if "\0" in path:
        raise Rejected(f"local_path {path!r} is no path: it holds a null byte")
    try:
        return Path(os.path.realpath(base / path))
    except OSError as error:
        raise _fault_of(error, path) from error


def _open(root: Path, names: tuple[str, ...], path: str) -> int:
    """Open a resolved place name by name, following no link: what was compared is what is opened."""
    try:
        with ExitStack() as stack:
            folder = _opened(stack, str(root), None)
            for name in names[:-1]:
                folder = _opened(stack, name, folder)
            _check_regular(os.stat(names[-1], dir_fd=folder, follow_symlinks=False), path)
            fd = os.open(names[-1], _FILE, dir_fd=folder)
            with ExitStack() as unless_regular:
                unless_regular.callback(os.close, fd)
                _check_regular(os.fstat(fd), path)
                unless_regular.pop_all()
            return fd
    except OSError as error:
        raise _fault_of(error, path) from error


def _opened(stack: ExitStack, name: str, folder: int | None) -> int:
    fd = os.open(name, _FOLDER, dir_fd=folder)
    stack.callback(os.close, fd)
    return fd


def _check_regular(found: os.stat_result, path: str) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise Rejected(f"local_path {path!r} is no regular file")


def _fault_of(error: OSError, path: str) -> Fault:
    if error.errno in _NO_SUCH_FILE:
        return Missing(f"local_path {path!r} does not exist")
    if error.errno == ELOOP:
        return Rejected(f"local_path {path!r} was replaced by a link while it was opened")
    if error.errno in _NOT_ALLOWED:
        return Rejected(f"local_path {path!r} may not be read: {error.strerror}")
    return PassingFault(f"local_path {path!r} could not be read: {error.strerror}")
