"""What the machinery really sends and writes, against the schemas of the contract."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from consumers.core import layout
from daemon.contract.files import schemas
from schemas.events import Event, EventName
from tests.contract_bodies import closed
from tests.stages.bedrock_answers import error
from tests.stages.simulation import Simulation
from tests.stages.test_forget import bought, forget

SCHEMAS = schemas()


def check(name: str, document: Any) -> None:
    """Hold a document against its schema; it may have no field that the schema does not name."""
    Draft202012Validator(closed(SCHEMAS[name])).validate(document)


@pytest.fixture
def bad_day(sim: Simulation) -> Simulation:
    """Batches that have everything to tell: repeated, refused, without money, cancelled, unreadable."""
    sim.answers.plan("file-1:combined", error(503))
    sim.answers.plan("file-2:combined", error(400))
    sim.submit([*sim.media(4), {"file_id": 9, "s3_key": "gone.mov"}])
    sim.finish_all()
    sim.submit(sim.media(1), "unknown model", model="nobody")
    sim.submit(sim.media(1, first=50), "no money", budget_usd="0.000001")
    sim.finish_all()
    return sim


def events(sim: Simulation) -> Iterator[Event]:
    yield from sim.sent
    yield from (each for _, refusal in sim.dead for each in refusal.then if isinstance(each, Event))


def manifest(sim: Simulation, batch_id: str) -> Any:
    return json.loads(sim.objects.text(layout.manifest_json_key(batch_id)))


def test_what_is_left_of_a_forgotten_file_fits_its_schema(sim: Simulation) -> None:
    batch_id = bought(sim)
    forget(sim, batch_id)
    check("manifest", manifest(sim, batch_id))
    lines = sim.objects.text(layout.forgotten_key(batch_id)).splitlines()
    assert lines
    for line in lines:
        check("result_line", json.loads(line))


def test_every_event_fits_its_schema(bad_day: Simulation) -> None:
    told = list(events(bad_day))
    assert {each.name for each in told} == set(EventName)
    for each in told:
        check(each.name.value.lower().replace(" ", "_"), each.model_dump(mode="json", by_alias=True))


def test_every_result_line_and_every_manifest_fits_its_schema(bad_day: Simulation) -> None:
    outcomes = set()
    for batch_id in {each.detail["batch_id"] for each in bad_day.sent if "batch_id" in each.detail}:
        for line in bad_day.results(batch_id):
            check("result_line", line)
            outcomes.add(line["outcome"])
        check("manifest", manifest(bad_day, batch_id))
    assert outcomes >= {"SUCCEEDED", "MODEL_ERROR", "REFUSED", "NOT_BOUGHT"}
