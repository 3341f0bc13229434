"""Safe file names: what a media file is called inside a chunk's folder.

Bedrock refuses URIs with spaces, commas or brackets, and percent-encoding names another object, so every
copy gets a name of `[A-Za-z0-9._-]` that keeps what is readable of the original.
"""

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

MAX_NAME = 100
MAX_EXTENSION = 10
_UNSAFE = re.compile(r"[^A-Za-z0-9.-]+")
_ACCENTS = re.compile("[\u0300-\u036f]+")


class Named(NamedTuple):
    """A file to be named: its S3 key and the sender's file id as text."""

    key: str
    file_id: str


class SafeName(NamedTuple):
    """The name a file gets in its chunk, and whether it differs from the name it had."""

    name: str
    renamed: bool


class _Readable(NamedTuple):
    """What is readable of a name: the stem may be empty, the extension has no dot."""

    stem: str
    extension: str

    def joined(self, mark: str = "") -> str:
        """Put the name together, the mark behind the stem, within the bound."""
        ending = f".{self.extension}" if self.extension else ""
        room = MAX_NAME - len(ending) - (len(mark) + 1 if mark else 0)
        stem = self.stem[:room].rstrip("_")
        return "_".join(part for part in (stem, mark) if part) + ending


def safe_names(files: Sequence[Named]) -> list[SafeName]:
    """Name all files of one chunk, in their order, so that no two names are the same.

    The same holds for readers that ignore case or compose Unicode. The first file whose name needs no
    change keeps it; where names still collide, or nothing readable is left, the file id (else a hash) is
    added. The answer depends on nothing but the files; a name has at most 100 characters.
    """
    readable = [_readable(_bare(file.key)) for file in files]
    names = _names_without_mark(files, readable)
    taken = {name.lower() for name in names if name}
    for place, name in enumerate(names):
        if not name:
            names[place] = _marked(files[place], readable[place], place, taken)
    return [SafeName(name, is_renamed(file.key, name)) for name, file in zip(names, files, strict=True)]


def is_renamed(key: str, name: str) -> bool:
    """Tell whether a copy's name differs from that of its original."""
    return name != _bare(key)


def _names_without_mark(files: Sequence[Named], readable: Sequence[_Readable]) -> list[str]:
    """Give the readable name to everyone who can have it alone, and an empty one to the others."""
    plain = [part.joined() if part.stem else "" for part in readable]
    wanted = Counter(name.lower() for name in plain)
    kept: dict[str, int] = {}
    for place, (name, file) in enumerate(zip(plain, files, strict=True)):
        if name and name == _bare(file.key):
            kept.setdefault(name.lower(), place)
    return [
        name if wanted[name.lower()] == 1 or kept.get(name.lower()) == place else ""
        for place, name in enumerate(plain)
    ]


def _marked(file: Named, readable: _Readable, place: int, taken: set[str]) -> str:
    for mark in _marks(file, place):
        name = readable.joined(mark)
        if name.lower() not in taken:
            taken.add(name.lower())
            return name
    raise AssertionError("the marks do not end")


def _marks(file: Named, place: int) -> Iterator[str]:
    """Offer what may tell a file from its namesakes, the most readable first, without end."""
    file_id = _clean(file.file_id).replace(".", "_").strip("_-")
    if file_id:
        yield file_id[:64]
    text = f"{file.file_id}\n{file.key}"
    yield _short_hash(text)
    attempt = 0
    while True:
        yield _short_hash(f"{text}\n{place}\n{attempt}")
        attempt += 1


def _readable(name: str) -> _Readable:
    clean = _clean(name).rstrip("._")
    stem, _, extension = clean.rpartition(".")
    extension = extension.strip("_")
    if "." not in clean or not _is_extension(extension):
        stem, extension = re.sub("[._]+", "_", clean), ""
    return _Readable(stem.lstrip("._-").rstrip("_"), extension)


def _is_extension(text: str) -> bool:
    """Tell an ending from a sentence with a dot; a copy called `.jsonl` would be read as records."""
    return 0 < len(text) <= MAX_EXTENSION and text.lower() != "jsonl"


def _clean(text: str) -> str:
    """Turn each run of unsafe characters into one `_`; accented letters lose their accents only."""
    if not text.isascii():
        text = _ACCENTS.sub("", unicodedata.normalize("NFKD", text))
    return _UNSAFE.sub("_", text)


def _bare(key: str) -> str:
    return key.rpartition("/")[2]


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
