"""A line of a list, read at a glance: never otherwise than with care."""

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from consumers.submit.listed_lines import AnyFile, ListedFile, read_line
from schemas.json_object import read_object
from schemas.messages import File

FIELDS = tuple(File.model_fields)
TEXTS = st.one_of(
    st.text(max_size=6),
    st.sampled_from(
        ["proxy/a, b.mov", "ä\u2028.mov", 'say "x"', "back\\slash", "k" * 1025, "ä" * 600, "\x00"]
    ),
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(TEXTS, inner, max_size=2)),
    max_leaves=4,
)
LIKELY = st.fixed_dictionaries(
    {"file_id": st.one_of(st.integers(), st.sampled_from(["a-1", "k.9", "22153"])), "s3_key": TEXTS},
    optional={
        "bucket": st.one_of(st.none(), st.just("media"), TEXTS),
        "size_bytes": st.one_of(st.none(), st.integers(-1, 2**50), VALUES),
        "local_path": st.one_of(st.none(), TEXTS),
        "context": st.dictionaries(
            TEXTS, st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXTS)
        ),
    },
)
ODD = st.dictionaries(st.sampled_from([*FIELDS, "other"]), VALUES, max_size=4)
SOME = st.one_of(LIKELY, LIKELY, ODD).map(lambda content: list(content.items()))


@st.composite
def lines(draw: st.DrawFn) -> bytes:
    """Write lines as senders do, now and then with a name that stands twice."""
    pairs = draw(SOME)
    if pairs and draw(st.integers(0, 9)) == 0:
        pairs.append(draw(st.sampled_from(pairs)))
    ascii = draw(st.booleans())
    return (
        "{" + ", ".join(f'"{name}": {json.dumps(value, ensure_ascii=ascii)}' for name, value in pairs) + "}"
    ).encode()


def told(file: AnyFile) -> str:
    """Tell all of a file, 1 apart from 1.0 and from True."""
    return repr({name: getattr(file, name) for name in FIELDS})


def as_in_a_message(line: bytes) -> str | None:
    try:
        return told(File.model_validate(read_object(line.decode())))
    except ValueError:
        return None


@given(lines())
@settings(max_examples=500)
@example(b'{"file_id": 1, "s3_key": "a.mov", "file_id": 2}')
@example(b'{"file_id": 1, "s3_key": "a.mov", "context": {"a": "b", "a": "b"}}')
@example(b'{"file_id": 1, "s3_key": "a.mov", "context": {"a": {"b": 1}}}')
@example(b'{"file_id": 1, "s3_key": "a.mov", "context": {"a": 1e400}}')
@example(b'{"file_id": 1, "s3_key": "a.mov", "bucket": null, "context": {}}')
def test_a_line_is_read_as_a_message_would_be(line: bytes) -> None:
    read = read_line(line)
    assert (None if isinstance(read, str) else told(read)) == as_in_a_message(line)


@pytest.mark.parametrize(
    "context", [{}, {"path": "Smith/pool", "duration_seconds": 61.5, "hdr": True, "by": None}]
)
def test_what_most_lines_hold_is_read_at_a_glance(context: dict[str, Any]) -> None:
    file = {"file_id": 22153, "s3_key": "proxy/Vidéo, 1.mov", "size_bytes": 5, "local_path": "a/b.mov"}
    line = json.dumps(file | ({"context": context} if context else {}), ensure_ascii=False)
    assert isinstance(read_line(line.encode()), ListedFile)
