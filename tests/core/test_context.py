"""What is said of a file: how it enters a prompt, and how much of it may."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.core.context import MAX_CONTEXT_BYTES, context_of, unfit_context
from schemas.shapes.prompt import context_json
from tests.core.answers import json_values


def test_a_prompt_carries_the_names_of_its_file_and_what_the_sender_says() -> None:
    assert context_of("proxy/a b.mov", {"path": "Smith/pool"}) == {
        "file_name": "a b.mov",
        "s3_key": "proxy/a b.mov",
        "path": "Smith/pool",
    }


@given(st.dictionaries(st.text(max_size=10), json_values, max_size=5))
def test_whatever_is_short_may_be_said(said: dict[str, Any]) -> None:
    assert unfit_context(said) is None


@pytest.mark.parametrize("letter", ["x", "é", "日", '"', "<", "\x01", "\u2028"])
def test_a_context_may_be_as_long_as_the_limit_counted_as_it_stands_in_the_prompt(letter: str) -> None:
    frame = len(context_json({"transcript": ""}))
    size = len(context_json({"transcript": letter}).encode()) - frame
    fits = (MAX_CONTEXT_BYTES - frame) // size
    assert unfit_context({"transcript": letter * fits}) is None
    refused = unfit_context({"transcript": letter * (fits + 1)})
    assert refused is not None
    assert refused.code == "context_too_large"


def test_a_refusal_names_the_limit_the_size_and_the_field_to_shorten() -> None:
    said = {"path": "Smith/pool", "transcript": "x" * 100_000, "tags": ["y"] * 100}
    refused = unfit_context(said)
    assert refused is not None
    assert f"{len(json.dumps(said))} bytes" in refused.reason
    assert f"limit of {MAX_CONTEXT_BYTES}" in refused.reason
    assert "longest field 'transcript'" in refused.reason


def test_a_field_with_a_long_name_makes_a_short_reason() -> None:
    refused = unfit_context({"x" * 100_000: 1})
    assert refused is not None
    assert len(refused.reason) < 300
