"""One line of a list of files: a file, or the reason why it is none."""

from pydantic import ValidationError

from schemas.json_object import BadJson, read_object
from schemas.messages import File
from schemas.parsing import explain

LONGEST_LINE = 256 * 1024


def read_line(line: bytes) -> File | str:
    """Read one line by the rules of a message body; a string says what is wrong and what to do."""
    if len(line) > LONGEST_LINE:
        return f"It is {len(line)} bytes long, over the limit of {LONGEST_LINE}: shorten its context."
    try:
        return File.model_validate(read_object(line.decode()))
    except UnicodeDecodeError:
        return "It is not UTF-8: write the list as UTF-8."
    except BadJson as error:
        return error.message.replace("The body", "It")
    except ValidationError as error:
        return explain(error)
