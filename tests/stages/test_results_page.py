"""The page that tells field by field what comes back, against what the code really gives."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from consumers.core import layout
from consumers.core.objects import ObjectInfo
from daemon.adapters.store import SqlStore
from daemon.adapters.views import Views
from daemon.storage import Measure
from deploy.local import stack
from deploy.local.processes import Server
from schemas.events import Event, EventName
from schemas.models import load_models
from tests.cli.command_line import CommandLine
from tests.cli.conftest import cli, cloud, s3
from tests.cli.queues import bury
from tests.cli.test_cleaning import fill
from tests.contracts.planting import completed
from tests.stages.bedrock_answers import error
from tests.stages.simulation import Simulation

__all__ = ["cli", "cloud", "s3"]
PAGE = (Path(__file__).parents[2] / "docs" / "results.md").read_text()
OPAQUE = {"result"}
REQUEST: dict[str, Any] = {
    "request_id": "catalog",
    "model": "nova-2-lite",
    "options": {"reuse": "never"},
    "files": [
        {"file_id": 1, "s3_key": "a/one.mov", "size_bytes": 7},
        {"file_id": 2, "s3_key": "a/notes.txt", "size_bytes": 7},
    ],
}


def documented(heading: str) -> list[str]:
    """Return the fields that a section of the page names, in its order."""
    section = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert section is not None, heading
    return re.findall(r"^\| `([^`]+)` \|", section[1], re.MULTILINE)


def fields(document: Mapping[str, Any], within: str = "") -> Iterator[str]:
    """Name every field of a document; those of a list's objects once."""
    for name, value in document.items():
        yield within + name
        if isinstance(value, Mapping) and name not in OPAQUE:
            yield from fields(value, f"{within}{name}.")
        if isinstance(value, list) and value and isinstance(value[0], Mapping):
            yield from fields(value[0], f"{within}{name}[].")


@pytest.fixture
def done(sim: Simulation) -> str:
    """A batch that has everything to tell: a part, a superseded attempt, a refused file."""
    sim.answers.plan("file-1:combined", error(503))
    batch_id = sim.submit([*sim.media(2), {"file_id": 9, "s3_key": "gone.mov"}])
    sim.finish_all()
    return batch_id


def detail(sim: Simulation, name: EventName) -> Mapping[str, Any]:
    return next(event.detail for event in reversed(sim.sent) if event.name is name)


def test_every_field_of_a_result_line_is_told(sim: Simulation, done: str) -> None:
    good, *_, refused = sim.results(done)
    assert list(good) == [name for name in documented("Result line") if "." not in name]
    assert list(fields({**good, "error": refused["error"]})) == documented("Result line")


def test_every_field_of_the_manifest_is_told(sim: Simulation, done: str) -> None:
    manifest = json.loads(sim.objects.text(layout.manifest_json_key(done)))
    assert list(fields(manifest)) == documented("manifest.json")


def test_every_file_of_a_batch_is_told(sim: Simulation, done: str) -> None:
    told = {re.sub("<[^>]*>", "", name) for name in documented("Files of a batch")}
    for key in sim.objects.keys(layout.results_prefix(done)):
        name = key.removeprefix(layout.results_prefix(done))
        assert re.sub(r"(?<=part-)\d+", "", name) in told or name.startswith("plan-"), name


@pytest.mark.parametrize(
    "name", [EventName.BATCH_ACCEPTED, EventName.CHUNK_FINISHED, EventName.BATCH_FINISHED]
)
def test_every_field_of_an_event_is_told(sim: Simulation, done: str, name: EventName) -> None:
    assert list(fields(detail(sim, name))) == documented(f"Event: {name}")
    event = next(event for event in sim.sent if event.name is name)
    assert list(event.model_dump(by_alias=True)) == documented("Events")


def test_every_field_of_a_refusal_is_told(sim: Simulation) -> None:
    sim.submit(sim.media(1), "unknown model", model="nobody")
    (refused,) = (each for _, refusal in sim.dead for each in refusal.then if isinstance(each, Event))
    assert list(refused.detail) == documented("Event: Batch Refused")
    sim.submit(sim.media(1), "no money", budget_usd="0.000001")
    planned = detail(sim, EventName.BATCH_REFUSED)
    assert list(planned) == ["version", "batch_id", *documented("Event: Batch Refused")[1:]]


def test_every_field_of_status_and_pending_is_told(sim: Simulation, done: str) -> None:
    sim.submit(sim.media(1, first=5), "open")
    views = Views(sim.store.engine, load_models())
    status = views.status(done)
    assert status is not None
    assert list(fields(status)) == documented("status BATCH --json")
    assert list(fields(views.pending())) == documented("pending --json")


def test_every_field_of_a_plan_is_told(tmp_path: Path) -> None:
    nowhere = {"NOVABATCH_DATABASE_URL": f"sqlite:///{tmp_path / 'no' / 'novabatch.db'}"}
    printed = CommandLine(tmp_path, settings=nowhere).ok("plan", "-", "--json", stdin=json.dumps(REQUEST))
    assert list(fields(json.loads(printed))) == documented("plan FILE --json")


def test_every_field_of_storage_is_told() -> None:
    measure = Measure({})
    measure.add(ObjectInfo("a.mov", 7))
    assert list(fields(measure.document())) == documented("storage --json")


def test_every_field_of_cleanup_is_told(
    cloud: CommandLine, sqlite_store: SqlStore, s3: Any, fresh_aws: Server
) -> None:
    fill(s3, sqlite_store, completed(sqlite_store))
    assert list(fields(cloud.document("cleanup", "--dry-run"))) == documented("cleanup --json")


def test_every_field_of_a_file_s_history_is_told(cli: CommandLine, sqlite_store: SqlStore) -> None:
    completed(sqlite_store)
    assert list(fields(cli.document("show", "1000"))) == documented("show FILE --json")


def test_every_field_of_dead_letters_and_of_the_doctor_is_told(cloud: CommandLine) -> None:
    bury(stack.client("sqs", cloud.url), "{}")
    assert list(fields(cloud.document("dlq", "list"))) == documented("dlq list --json")
    assert list(fields(cloud.document("doctor"))) == documented("doctor --json")


def test_every_field_of_the_audit_is_told(cloud: CommandLine, sqlite_store: SqlStore) -> None:
    completed(sqlite_store)
    assert list(fields(cloud.document("audit"))) == documented("audit --json")


def test_every_field_of_what_forgetting_came_to_is_told(cloud: CommandLine, sqlite_store: SqlStore) -> None:
    completed(sqlite_store)
    assert list(fields(cloud.document("forget", "1000", "--dry-run"))) == documented("forget FILE --json")
