"""A look at a request: the same chunks, names, refusals and money as the real plan, and nothing changed."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from operator import attrgetter
from typing import Any, cast

import pytest
from sqlalchemy import select

from consumers.core import layout
from consumers.core.faults import PassingFault
from consumers.core.objects import Objects
from consumers.core.rows import NewChunk, NewFile
from consumers.core.store import Store
from consumers.core.world import Refuse
from consumers.submit.outlook import Outlook
from consumers.submit.preview import PlannedChunk, Preview, preview
from consumers.wake import room_for
from daemon.adapters.tables import metadata
from schemas.messages import SubmitBatch
from schemas.models import load_models
from tests.stages.conftest import NewSimulation
from tests.stages.simulation import Simulation

Files = list[dict[str, Any]]


class Nothing:
    """A port that must not be reached."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"{name} was asked")


class Gone:
    """A port that cannot be reached."""

    def __getattr__(self, name: str) -> Any:
        raise PassingFault("nobody answers")


def request(files: Files | None, **more: Any) -> SubmitBatch:
    fields = {"request_id": "r", "model": "nova-2-lite", "files": files, **more}
    return SubmitBatch.model_validate({name: value for name, value in fields.items() if value is not None})


def look(
    sim: Simulation, message: SubmitBatch, **ports: Any
) -> tuple[Outlook, list[NewChunk], list[NewFile]]:
    """Look at a request to the end; returns its sums, its chunks and its refused files."""
    begun = preview(message, replace(sim.world([]), **ports))
    assert isinstance(begun, Preview), begun
    outlook = Outlook(begun, room_for(begun.model, sim.policy))
    chunks: list[NewChunk] = []
    refused: list[NewFile] = []
    for part in begun:
        outlook.add(part)
        if isinstance(part, PlannedChunk):
            chunks.append(part.chunk)
            assert [file.position for file in part.files] == list(part.chunk.safe_names)
        else:
            refused += [file for file in part.files if file.code]
    return outlook, chunks, refused


def difficult(sim: Simulation) -> Files:
    """Originals with all kinds of names, some of them impossible."""
    sim.objects.put("proxy_video/notes.txt", "text")
    sim.objects.put("proxy_video/empty.mov", b"")
    sim.objects.put("proxy_image/日本語.png", "picture")
    sim.objects.put("proxy_image/中文.png", "picture")
    return [
        *sim.media(5),
        {"file_id": "gone", "s3_key": "proxy_video/gone.mov"},
        {"file_id": "notes", "s3_key": "proxy_video/notes.txt"},
        {"file_id": "empty", "s3_key": "proxy_video/empty.mov"},
        {"file_id": "j", "s3_key": "proxy_image/日本語.png"},
        {"file_id": "c", "s3_key": "proxy_image/中文.png", "context": {"path": "x"}},
    ]


def everything(sim: Simulation) -> tuple[Any, Any]:
    """Return all that the store and the bucket hold."""
    with sim.store.database.read() as connection:
        rows = {table.name: connection.execute(select(table)).all() for table in metadata.sorted_tables}
    return rows, {bucket: dict(objects) for bucket, objects in sim.objects.buckets.items()}


def stored_chunks(sim: Simulation) -> list[NewChunk]:
    """Return the chunks of the batch that the request became."""
    return list(sim.store.chunk_plans(layout.batch_id("r"), 0))


def in_order(chunks: list[NewChunk]) -> list[NewChunk]:
    """Put each chunk's records into the order in which the store gives them back."""
    by_type = attrgetter("position", "analysis_type")
    return [replace(chunk, records=tuple(sorted(chunk.records, key=by_type))) for chunk in chunks]


