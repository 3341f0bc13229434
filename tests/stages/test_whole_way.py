"""One batch from its message to stored results and empty folders."""

import json

import pytest

from consumers.core import layout
from consumers.core.lifecycle import BatchState, ChunkState
from tests.stages.simulation import Simulation


def test_a_batch_goes_from_its_message_to_results_and_clean_folders(sim: Simulation) -> None:
    files = sim.media(3)
    before = {file["s3_key"]: sim.objects.read(file["s3_key"]) for file in files}
    batch_id = sim.submit(files)
    sim.finish_all()
    assert sim.batch(batch_id).state is BatchState.COMPLETED
    assert set(sim.outcomes(batch_id).values()) == {"SUCCEEDED"}
    assert not sim.temporary_keys()
    assert {key: sim.objects.read(key) for key in before} == before
    assert not sim.dead


def test_a_combined_record_becomes_five_lines_and_is_paid_for_once(sim: Simulation) -> None:
    batch_id = sim.submit(sim.media(2))
    sim.finish_all()
    lines = sim.results(batch_id)
    assert len(lines) == 10
    assert [line["input_tokens"] for line in lines] == ([1000] + [None] * 4) * 2
    assert [line["analysis_type"] for line in lines[:5]] == [
        "summary",
        "chapters",
        "elements",
        "waterfall_classification",
        "search_metadata",
    ]


def test_a_chunk_with_too_few_records_is_padded_and_the_padding_is_no_result(sim: Simulation) -> None:
    batch_id = sim.submit(sim.media(1))
    sim.finish_all()
    assert len(sim.results(batch_id)) == 5
    count = sim.store.count(batch_id)
    assert count.padding.output_tokens == 100
    assert count.records == 1


def test_the_sender_hears_of_acceptance_parts_and_end_in_this_order(sim: Simulation) -> None:
    sim.submit(sim.media(2))
    sim.finish_all()
    heard = list(dict.fromkeys(event.name.value for event in sim.sent))
    assert heard == ["Batch Accepted", "Chunk Finished", "Batch Finished"]
    finished = sim.sent[-1].detail
    assert finished["state"] == "COMPLETED"
    assert finished["counts"]["SUCCEEDED"] == 2
    assert finished["manifest_uri"].endswith("/manifest.json")


def test_the_plan_stands_in_s3_before_the_first_job(sim: Simulation) -> None:
    calls: list[str] = []
    sim.on_call = calls.append
    batch_id = sim.submit(sim.media(2))
    plan = calls.index(f"objects.writer {layout.plan_key(batch_id)} done")
    create = next(n for n, call in enumerate(calls) if call.startswith("jobs.create"))
    assert plan < create
    lines = sim.objects.text(layout.plan_key(batch_id)).splitlines()
    assert json.loads(lines[0])["request"]["request_id"] == "r"
    assert json.loads(lines[1])["job_name"] == sim.jobs.created[0].name


def test_copies_carry_the_right_content_type_and_safe_names(sim: Simulation) -> None:
    sim.submit(sim.media(1))
    (copy,) = [key for key in sim.objects.keys(layout.INPUT_ROOT) if "/files/" in key]
    assert copy.endswith("/files/Video_1.mov")
    assert sim.objects.content_type(copy) == "video/quicktime"


def test_images_and_videos_share_a_chunk_and_get_their_own_parts(sim: Simulation) -> None:
    sim.objects.put("proxy_image/a b.jpg", "picture")
    batch_id = sim.submit([*sim.media(1), {"file_id": "pic", "s3_key": "proxy_image/a b.jpg"}])
    sim.finish_all()
    assert len(sim.jobs.created) == 1
    kinds = [line["analysis_type"] for line in sim.results(batch_id) if line["file_id"] == "pic"]
    assert kinds == ["description", "elements", "waterfall_classification", "search_metadata"]


def test_several_types_are_several_records_of_a_file(sim: Simulation) -> None:
    batch_id = sim.submit(sim.media(2), analysis_types=["summary", "chapters"])
    sim.finish_all()
    assert set(sim.outcomes(batch_id)) == {"1:summary", "1:chapters", "2:summary", "2:chapters"}


@pytest.mark.parametrize("count", [7])
def test_many_files_become_several_chunks_that_all_end(sim: Simulation, count: int) -> None:
    sim.small_chunks(2)
    batch_id = sim.submit(sim.media(count))
    sim.finish_all()
    states = dict(sim.store.chunk_ids(batch_id))
    assert len(states) == 4
    assert set(states.values()) == {ChunkState.COMPLETED}
    assert len(sim.jobs.created) == 4


def test_a_batch_from_a_prefix_takes_what_the_suffixes_say(sim: Simulation) -> None:
    sim.objects.put("archive/a_7_720p.mov", "x")
    sim.objects.put("archive/b.mov", "y")
    sim.objects.put("archive/c.txt", "z")
    batch_id = sim.submit(None, files_from={"prefix": "archive/", "suffixes": [".mov"]})
    sim.finish_all()
    ids = {line["file_id"] for line in sim.results(batch_id)}
    assert ids == {"7", layout.hashed_file_id("archive/b.mov")}


def test_a_batch_from_a_list_takes_a_file_a_line(sim: Simulation) -> None:
    lines = "\n".join(json.dumps(file) for file in sim.media(3))
    sim.objects.put("lists/a.jsonl", lines)
    batch_id = sim.submit(None, files_from={"list": "s3://media/lists/a.jsonl"})
    sim.finish_all()
    assert {line["file_id"] for line in sim.results(batch_id)} == {1, 2, 3}
