"""What novabatch tells others: its events, result lines, and the manifest of a batch."""

from collections.abc import Mapping

from daemon.contract.json_schema import Schema, schema_of
from schemas.documents import Manifest, Moment, ResultLine
from schemas.events import DETAILS, Event, EventName


def events() -> Mapping[str, Schema]:
    """Return the schema of each of our events, by a name for files."""
    return {_file_name(name): _event(name) for name in EventName}


def documents() -> Mapping[str, Schema]:
    """Return the schemas of what lies below ``nova_results/``."""
    return {"result_line": schema_of(ResultLine), "manifest": schema_of(Manifest)}


def _file_name(name: EventName) -> str:
    return name.value.lower().replace(" ", "_")


def _event(name: EventName) -> Schema:
    detail = schema_of(DETAILS[name])
    definitions = detail.pop("$defs", {})
    fields = {
        "source": {"const": Event.model_fields["source"].default},
        "detail-type": {"const": name.value},
        "time": schema_of(Moment),
        "detail": {"$ref": "#/$defs/Detail"},
    }
    return {
        "description": f"{name.value}: {detail['description']}",
        "type": "object",
        "properties": fields,
        "required": list(fields),
        "$defs": {"Detail": detail, **definitions},
    }
