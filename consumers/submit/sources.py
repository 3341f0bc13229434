"""Where the files of a batch are read from, page by page, with a cursor that survives a crash."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from consumers.core import layout
from consumers.core.faults import Rejected
from consumers.core.objects import ObjectInfo, Objects
from consumers.submit.listed_lines import AnyFile, ListedFile, read_line
from schemas.messages import File, FilesFrom, SubmitBatch

PAGE = 1000
BYTE_ORDER_MARK = b"\xef\xbb\xbf"

Place = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Found:
    """A file as its source names it.

    ``info`` is what a listing tells of the object. An id ``read_from_key`` gives way where another file has
    it. ``problem`` says why a line of a list is no file; ``file`` then names the line and nothing else.
    """

    file: AnyFile
    info: ObjectInfo | None = None
    read_from_key: bool = False
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """Files read from a source, behind the ``first`` ones before them.

    ``at`` is where the next page begins, None after the last.
    """

    first: int
    files: tuple[Found, ...]
    at: Place | None


def pages(request: SubmitBatch, bucket: str, at: Place, first: int, objects: Objects) -> Iterator[Page]:
    """Read a request's files from a place on, in one go; the last page may be empty.

    ``at`` and ``first`` are those of the page before. Raises Changed if a list was replaced meanwhile,
    Rejected if a source holds nothing, or a list nothing that is a file.
    """
    entries = _entries(request, bucket, at, objects)
    while True:
        some = list(islice(entries, PAGE))
        files = tuple(found for found, _ in some if found)
        last = len(some) < PAGE
        if first == 0:
            _check_beginning(request.files_from, bucket, files, last=last)
        yield Page(first, files, None if last else some[-1][1])
        if last:
            return
        first += len(files)


def _check_beginning(source: FilesFrom | None, bucket: str, files: tuple[Found, ...], *, last: bool) -> None:
    if source is None:
        return
    if not files and last:
        raise Rejected(_nothing_in(source, bucket), "empty_source")
    if files and all(found.problem for found in files):
        why = f"{source.list} is no list of files: of its first {len(files)} lines none is a file object"
        raise Rejected(f"{why}; {files[0].problem}", "invalid_list")


def _nothing_in(source: FilesFrom, bucket: str) -> str:
    if source.list is not None:
        return f"{source.list} names no file: write one file object a line"
    endings = f" that ends in {', '.join(source.suffixes)}" if source.suffixes else ""
    return f"no object{endings} lies under {layout.s3_uri(bucket, str(source.prefix))}"


def _entries(
    request: SubmitBatch, bucket: str, at: Place, objects: Objects
) -> Iterator[tuple[Found | None, Place]]:
    """Yield what a source holds, None for what names no file, each with the place behind it."""
    source = request.files_from
    if source is None:
        return _of_message(request.files, int(at.get("index", 0)))
    if source.list is not None:
        return _of_list(source.list, at, objects)
    return _of_prefix(source, bucket, str(at.get("after", "")), objects)


def _of_message(files: tuple[File, ...], index: int) -> Iterator[tuple[Found, Place]]:
    for number, file in enumerate(files[index:], index + 1):
        yield Found(file), {"index": number}


def _of_list(uri: str, at: Place, objects: Objects) -> Iterator[tuple[Found | None, Place]]:
    bucket, key = layout.parse_s3_uri(uri)
    etag = at.get("etag") or _etag(bucket, key, objects)
    lines = objects.lines(key, bucket, int(at.get("offset", 0)), etag)
    for number, (offset, line) in enumerate(lines, int(at.get("line", 0)) + 1):
        content = (line.removeprefix(BYTE_ORDER_MARK) if number == 1 else line).strip()
        place = {"offset": offset, "line": number, "etag": etag}
        yield _of_line(content, number) if content else None, place


def _etag(bucket: str, key: str, objects: Objects) -> str:
    (info,) = objects.heads([(bucket, key)])
    if isinstance(info, Exception):
        raise info
    return info.etag


def _of_line(content: bytes, number: int) -> Found:
    read = read_line(content)
    if not isinstance(read, str):
        return Found(read)
    nameless = ListedFile(file_id=f"line-{number}", s3_key="")
    return Found(nameless, problem=f"line {number} is no file object: {read}")


def _of_prefix(
    source: FilesFrom, bucket: str, after: str, objects: Objects
) -> Iterator[tuple[Found | None, Place]]:
    endings = tuple(suffix.lower() for suffix in source.suffixes)
    for info in objects.list(str(source.prefix), bucket, after):
        wanted = not info.key.endswith("/") and (not endings or info.key.lower().endswith(endings))
        yield _of_listing(info) if wanted else None, {"after": info.key}


def _of_listing(info: ObjectInfo) -> Found:
    file = ListedFile(file_id=layout.file_id_of(info.key), s3_key=info.key)
    return Found(file, info, read_from_key=True)
