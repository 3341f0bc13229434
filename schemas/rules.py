"""What JSON Schema is told of the rules that the code of a message checks itself."""

from typing import Any, Final

Schema = dict[str, Any]

ONE_LINE: Final = r"^[^\u0000-\u001f\u007f-\u009f\u2028\u2029]*$"
"""A part of what `str.isprintable` asks for: no control characters and no line ends."""

FILE_ID: Final[Schema] = {
    "anyOf": [
        {"type": "integer", "exclusiveMinimum": -(10**63), "exclusiveMaximum": 10**64},
        {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"},
    ]
}

USD: Final[Schema] = {
    "anyOf": [
        {"type": "number", "minimum": 0, "maximum": 1_000_000},
        {
            "type": "string",
            "pattern": r"^(0{0,14}[0-9]{1,6}(\.[0-9]{1,20})?|(0{0,13}1000000|-0{1,20})(\.0{1,20})?)$",
        },
    ]
}


def given(name: str, value: Schema) -> Schema:
    """Say that a field is there and what it holds."""
    return {"required": [name], "properties": {name: value}}


def one_of(*fields: Schema) -> Schema:
    """Say that exactly one of these holds; a field that is null is not given."""
    return {"oneOf": list(fields)}


TEXT: Final[Schema] = {"type": "string"}
ONE_NAME: Final = one_of(given("batch_id", TEXT), given("request_id", TEXT))
ONE_PLACE: Final = {
    **one_of(given("list", TEXT), given("prefix", TEXT)),
    "if": given("list", TEXT),
    "then": {"properties": {"suffixes": {"maxItems": 0}}},
}
ONE_SOURCE: Final = one_of(
    given("files", {"type": "array", "minItems": 1}), given("files_from", {"type": "object"})
)
