"""Options and analysis types of a request against what model and analyses can do."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.submit.asked import asked_problem
from schemas.analyses import REGISTRY
from schemas.inference import Bounds, Inference
from schemas.messages import SubmitBatch
from schemas.models import Model, load_models
from schemas.parsing import UnreadableMessage, parse
from schemas.queues import Queue

REQUEST = {"request_id": "r", "model": "nova-2-lite", "files": [{"file_id": 1, "s3_key": "a.mov"}]}
two_temperatures = st.tuples(st.floats(0, 3), st.floats(0, 3)).map(sorted).map(tuple)
two_ratios = st.tuples(st.floats(0, 1), st.floats(0, 1)).map(sorted).map(tuple)


def model(name: str = "nova-2-lite", **changes: Any) -> Model:
    text = json.dumps({"models": [{"id": "us.amazon.nova-2-lite-v1:0", **changes}]})
    found = load_models(text).find(name)
    assert found is not None
    return found


def refusal(options: dict[str, Any]) -> str:
    with pytest.raises(UnreadableMessage) as caught:
        parse(Queue.SUBMIT, json.dumps({**REQUEST, "options": options}))
    return caught.value.message


def problem(asked_model: Model | None = None, **fields: Any) -> tuple[str, str] | None:
    message = SubmitBatch.model_validate({**REQUEST, **fields})
    return asked_problem(message, asked_model or model(), REGISTRY)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            {"summary_depth": "endless"},
            ["options.summary_depth", "'brief', 'standard' or 'detailed'", "endless"],
        ),
        ({"language": "German"}, ["options.language", "auto or an ISO code", "de or pt-BR", "German"]),
        ({"language": "de</file_context>"}, ["options.language", "ISO code"]),
        ({"language": "de-" + "x" * 9}, ["options.language", "ISO code"]),
        ({"max_tokens": 0}, ["options.max_tokens", "limit of 1", "found 0"]),
        ({"max_tokens": "4096"}, ["options.max_tokens", "without quotes", "4096"]),
        ({"max_tokens": 4096.5}, ["options.max_tokens", "whole number", "4096.5"]),
        ({"temperature": -0.1}, ["options.temperature", "limit of 0", "-0.1", "raise it"]),
        ({"temperature": "0.3"}, ["options.temperature", "must be a number", "without quotes"]),
        ({"top_p": 1.01}, ["options.top_p", "limit of 1", "1.01", "lower it"]),
        ({"top_p": True}, ["options.top_p", "must be a number", "true"]),
        ({"reuse": "sometimes"}, ["options.reuse", "'same' or 'never'", "sometimes"]),
        ({"depth": "brief"}, ["options.depth"]),
    ],
)
def test_an_option_that_no_model_takes_is_refused_with_field_limit_value_and_remedy(
    options: dict[str, Any], words: list[str]
) -> None:
    told = refusal(options)
    assert all(word in told for word in words), told


@pytest.mark.parametrize("language", ["auto", "de", "pt-BR", "zh-Hans-CN", "yue"])
def test_a_language_is_auto_or_a_code(language: str) -> None:
    assert problem(options={"language": language}) is None


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("nova-2-lite", {"max_tokens": 65_536}, ["options.max_tokens", "65536", "65535", "nova-2-lite"]),
        ("nova-lite", {"max_tokens": 10_001}, ["options.max_tokens", "10001", "10000", "nova-lite"]),
        ("nova-2-lite", {"temperature": 1.5}, ["options.temperature", "1.5", "limit of 1.0", "Lower it"]),
    ],
)
def test_an_option_over_the_limit_of_its_model_is_refused_with_the_limit(
    name: str, options: dict[str, Any], words: list[str]
) -> None:
    found = problem(model(name), options=options)
    assert found is not None
    code, why = found
    assert code == "invalid_message"
    assert all(word in why for word in words), why


@pytest.mark.parametrize(
    "options", [{"max_tokens": 65_535}, {"temperature": 1}, {"temperature": 0, "top_p": 0}]
)
def test_an_option_at_the_limit_is_taken(options: dict[str, Any]) -> None:
    assert problem(options=options) is None


def test_the_limits_of_options_are_those_of_the_models_file() -> None:
    hot = model(temperature=[0, 2], top_p=[0.1, 0.5], max_output_tokens=100)
    assert problem(hot, options={"temperature": 2.0, "top_p": 0.5, "max_tokens": 100}) is None
    for name, asked in {"temperature": 2.1, "top_p": 0.6, "max_tokens": 101}.items():
        found = problem(hot, options={name: asked})
        assert found is not None
        assert f"options.{name}" in found[1]


@pytest.mark.parametrize(
    ("types", "code", "words"),
    [
        (["poetry"], "unknown_analysis_type", ["poetry", "summary", "NOVABATCH_ANALYSES_DIR"]),
        (["combined", "elements"], "invalid_message", ["combined", "elements", "one of the two"]),
        (["summary", "chapters", "elements"], "invalid_message", ["3 records a file", "limit of 2", "fewer"]),
    ],
)
def test_types_that_cannot_be_had_are_refused(types: list[str], code: str, words: list[str]) -> None:
    found = problem(model(max_records=2, min_records=1), analysis_types=types)
    assert found is not None
    assert found[0] == code
    assert all(word in found[1] for word in words), found


def test_many_unknown_types_still_make_a_short_reason() -> None:
    found = problem(analysis_types=["x" * 200 + str(number) for number in range(20)])
    assert found is not None
    assert len(found[1].encode()) < 1000


@given(st.floats(0, 3), st.floats(0, 1), two_temperatures, two_ratios)
def test_what_is_sent_lies_within_the_bounds_of_the_model(
    temperature: float, top_p: float, hot: Bounds, ratio: Bounds
) -> None:
    sent = Inference(10, temperature, top_p).within(hot, ratio)
    for asked, found, (least, most) in ((temperature, sent.temperature, hot), (top_p, sent.top_p, ratio)):
        assert found is not None
        assert least <= found <= most
        assert found == asked or not least <= asked <= most
    assert Inference(10).within(hot, ratio) == Inference(10)


def test_nova_2_gets_the_least_temperature_it_takes_where_0_is_asked_for() -> None:
    second, first = model(), model("nova-lite")
    asked = Inference(10, 0, 0)
    assert asked.within(second.temperature, second.top_p) == Inference(10, 0.00001, 0)
    assert asked.within(first.temperature, first.top_p) == Inference(10, 0, 0.00001)
