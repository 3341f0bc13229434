"""A shape as the form a model is asked to fill in: valid JSON with every name and every allowed value."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec import inspect as types


def skeleton(shape: type[msgspec.Struct]) -> str:
    """Return the form of a shape; each placeholder `<...>` says what belongs in its place."""
    return json.dumps(_form(types.type_info(shape), ""), indent=2, ensure_ascii=False)


def _form(kind: types.Type, guidance: str) -> Any:
    while isinstance(kind, types.Metadata):
        guidance = guidance or (kind.extra_json_schema or {}).get("description", "")
        kind = kind.type
    return _FORMS[type(kind)](kind, guidance)


def _struct(kind: Any, _guidance: str) -> dict[str, Any]:
    return {field.encode_name: _form(field.type, "") for field in kind.fields}


def _text(_kind: Any, guidance: str) -> str:
    return f"<{guidance or 'text'}>"


def _number(kind: Any, guidance: str) -> str:
    word = "integer" if isinstance(kind, types.IntType) else "number"
    bounds = f" {kind.ge} to {kind.le}" if kind.ge is not None and kind.le is not None else ""
    return f"<{word}{bounds}{guidance and ': '}{guidance}>"


def _flag(_kind: Any, guidance: str) -> str:
    return f"<true or false{guidance and ': '}{guidance}>"


def _choice(kind: Any, guidance: str) -> str:
    return f"<one of: {' | '.join(kind.values)}{guidance and '; '}{guidance}>"


def _list(kind: Any, guidance: str) -> list[Any]:
    return [_form(kind.item_type, guidance)]


def _table(kind: Any, guidance: str) -> dict[str, Any]:
    name, _, entry = guidance.partition(": ")
    return {f"<{name or 'name'}>": _form(kind.value_type, entry)}


def _anything(_kind: Any, guidance: str) -> str:
    return f"<{guidance or 'any value'}>"


def _asked_for(kind: Any, guidance: str) -> Any:
    """Show the first type only: the others are taken, not asked for."""
    form = _form(kind.types[0], guidance)
    nullable = any(isinstance(each, types.NoneType) for each in kind.types)
    return f"{form[:-1]}, or null>" if nullable and isinstance(form, str) else form


_FORMS: Mapping[type, Callable[[Any, str], Any]] = {
    types.StructType: _struct,
    types.StrType: _text,
    types.IntType: _number,
    types.FloatType: _number,
    types.BoolType: _flag,
    types.LiteralType: _choice,
    types.ListType: _list,
    types.DictType: _table,
    types.AnyType: _anything,
    types.UnionType: _asked_for,
}
