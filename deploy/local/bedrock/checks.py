"""The server's own check of a request: everything boto3 lets pass (patterns, maxima, enums, unions).

botocore's service model is the authority; this walks it.
"""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import botocore.session
from botocore.model import OperationModel, Shape

from deploy.local.bedrock.errors import invalid

# The published pattern for job names backtracks exponentially on a run of dashes; this one means the same.
JOB_NAME = r"[a-zA-Z0-9]{1,63}(-*[a-zA-Z0-9\+\-\.]){0,63}"
SAME_MEANING = {JOB_NAME: r"[a-zA-Z0-9][a-zA-Z0-9+\-.]*"}


@cache
def operation_model(name: str) -> OperationModel:
    """Return botocore's description of an operation."""
    return botocore.session.get_session().get_service_model("bedrock").operation_model(name)


def check(operation: str, request: dict[str, Any]) -> None:
    """Raise a ValidationException that lists what is wrong, as the service does."""
    shape = operation_model(operation).input_shape
    found = list(problems(shape, request, "")) if shape else []
    if found:
        noun = "error" if len(found) == 1 else "errors"
        raise invalid(f"{len(found)} validation {noun} detected: " + "; ".join(found))


def problems(shape: Shape, value: Any, path: str) -> Iterator[str]:
    """Yield what breaks the constraints of a shape, members included."""
    kind = shape.type_name
    if not _is_of_kind(kind, value):
        yield f"Value at '{path}' failed to satisfy constraint: Member must be of type {kind}"
    elif kind == "structure":
        yield from _structure_problems(shape, value, path)
    elif kind == "list":
        yield from _range_problems(shape, value, len(value), path, "length ")
        for number, each in enumerate(value, start=1):
            yield from problems(shape.member, each, f"{path}.{number}.member")  # type: ignore[attr-defined]
    elif kind == "string":
        yield from _string_problems(shape, value, path)
    elif kind in ("integer", "long"):
        yield from _range_problems(shape, value, value, path, "value ")


def _is_of_kind(kind: str, value: Any) -> bool:
    wanted = {"structure": dict, "list": list, "string": str, "integer": int, "long": int}.get(kind, object)
    return isinstance(value, wanted) and not (wanted is int and isinstance(value, bool))


def _structure_problems(shape: Any, value: dict[str, Any], path: str) -> Iterator[str]:
    prefix = f"{path}." if path else ""
    if getattr(shape, "is_tagged_union", False) and len(value) != 1:
        yield f"Value at '{path}' failed to satisfy constraint: Member must have exactly one member set"
    for name in shape.required_members:
        if name not in value:
            yield f"Value null at '{prefix}{name}' failed to satisfy constraint: Member must not be null"
    for name, each in value.items():
        if name in shape.members:
            yield from problems(shape.members[name], each, prefix + name)
        elif getattr(shape, "is_tagged_union", False):
            yield f"Value at '{prefix}{name}' failed to satisfy constraint: Member is not known"


def _string_problems(shape: Shape, value: str, path: str) -> Iterator[str]:
    found = list(_range_problems(shape, value, len(value), path, "length "))
    yield from found
    pattern = shape.metadata.get("pattern")
    if pattern and not found and not re.fullmatch(SAME_MEANING.get(pattern, pattern), value):
        yield (
            f"Value '{value}' at '{path}' failed to satisfy constraint: "
            f"Member must satisfy regular expression pattern: {pattern}"
        )
    enum = shape.metadata.get("enum")
    if enum and value not in enum:
        yield (
            f"Value '{value}' at '{path}' failed to satisfy constraint: "
            f"Member must satisfy enum value set: {enum}"
        )


def _range_problems(shape: Shape, value: Any, measure: int, path: str, noun: str) -> Iterator[str]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    start = f"Value '{value}' at '{path}' failed to satisfy constraint: Member must have {noun}"
    if least is not None and measure < least:
        yield f"{start}greater than or equal to {least}"
    if most is not None and measure > most:
        yield f"{start}less than or equal to {most}"
