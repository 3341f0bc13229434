"""Bodies that fit a JSON Schema, and bodies that nearly do."""

import re
from collections.abc import Callable, Iterator
from typing import Any

from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend

from daemon.contract.json_schema import Schema

Draw = Callable[[st.SearchStrategy[Any]], Any]
TEXT = st.characters(exclude_categories=["Cs", "Cc", "Cf", "Co", "Cn", "Zl", "Zp", "Zs"])
ODD: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 7, 1.0, 0.5, 1.5, 64, 65, 1000, 1001, -1000, -1001, 3650, 3651, 10**70,
    999_999.5, 1_000_000, 1_000_001, 5 * 1024**4, 5 * 1024**4 + 1, "", "0", "a", "abc", "a\nb", "a b", "a/b",
    "true", "summary", "brief", "never", "auto", "de", "pt-BR", "Portuguese", "-0", "25.00", "1000000",
    "1000000.0", "1000000.5", "1e3",
    "s3://a", "b" + "0" * 20, "b" + "0" * 20 + "-000", "b" + "0" * 20 + "-00",
    *("x" * size for size in (2, 3, 63, 64, 65, 256, 257, 1024, 1025, 1094, 1095)), "é" * 600,
    [], ["a"], ["a", "a"], [None], ["x" * 65], {}, {"a": 1}, {"list": "s3://a/b"}, {"prefix": ""},
)  # fmt: skip
NUMBERS = st.integers() | st.integers(-100, 2_000_000) | st.floats(allow_nan=False, allow_infinity=False)
ANYTHING: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from(ODD),
    NUMBERS,
    st.text(TEXT, max_size=70),
    st.from_regex(r"-?[0-9]{1,20}(\.[0-9]{1,20})?", fullmatch=True),
    st.from_regex("[A-Za-z]{1,4}(-[A-Za-z0-9]{1,9}){0,4}", fullmatch=True),
)


def _pattern(validator: Any, pattern: str, value: Any, schema: Any) -> Any:
    """Read `$` as JSON Schema does: as the end of the text, not as the end before a last line break."""
    if isinstance(value, str) and not re.search(pattern.replace("$", r"\Z"), value):
        yield ValidationError(f"{value!r} does not match {pattern!r}")


Validator = extend(Draft202012Validator, {"pattern": _pattern})


def fits(schema: Schema, body: Any) -> bool:
    return bool(Validator(schema).is_valid(body))


def closed(schema: Any) -> Any:
    """Return a schema that allows no other fields than those it names."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    shut = {"additionalProperties": False} if "properties" in schema else {}
    return {**{name: closed(each) for name, each in schema.items() if name != "examples"}, **shut}


def bodies(schema: Schema) -> st.SearchStrategy[Any]:
    """Draw values that fit a schema in nearly all cases."""
    return _values(schema, schema.get("$defs", {}))


def each_changed(value: Any) -> Iterator[Any]:
    """Return a value with each place in it, one at a time, left out or changed into something odd."""
    yield from ODD
    if isinstance(value, list):
        for place, inside in enumerate(value):
            yield from ([*value[:place], each, *value[place + 1 :]] for each in each_changed(inside))
    if isinstance(value, dict):
        yield {**value, "filez": 1}
        for name, inside in value.items():
            yield {each: found for each, found in value.items() if each != name}
            yield from ({**value, name: each} for each in each_changed(inside))


def spoilt(schema: Schema) -> st.SearchStrategy[Any]:
    """Draw values that fit but for one or two changes, anywhere within."""

    @st.composite
    def change(draw: Draw) -> Any:
        body = draw(bodies(schema))
        for _ in range(draw(st.integers(1, 2))):
            body = _changed(draw, body)
        return body

    return change()


def _changed(draw: Draw, value: Any) -> Any:
    if isinstance(value, list) and value and draw(st.booleans()):
        place = draw(st.integers(0, len(value) - 1))
        return [*value[:place], _changed(draw, value[place]), *value[place + 1 :]]
    if not isinstance(value, dict) or not value:
        return draw(ANYTHING)
    name = draw(st.sampled_from(sorted(value)))
    match draw(st.sampled_from(["within", "within", "drop", "add", "copy"])):
        case "drop":
            return {each: found for each, found in value.items() if each != name}
        case "add":
            return {**value, "filez": draw(st.sampled_from(ODD))}
        case "copy" if isinstance(value[name], list):
            return {**value, name: value[name] * 2}
        case _:
            return {**value, name: _changed(draw, value[name])}


def _values(schema: Schema, defs: Schema) -> st.SearchStrategy[Any]:
    if "$ref" in schema:
        return _values(defs[schema["$ref"].rpartition("/")[2]], defs)
    if "anyOf" in schema:
        return st.one_of(*(_values(each, defs) for each in schema["anyOf"]))
    if "const" in schema:
        return st.just(schema["const"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    kind = schema.get("type")
    if isinstance(kind, list):
        return st.one_of(*(_values({**schema, "type": each}, defs) for each in kind))
    return _OF[str(kind)](schema, defs)


def _text(schema: Schema, defs: Schema) -> st.SearchStrategy[str]:
    least, most = schema.get("minLength", 0), schema.get("maxLength", 40)
    pattern = schema.get("pattern")
    if pattern and not pattern.startswith("^[^\\u0000"):
        return st.from_regex(pattern.replace("$", r"\Z"), alphabet=TEXT)
    short = st.text(TEXT, min_size=least, max_size=max(least, min(most, 12)))
    return st.one_of(short, st.sampled_from(["k" * least, "k" * most]))


def _whole(schema: Schema, defs: Schema) -> st.SearchStrategy[int]:
    least, most = schema.get("minimum"), schema.get("maximum")
    if least is None and most is None:
        return st.integers(-(10**62), 10**63)
    ends = [end for end in (least, most) if end is not None]
    return st.one_of(st.integers(least, most), st.sampled_from(ends))


def _number(schema: Schema, defs: Schema) -> st.SearchStrategy[float]:
    least, most = schema.get("minimum"), schema.get("maximum")
    return st.one_of(st.floats(least, most, allow_nan=False, allow_infinity=False), st.integers(least, most))


def _list(schema: Schema, defs: Schema) -> st.SearchStrategy[list[Any]]:
    inside = _values(schema["items"], defs)
    unique = (lambda each: each) if schema.get("uniqueItems") else None
    return st.lists(inside, min_size=schema.get("minItems", 0), max_size=3, unique_by=unique)


def _object(schema: Schema, defs: Schema) -> st.SearchStrategy[dict[str, Any]]:
    fields = {name: _values(each, defs) for name, each in schema.get("properties", {}).items()}
    if not fields:
        word = st.text(TEXT, max_size=5)
        return st.dictionaries(word, st.integers() | word, max_size=3)
    wanted = set(schema.get("required", ()))
    choices = [set(each["required"]) for each in schema.get("oneOf", ())] or [set()]
    every = set().union(*choices)
    return st.one_of(*(_chosen(fields, wanted | chosen, every - chosen) for chosen in choices))


def _chosen(fields: dict[str, Any], wanted: set[str], left: set[str]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {name: each.filter(_is_given) for name, each in fields.items() if name in wanted},
        optional={name: each for name, each in fields.items() if name not in wanted | left},
    )


def _is_given(value: Any) -> bool:
    return value is not None and value != []


_OF: dict[str, Callable[[Schema, Schema], st.SearchStrategy[Any]]] = {
    "string": _text,
    "integer": _whole,
    "number": _number,
    "array": _list,
    "object": _object,
    "boolean": lambda schema, defs: st.booleans(),
    "null": lambda schema, defs: st.none(),
}
