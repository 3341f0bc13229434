"""One line of a list of files: a file, or the reason why it is none."""

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta
from pydantic import ValidationError

from schemas.json_object import BadJson, read_object
from schemas.messages import FILE_ID, LARGEST_OBJECT, LONGEST_KEY, File
from schemas.parsing import explain

LONGEST_LINE = 256 * 1024
_LONGEST_NUMBER = 10**18

_ShortKey = Annotated[str, Meta(min_length=1, max_length=LONGEST_KEY // 4)]  # of at most 4 bytes each
_Bucket = Annotated[str, Meta(min_length=3, max_length=63)]
_Plain = str | int | float | bool | None


class ListedFile(msgspec.Struct, frozen=True):
    """A file as a source names it, with the fields of a message's ``File``; made without a second check."""

    file_id: int | str
    s3_key: str
    bucket: str | None = None
    size_bytes: int | None = None
    local_path: str | None = None
    context: Mapping[str, Any] = {}


class _PlainFile(ListedFile, frozen=True, forbid_unknown_fields=True):
    """What most lines hold; all of it is within the rules of a message, if not all that those allow."""

    s3_key: _ShortKey
    bucket: _Bucket | None = None
    size_bytes: Annotated[int, Meta(ge=0, le=LARGEST_OBJECT)] | None = None
    local_path: _ShortKey | None = None
    context: dict[str, _Plain] = {}


AnyFile = File | ListedFile
_decoder = msgspec.json.Decoder(_PlainFile)


def read_line(line: bytes) -> AnyFile | str:
    """Read one line by the rules of a message body; a string says what is wrong and what to do."""
    if len(line) > LONGEST_LINE:
        return f"It is {len(line)} bytes long, over the limit of {LONGEST_LINE}: shorten its context."
    return _at_a_glance(line) or _with_care(line)


def _at_a_glance(line: bytes) -> ListedFile | None:
    """Read a line of which nothing needs a closer look, ten times as fast; None for any other."""
    if b"\\" in line:
        return None
    try:
        file = _decoder.decode(line)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    return file if _names_each_field_once(file, line) and _has_plain_id(file) else None


def _names_each_field_once(file: ListedFile, line: bytes) -> bool:
    """Compare the quotes of a line without escapes with those that its fields take: more are names again."""
    strings = 4 if isinstance(file.file_id, str) else 3
    if file.size_bytes is not None:
        strings += 1
    if file.bucket is not None:
        strings += 2
    if file.local_path is not None:
        strings += 2
    if file.context:
        texts = sum(isinstance(value, str) for value in file.context.values())
        strings += 1 + len(file.context) + texts
    return line.count(b'"') == 2 * strings


def _has_plain_id(file: ListedFile) -> bool:
    match file.file_id:
        case str() as text:
            return FILE_ID.fullmatch(text) is not None
        case number:
            return abs(number) < _LONGEST_NUMBER


def _with_care(line: bytes) -> File | str:
    try:
        return File.model_validate(read_object(line.decode()))
    except UnicodeDecodeError:
        return "It is not UTF-8: write the list as UTF-8."
    except BadJson as error:
        return error.message.replace("The body", "It")
    except ValidationError as error:
        return explain(error)
