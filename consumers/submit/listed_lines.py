"""One line of a list of files: a file, or the reason why it is none."""

import re

from pydantic import ValidationError

from schemas.messages import File
from schemas.parsing import explain

LONGEST_LINE = 256 * 1024
_NULL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


def read_line(line: bytes) -> File | str:
    """Read one line; a string says what is wrong with it and what to do."""
    if len(line) > LONGEST_LINE:
        return f"it is {len(line)} bytes long, over the limit of {LONGEST_LINE}: shorten its context."
    if _NULL.search(line):
        return "it holds a null byte (\\u0000): remove it."
    try:
        return File.model_validate_json(line)
    except ValidationError as error:
        return explain(error).replace(" at line 1 column", " at column")
