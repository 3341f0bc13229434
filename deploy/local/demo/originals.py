"""The originals of the demo: found in a folder, put into the bucket, compared at the end."""

import mimetypes
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

IMAGES = frozenset({".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".tif", ".tiff", ".heic", ".svg"})
# What S3 stores when an uploader says nothing: Bedrock takes a media file's word for it and fails.
WRONG_TYPE = "binary/octet-stream"
MISSING_KEY = "proxy_video/deleted yesterday_404_720p15.mov"
NO_MEDIA = "notes.txt"


class NoMediaError(Exception):
    """The folder given holds nothing to analyse."""


@dataclass(frozen=True)
class Original:
    """One listed file: where it lies in the bucket, and what the demo expects of it.

    ``refusal`` is the code it must be refused with, ``outcome`` the one its record must end with if that is
    not a whole answer.
    """

    file_id: int
    key: str
    path: Path | None
    refusal: str | None = None
    outcome: str | None = None
    may_be_refused: bool = False
    content_type: str | None = None
    etag: str | None = None

    @property
    def name(self) -> str:
        """The bare name."""
        return self.key.partition("/")[2]


def of_folder(folder: Path) -> list[Original]:
    """List every file below the user's folder."""
    if not folder.is_dir():
        raise NoMediaError(f"there is no folder {folder}: name one that holds videos or images")
    found = sorted(path for path in folder.rglob("*") if path.is_file() and not _is_hidden(path, folder))
    if not found:
        raise NoMediaError(f"{folder} holds no files: put videos or images into it")
    listed = (_original(number, path, folder) for number, path in enumerate(found, 1))
    return [replace(original, may_be_refused=True) for original in listed]


def made_here(paths: Sequence[Path], folder: Path) -> list[Original]:
    """List the media made here, and two files that cannot be analysed."""
    notes = folder / NO_MEDIA
    notes.write_text("The pool was filled on Friday.\n")
    listed = [_original(number, path, folder) for number, path in enumerate(paths, 1)]
    listed[0] = replace(listed[0], content_type=WRONG_TYPE)
    missing = Original(len(listed) + 1, MISSING_KEY, None, refusal="not_found")
    no_media = Original(len(listed) + 2, f"proxy_video/{NO_MEDIA}", notes, refusal="format")
    return [*listed, missing, no_media]


def _is_hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(folder).parts)


def _original(number: int, path: Path, folder: Path) -> Original:
    root = "proxy_image" if path.suffix.lower() in IMAGES else "proxy_video"
    guessed = mimetypes.guess_type(path.name)[0]
    return Original(number, f"{root}/{path.relative_to(folder).as_posix()}", path, content_type=guessed)


def upload(s3: Any, bucket: str, originals: Iterable[Original]) -> list[Original]:
    """Put the originals into the bucket and note their ETags."""
    return [_uploaded(s3, bucket, original) for original in originals]


def _uploaded(s3: Any, bucket: str, original: Original) -> Original:
    if original.path is None:
        return original
    kind = {"ContentType": original.content_type} if original.content_type else {}
    s3.upload_file(str(original.path), bucket, original.key, ExtraArgs=kind)
    return replace(original, etag=s3.head_object(Bucket=bucket, Key=original.key)["ETag"])


def changed(s3: Any, bucket: str, originals: Iterable[Original]) -> list[str]:
    """Return the keys of originals that are no longer what was put there."""
    now = {each["Key"]: each["ETag"] for each in listing(s3, bucket, "proxy_")}
    return [each.key for each in originals if each.etag is not None and now.get(each.key) != each.etag]


def listing(s3: Any, bucket: str, prefix: str) -> list[dict[str, Any]]:
    """List everything below a prefix."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return [each for page in pages for each in page.get("Contents", ())]
