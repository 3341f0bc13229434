"""From a type to its JSON Schema (2020-12), without the noise."""

from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

Schema = dict[str, Any]
DIALECT = "https://json-schema.org/draft/2020-12/schema"


class _Untitled(GenerateJsonSchema):
    """Gives a title to types only: that of a field would repeat its name."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002
        return False


def schema_of(kind: Any) -> Schema:
    """Return the JSON Schema of a type, its descriptions in plain Markdown."""
    made: Schema = _in_markdown(TypeAdapter(kind).json_schema(schema_generator=_Untitled))
    return made


def _in_markdown(value: Any) -> Any:
    if isinstance(value, list):
        return [_in_markdown(each) for each in value]
    if not isinstance(value, dict):
        return value
    said = value.get("description")
    plain = {"description": _paragraphs(said)} if isinstance(said, str) else {}
    return {name: _in_markdown(each) for name, each in value.items()} | plain


def _paragraphs(text: str) -> str:
    """Join the lines of each paragraph."""
    return "\n\n".join(" ".join(each.split()) for each in text.replace("``", "`").split("\n\n"))


def standing_alone(name: str, schema: Schema, examples: list[Any]) -> Schema:
    """Return a schema as a document of its own."""
    head = {"$schema": DIALECT, "$id": f"urn:novabatch:1:{name}", "title": name}
    return {**head, **{key: value for key, value in schema.items() if key != "title"}, "examples": examples}


def hoisted(schema: Schema, to: str) -> tuple[Schema, Schema]:
    """Split a schema from its definitions; references lead to where those are put."""
    moved = _moved(schema, to)
    definitions = moved.pop("$defs", {})
    return moved, definitions


def _moved(value: Any, to: str) -> Any:
    if isinstance(value, list):
        return [_moved(each, to) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        name: each.replace("#/$defs/", to) if name == "$ref" else _moved(each, to)
        for name, each in value.items()
    }
