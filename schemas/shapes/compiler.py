"""From the type information of a shape to the reader of its answers."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec import inspect as types

from schemas.shapes.reader import Either, Many, Optional, Parts, Reader, Table
from schemas.shapes.scalars import Anything, Choice, Flag, Mended, Number, Words
from schemas.shapes.times import mend_range, mend_time

READABLE = "text, numbers, bool, Literal, list, dict, Any, other shapes, and unions of these"

MENDS: Mapping[str, Callable[[object], str | None]] = {"time": mend_time, "range": mend_range}


def reader_of(shape: type[msgspec.Struct]) -> Parts:
    """Compile the reader of a shape. TypeError for a field of a type that no answer can hold."""
    try:
        return _parts(_Bare(types.type_info(shape), {}))
    except RecursionError:
        raise TypeError(f"{shape.__name__} holds itself: a shape has a fixed depth") from None


@dataclass(frozen=True, slots=True)
class _Bare:
    """A type without its wrappings, and what they said."""

    type: Any
    says: Mapping[str, Any]


def _bare(kind: types.Type) -> _Bare:
    says: Mapping[str, Any] = {}
    while isinstance(kind, types.Metadata):
        says = {**(kind.extra or {}), **says}
        kind = kind.type
    return _Bare(kind, says)


def _compile(kind: types.Type) -> Reader:
    bare = _bare(kind)
    if type(bare.type) not in _COMPILERS:
        name = type(bare.type).__name__.removesuffix("Type")
        raise TypeError(f"a shape cannot hold {name}: use {READABLE}")
    return _COMPILERS[type(bare.type)](bare)


def _words(bare: _Bare) -> Reader:
    if by := MENDS.get(bare.says.get("reads", "")):
        return Mended(by)
    return Words(re.compile(bare.type.pattern) if bare.type.pattern else None)


def _number(bare: _Bare) -> Reader:
    low = -math.inf if bare.type.ge is None else bare.type.ge
    high = math.inf if bare.type.le is None else bare.type.le
    return Number(low, high, isinstance(bare.type, types.IntType))


def _choice(bare: _Bare) -> Reader:
    if not all(isinstance(value, str) for value in bare.type.values):
        raise TypeError("a Literal in a shape holds texts only")
    return Choice(bare.type.values)


def _list(bare: _Bare) -> Reader:
    item = _bare(bare.type.item_type)
    return Many(_compile(bare.type.item_type), item.says.get("reads") == "range")


def _either(bare: _Bare) -> Reader:
    given = bare.type.types
    inner = tuple(_compile(each) for each in given if not isinstance(each, types.NoneType))
    reader = inner[0] if len(inner) == 1 else Either(inner)
    return reader if len(inner) == len(given) else Optional(reader)


def _parts(bare: _Bare) -> Parts:
    said = {field.encode_name: _bare(field.type).says for field in bare.type.fields}
    return Parts(
        {field.encode_name: _field(bare.type.cls, field) for field in bare.type.fields},
        optional=frozenset(field.encode_name for field in bare.type.fields if not field.required),
        main=next((name for name, says in said.items() if says.get("main")), None),
    )


def _field(shape: type, field: types.Field) -> Reader:
    try:
        return _compile(field.type)
    except TypeError as error:
        raise TypeError(f"{shape.__name__}.{field.name}: {error}") from None


_COMPILERS: Mapping[type, Callable[[_Bare], Reader]] = {
    types.StrType: _words,
    types.IntType: _number,
    types.FloatType: _number,
    types.BoolType: lambda _: Flag(),
    types.LiteralType: _choice,
    types.ListType: _list,
    types.DictType: lambda bare: Table(_compile(bare.type.value_type)),
    types.AnyType: lambda _: Anything(),
    types.UnionType: _either,
    types.StructType: _parts,
}