def test_what_is_shown_is_what_the_batch_becomes(sim: Simulation) -> None:
    sim.small_chunks(3)
    message = request(difficult(sim), analysis_types=["summary", "description", "elements"])
    outlook, chunks, refused = look(sim, message)
    sim.post(message)
    sim.run()
    assert stored_chunks(sim) == in_order(chunks)
    stored = list(sim.store.refused_files(layout.batch_id("r")))
    assert [(file.echo, file.s3_key, file.code, file.reason) for file in stored] == [
        (file.echo, file.s3_key, file.code, file.reason) for file in refused
    ]
    count = sim.store.count(layout.batch_id("r"))
    assert (outlook.files, outlook.refused, outlook.chunks) == (count.files, count.refused, count.chunks)
    assert (outlook.records, outlook.padding) == (count.records, sum(chunk.padding for chunk in chunks))
    assert outlook.cost_usd == sum(chunk.estimate_usd or Decimal(0) for chunk in chunks) > 0


def test_a_plan_of_many_windows_is_shown_as_it_becomes(sim: Simulation) -> None:
    sim.store.pause("*", "only the plan counts", sim.now)
    sim.small_chunks(7)
    for number in range(3100):
        sim.objects.put(f"archive/a_{number}_720p.mov", "x")
    message = request(None, files_from={"prefix": "archive/"})
    _, chunks, _ = look(sim, message)
    sim.post(message)
    sim.run()
    assert stored_chunks(sim) == chunks


def test_an_id_read_from_a_key_gives_way_as_in_the_plan(sim: Simulation) -> None:
    for number in range(1100):
        sim.objects.put(f"archive/a_{number}_720p.mov", "x")
    sim.objects.put("archive/b_5_720p.mov", "x")
    message = request(None, files_from={"prefix": "archive/"})
    begun = preview(message, sim.world([]))
    assert isinstance(begun, Preview)
    shown = [file.echo for part in begun if isinstance(part, PlannedChunk) for file in part.files]
    sim.store.pause("*", "only the plan counts", sim.now)
    sim.post(message)
    sim.run()
    assert [file.echo for file in sim.store.uncut_files(layout.batch_id("r"), 0, 2000)] == shown
    assert len(set(shown)) == 1101


def test_a_look_changes_nothing(sim: Simulation) -> None:
    sim.submit(sim.media(2), "earlier")
    message = request(difficult(sim))
    before = everything(sim)
    look(sim, message)
    assert everything(sim) == before


def test_where_sizes_are_given_and_nothing_is_reused_nobody_is_asked(sim: Simulation) -> None:
    files = [{**file, "size_bytes": 7, "context": {"duration_seconds": 61}} for file in sim.media(3)]
    nothing = {"store": cast(Store, Nothing()), "objects": cast(Objects, Nothing())}
    outlook, chunks, _ = look(sim, request(files, options={"reuse": "never"}), **nothing)
    assert (outlook.files, chunks[0].bytes, list(outlook.assumed())) == (3, 21, [])


def test_what_is_not_known_is_said_to_be_assumed(sim: Simulation) -> None:
    files = [{**file, "context": {"duration_seconds": 61}} for file in sim.media(1)]
    outlook, _, _ = look(sim, request([*files, *sim.media(2, first=2), *sim.media(3, "png", first=4)]))
    videos, images = outlook.assumed()
    assert "duration_seconds (2 files)" in videos
    assert "images (3 files)" in images


def test_a_batch_accepted_later_differs_by_the_time_in_its_folder_only(sim: Simulation) -> None:
    message = request(sim.media(3))
    _, [shown], _ = look(sim, message)
    sim.pass_time(90)
    sim.post(message)
    sim.run()
    [stored] = stored_chunks(sim)
    assert stored.folder != shown.folder
    assert replace(stored, folder=shown.folder, created_at=shown.created_at) == shown


def test_a_batch_that_exists_is_shown_with_its_own_folders(sim: Simulation) -> None:
    message = request(sim.media(3))
    sim.post(message)
    sim.run()
    sim.finish_all()
    sim.pass_time(3600)
    outlook, shown, _ = look(sim, message)
    assert shown == stored_chunks(sim)
    assert outlook.preview.known == sim.batch(layout.batch_id("r"))


