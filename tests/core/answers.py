"""Answers for tests: complete ones by hand, and any number of them drawn from a shape."""

from functools import lru_cache, partial
from typing import Any

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from msgspec import inspect as types

from schemas.shapes.analysis import Analysis

unhurried = settings(deadline=None)
"""For properties whose first example compiles a reader, on a machine that does other things too."""

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)

_TIMES = st.sampled_from(["00:00", "01:05", "59:59", "75:00", "01:00:05"])
_DAYS = st.dates().map(str)
_STORABLE = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)


def classification(**changes: Any) -> dict[str, Any]:
    """Return a sure classification of a waterfall in a video, with changes."""
    sure = {"family": 0.9, "tier_level": 0.8, "functional_type": 0.85, "sub_type": 0.75, "overall": 0.99}
    return {
        "family": "Genesis Natural",
        "tier_level": "Classic (Small)",
        "functional_type": "Grotto",
        "sub_type": "One-Tier",
        "confidence": sure,
        "evidence": ["boulders on both sides"],
        "unknown_reasons": {},
        "search_tags": ["grotto"],
        "product_keywords": ["kit"],
        "content_type": "review",
        "skill_level": "beginner",
        "building_techniques": ["stacking"],
    } | changes


@lru_cache
def exact_answers(analysis: Analysis) -> st.SearchStrategy[Any]:
    """Draw answers that are exactly of the shape of an analysis."""
    return _drawn(types.type_info(analysis.shape))


@lru_cache
def near_answers(analysis: Analysis) -> st.SearchStrategy[Any]:
    """Draw answers of a shape in which anything may have been replaced by anything.

    Of a composed one a single part, which is as good and much smaller.
    """
    if analysis.parts:
        parts = [near_answers(part).map(partial(_under, part.name)) for part in analysis.parts]
        return st.one_of(parts)
    return _drawn(types.type_info(analysis.shape), broken=True)


def _under(name: str, answer: Any) -> dict[str, Any]:
    return {name: answer}


def _drawn(kind: Any, broken: bool = False) -> st.SearchStrategy[Any]:
    reads = None
    while isinstance(kind, types.Metadata):
        reads = (kind.extra or {}).get("reads", reads)
        kind = kind.type
    drawn = _of_type(kind, reads, broken)
    return st.one_of(drawn, drawn, drawn, json_values) if broken else drawn


def _of_type(kind: Any, reads: str | None, broken: bool) -> st.SearchStrategy[Any]:
    match kind:
        case types.StructType():
            drawn = {f.encode_name: _drawn(f.type, broken) for f in kind.fields}
            may_lack = {f.encode_name: drawn.pop(f.encode_name) for f in kind.fields if not f.required}
            return st.fixed_dictionaries(drawn, optional=may_lack)
        case types.ListType():
            return st.lists(_drawn(kind.item_type, broken), max_size=2)
        case types.DictType():
            return st.dictionaries(_STORABLE, _drawn(kind.value_type, broken), max_size=2)
        case types.UnionType():
            return st.one_of([_drawn(each, broken) for each in kind.types])
        case types.StrType():
            return _text(kind, reads)
    return _plain(kind)


def _text(kind: types.StrType, reads: str | None) -> st.SearchStrategy[str]:
    if reads == "time":
        return _TIMES
    if reads == "range":
        return st.tuples(_TIMES, _TIMES).map("-".join)
    return _DAYS if kind.pattern else _STORABLE


def _plain(kind: Any) -> st.SearchStrategy[Any]:
    match kind:
        case types.LiteralType():
            return st.sampled_from(kind.values)
        case types.IntType():
            return st.integers(kind.ge or 0, 10_000)
        case types.FloatType():
            return st.floats(kind.ge, kind.le)
        case types.BoolType():
            return st.booleans()
        case types.NoneType():
            return st.none()
        case types.AnyType():
            return st.integers() | _STORABLE
    raise NotImplementedError(kind)


def output_line(
    text: str, *, stop: str = "end_turn", record_id: str = "file-1:combined", **more: Any
) -> bytes:
    """Return a line of Bedrock's output as production writes it."""
    message = {"content": [{"text": text}], "role": "assistant"}
    usage = {"inputTokens": 2980, "outputTokens": 1024, "totalTokens": 4004}
    output = {"output": {"message": message}, "stopReason": stop, "usage": usage}
    echo = {"messages": [{"role": "user", "content": [{"text": "the prompt, once more"}]}]}
    line = {"recordId": record_id, "modelInput": echo, "modelOutput": output} | more
    return msgspec.json.encode(line)
