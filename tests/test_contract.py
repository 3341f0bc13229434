"""The contract as files: what stands there is what the code takes and gives, and nothing else."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from daemon.contract.examples import INCOMING
from daemon.contract.files import files, reason, schemas
from daemon.contract.incoming import incoming
from daemon.contract.refused import REFUSED, RefusedBody
from daemon.contract.told import OUTGOING
from schemas.events import DETAILS, Event, EventName
from schemas.parsing import UnreadableMessage, parse, type_names
from tests.contract_bodies import Validator, bodies, closed, each_changed, fits, spoilt

FOLDER = Path(__file__).parents[1] / "docs" / "contract"
SCHEMAS = schemas()
KINDS = incoming()
UNSEEN = re.compile(
    "whole number|integer or a string|compared as text|bytes, over the limit|cannot be printed"
    "|levels deep|null byte|does not have the form .*s3://"
)
"""How the parser words the rules that no schema can say."""


def accepts(kind: str, body: Any) -> str:
    """Return what the parser says against a body; nothing if it takes it."""
    try:
        parse(KINDS[kind].queue, json.dumps(body))
    except UnreadableMessage as refusal:
        return refusal.message
    return ""


def test_the_files_are_what_the_code_gives_and_none_is_left_over() -> None:
    assert {path.name: path.read_text() for path in FOLDER.iterdir()} == files(), "write it anew: make pages"


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_schema_is_one_of_json_schema_2020_12(name: str) -> None:
    assert SCHEMAS[name]["$schema"] == Draft202012Validator.META_SCHEMA["$id"]
    Draft202012Validator.check_schema(SCHEMAS[name])


def test_every_message_and_every_event_has_a_schema_and_an_example() -> None:
    named = {name for known in type_names.values() for name in known}
    assert named | {"job_state_change"} == set(KINDS) == set(INCOMING), "daemon/contract/examples.py"
    told = (each for examples in OUTGOING.values() for each in examples)
    assert {each["detail-type"] for each in told if "detail-type" in each} == set(EventName)
    assert set(SCHEMAS) == set(INCOMING) | set(OUTGOING)


@pytest.mark.parametrize(("name", "body"), [(name, each) for name in INCOMING for each in INCOMING[name]])
def test_every_example_is_taken_by_parser_and_schema(name: str, body: Any) -> None:
    assert accepts(name, body) == ""
    Draft202012Validator(SCHEMAS[name]).validate(body)


@pytest.mark.parametrize("refused", REFUSED.values(), ids=REFUSED.keys())
def test_every_refused_body_is_refused_by_the_parser_and_where_it_can_by_the_schema(
    refused: RefusedBody,
) -> None:
    assert reason(refused).message
    assert fits(SCHEMAS[refused.kind], refused.body) is not refused.seen
    assert refused.seen or UNSEEN.search(reason(refused).message)


@pytest.mark.parametrize(("name", "told"), [(name, each) for name in OUTGOING for each in OUTGOING[name]])
def test_every_example_of_what_comes_back_fits_and_says_no_more(name: str, told: Any) -> None:
    Draft202012Validator(closed(SCHEMAS[name])).validate(told)
    if "detail-type" in told:
        event = Event(name=told["detail-type"], time=told["time"], detail=told["detail"])
        assert event.model_dump(mode="json", by_alias=True) == told
        assert set(DETAILS[event.name].__required_keys__) <= set(told["detail"])


def agree(kind: str, body: Any, fit: bool) -> None:
    """Both take a body or both refuse it, but for the rules that are listed as beyond a schema."""
    said = accepts(kind, body)
    assert fit or said, f"the parser takes what the schema refuses: {body}"
    assert not said or not fit or UNSEEN.search(said), f"the schema takes what the parser refuses: {said}"


@pytest.mark.parametrize("name", KINDS)
def test_parser_and_schema_agree_where_one_place_of_an_example_is_changed(name: str) -> None:
    validator = Validator(KINDS[name].schema)
    for example in INCOMING[name]:
        for body in each_changed(example):
            agree(name, body, validator.is_valid(body))


@pytest.mark.parametrize("name", KINDS)
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_parser_and_schema_agree_on_whatever_is_sent(name: str, data: st.DataObject) -> None:
    """But for the rules that are listed as beyond a schema; both must take what was made to fit."""
    kind = KINDS[name].schema
    body = data.draw(st.one_of(bodies(kind), spoilt(kind)))
    agree(name, body, fits(kind, body))


def test_what_is_made_to_fit_is_mostly_taken_and_what_is_spoilt_mostly_refused() -> None:
    """The test before this one is worth something."""
    taken: dict[bool, list[bool]] = {True: [], False: []}

    @settings(max_examples=40, deadline=None, database=None, derandomize=True)
    @given(good=bodies(KINDS["submit_batch"].schema), bad=spoilt(KINDS["submit_batch"].schema))
    def draw(good: Any, bad: Any) -> None:
        taken[True].append(accepts("submit_batch", good) == "")
        taken[False].append(accepts("submit_batch", bad) == "")

    draw()
    assert sum(taken[True]) > 0.6 * len(taken[True])
    assert sum(taken[False]) < 0.5 * len(taken[False])
