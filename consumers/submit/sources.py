"""Where the files of a batch are read from, page by page, with a cursor that survives a crash."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from pydantic import ValidationError

from consumers.core import layout
from consumers.core.faults import Rejected
from consumers.core.rows import Batch
from consumers.core.world import World
from schemas.messages import File, SubmitBatch
from schemas.parsing import explain

PAGE = 1000


@dataclass(frozen=True, slots=True)
class Page:
    """Files read from a source; ``at`` is where the next page begins, None after the last."""

    files: tuple[File, ...]
    at: Mapping[str, Any] | None


def next_page(batch: Batch, at: Mapping[str, Any], world: World) -> Page:
    """Read the next page of the batch's source. Raises Changed if a list was replaced meanwhile."""
    request = SubmitBatch.model_validate_json(world.store.request_of(batch.batch_id))
    source = request.files_from
    if source is None:
        return _of_message(request.files, int(at.get("index", 0)))
    if source.list is not None:
        return _of_list(source.list, at, world)
    after = str(at.get("after", ""))
    return _of_prefix(batch.batch_id, str(source.prefix), source.suffixes, batch.bucket, after, world)


def _of_message(files: tuple[File, ...], index: int) -> Page:
    rest = index + PAGE < len(files)
    return Page(files[index : index + PAGE], {"index": index + PAGE} if rest else None)


def _of_list(uri: str, at: Mapping[str, Any], world: World) -> Page:
    bucket, key = layout.parse_s3_uri(uri)
    etag = at.get("etag") or _etag(bucket, key, world)
    start = int(at.get("offset", 0))
    lines = list(islice(world.objects.lines(key, bucket, start, etag), PAGE))
    files = tuple(_read_line(uri, line) for _, line in lines if line.strip())
    return Page(files, {"offset": lines[-1][0], "etag": etag} if len(lines) == PAGE else None)


def _etag(bucket: str, key: str, world: World) -> str:
    (info,) = world.objects.heads([(bucket, key)])
    if isinstance(info, Exception):
        raise info
    return info.etag


def _read_line(uri: str, line: bytes) -> File:
    try:
        return File.model_validate_json(line)
    except ValidationError as error:
        raise Rejected(f"{uri} holds a line that is no file: {explain(error)}", "invalid_list") from None


def _of_prefix(
    batch_id: str, prefix: str, suffixes: tuple[str, ...], bucket: str, after: str, world: World
) -> Page:
    found = list(islice(world.objects.list(prefix, bucket, after), PAGE))
    keys = [info.key for info in found if not info.key.endswith("/") and _wanted(info.key, suffixes)]
    files = tuple(File(file_id=file_id, s3_key=key) for key, file_id in _named(batch_id, keys, world))
    return Page(files, {"after": found[-1].key} if len(found) == PAGE else None)


def _wanted(key: str, suffixes: tuple[str, ...]) -> bool:
    return not suffixes or key.lower().endswith(tuple(suffix.lower() for suffix in suffixes))


def _named(batch_id: str, keys: list[str], world: World) -> Iterator[tuple[str, str]]:
    """Name each file by the number in its key where that is unique so far, else by the key's hash."""
    ids = [layout.file_id_of(key) for key in keys]
    often = Counter([*ids, *world.store.planned_ids(batch_id, ids)])
    for key, file_id in zip(keys, ids, strict=True):
        yield key, file_id if often[file_id] == 1 else layout.hashed_file_id(key)
