"""The AsyncAPI document, read by the public parser."""

import json
import os
import subprocess
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from daemon.contract.asyncapi import ADDRESSES, document
from daemon.contract.incoming import incoming
from daemon.settings import Settings
from schemas.events import EventName
from schemas.queues import Queue
from tests.npm import packages

READER = Path(__file__).with_name("asyncapi.js")
ERROR, WARNING = 0, 1
Read = Callable[[Any], dict[str, Any]]


@pytest.fixture(scope="module")
def read() -> Read:
    folder = packages("asyncapi-parser", "@asyncapi/parser@3.6.6")

    def run(asyncapi: Any) -> dict[str, Any]:
        done = subprocess.run(
            ["node", str(READER)],
            input=json.dumps(asyncapi),
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
            env={**os.environ, "NODE_PATH": str(folder / "node_modules")},
        )
        said: dict[str, Any] = json.loads(done.stdout)
        return said

    return run


def wrong(said: dict[str, Any]) -> list[str]:
    return [f"{each['path']}: {each['message']}" for each in said["found"] if each["severity"] <= WARNING]


def test_the_public_parser_finds_nothing_wrong_and_reads_all_of_it(read: Read) -> None:
    said = read(document())
    assert wrong(said) == []
    assert set(said["channels"]) == {*Queue, *(f"{queue}_dlq" for queue in Queue), "events"}
    assert len(said["operations"]) == 10
    assert set(said["messages"]) >= set(incoming())
    assert len(set(said["messages"])) == len(incoming()) + len(EventName) + 1


def _unknown_field(it: Any) -> None:
    del it["channels"]["submit"]["messages"]
    it["channels"]["submit"]["addres"] = "x"


def _no_such_channel(it: Any) -> None:
    it["operations"]["tell"]["channel"]["$ref"] = "#/channels/nowhere"


def _unknown_action(it: Any) -> None:
    it["operations"]["tell"]["action"] = "shout"


def _unknown_type(it: Any) -> None:
    it["components"]["schemas"]["sweep"]["properties"]["dry_run"]["type"] = "flag"


@pytest.mark.parametrize("spoil", [_unknown_field, _no_such_channel, _unknown_action, _unknown_type])
def test_the_public_parser_sees_what_is_wrong(read: Read, spoil: Callable[[Any], None]) -> None:
    spoilt = deepcopy(document())
    spoil(spoilt)
    assert wrong(read(spoilt)) != []


def test_the_queues_have_the_names_that_they_have_by_default() -> None:
    names = {queue: Settings.model_fields[f"{queue.value}_queue"].default for queue in Queue}
    assert names == ADDRESSES