def test_what_was_bought_before_is_counted_as_reused_and_costs_nothing(sim: Simulation) -> None:
    files = sim.media(3)
    sim.submit(files[:2], "earlier")
    sim.finish_all()
    outlook, [chunk], _ = look(sim, request(files))
    assert (outlook.reused, outlook.records, list(chunk.safe_names.values())) == (2, 1, ["Video_3.mov"])
    outlook, _, _ = look(sim, request(files, options={"reuse": "never"}))
    assert (outlook.reused, outlook.records) == (0, 3)
    outlook, chunks, _ = look(sim, request(files[:2]))
    assert (outlook.reused, len(chunks), outlook.cost_usd) == (2, 0, Decimal(0))


def test_a_preview_takes_as_long_as_the_slots_need_for_it_behind_the_chunks_of_others(
    simulate: NewSimulation,
) -> None:
    sim = simulate(slots=2, min_records=1)
    sim.small_chunks(1)
    alone, _, _ = look(sim, request(sim.media(2)))
    sim.submit(sim.media(5), "others")
    behind, _, _ = look(sim, request(sim.media(2)))
    assert behind.duration() == 4 * alone.duration() > timedelta(0)


def test_without_a_database_nothing_is_reused_and_that_is_said(sim: Simulation) -> None:
    files = sim.media(2)
    sim.submit(files, "earlier")
    sim.finish_all()
    outlook, _, _ = look(sim, request(files), store=cast(Store, Gone()))
    assert (outlook.reused, outlook.records) == (0, 2)
    assert any("nobody answers" in assumption for assumption in outlook.assumed())


def test_without_s3_sizes_that_are_given_do_and_others_cannot_be_had(sim: Simulation) -> None:
    files = [{**file, "size_bytes": 7} for file in sim.media(2)]
    outlook, [chunk], _ = look(sim, request(files), objects=cast(Objects, Gone()))
    assert (outlook.records, chunk.bytes) == (2, 14)
    assert any("reuse" in assumption for assumption in outlook.assumed())
    with pytest.raises(PassingFault, match="nobody answers"):
        look(sim, request(sim.media(2)), objects=cast(Objects, Gone()))


def refused(sim: Simulation, message: SubmitBatch) -> tuple[str, str]:
    """Return how a look at a request is refused, which is how its submission is."""
    answer = preview(message, sim.world([]))
    assert isinstance(answer, Refuse)
    sim.post(message)
    sim.run()
    (_, said) = sim.dead[-1]
    assert (answer.code, answer.why) == (said.code, said.why)
    return said.code, said.why


def test_what_the_submission_refuses_is_refused_alike(sim: Simulation) -> None:
    assert refused(sim, request(sim.media(1), model="nova-9"))[0] == "unknown_model"
    assert refused(sim, request(sim.media(1), bucket="others"))[0] == "forbidden_bucket"
    sim.submit(sim.media(1), "again")
    assert refused(sim, request(sim.media(2), request_id="again"))[0] == "request_id_reused"
    sim.objects.put(layout.plan_key(layout.batch_id("lost")), "{}")
    assert refused(sim, request(sim.media(1), request_id="lost"))[0] == "plan_exists"


def test_an_unknown_price_is_never_nought(sim: Simulation) -> None:
    sim.models = load_models(json.dumps({"models": [{"id": "x.model", "max_output_tokens": 4096}]}))
    outlook, _, _ = look(sim, request(sim.media(1), model="x.model"))
    assert (outlook.cost_usd, outlook.on_demand_usd) == (None, None)


def test_on_demand_nobody_pays_for_padding(simulate: Callable[..., Simulation]) -> None:
    sim = simulate(min_records=100)
    message = request([{**file, "context": {"duration_seconds": 600}} for file in sim.media(2)])
    padded, _, _ = look(sim, message)
    assert padded.padding == 98
    sim = simulate(min_records=2)
    plain, _, _ = look(
        sim, request([{**file, "context": {"duration_seconds": 600}} for file in sim.media(2)])
    )
    assert padded.on_demand_usd == plain.on_demand_usd == 2 * (plain.cost_usd or 0)
    assert (padded.cost_usd or 0) > (plain.cost_usd or 0)
