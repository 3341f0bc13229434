"""Where files come from: lists with all the flaws of lists, and prefixes that tell sizes by themselves."""

import gzip
import json
from collections.abc import Callable
from typing import Any

import pytest

from consumers.core import layout
from consumers.core.lifecycle import BatchState
from consumers.submit.listed_lines import LONGEST_LINE
from consumers.submit.plan_batch import STEPS_A_MESSAGE
from tests.stages.conftest import NewSimulation
from tests.stages.moments import at_call
from tests.stages.simulation import Crash, Simulation
from tests.stages.sweeps import crash_everywhere

LIST = "lists/a.jsonl"
FROM_LIST = {"list": f"s3://media/{LIST}"}
BLANK_PAGE = "\n" * 1000
TEXTS = [f"archive/m{number}.txt" for number in range(1000)]


def lines_of(files: list[dict[str, Any]]) -> list[str]:
    return [json.dumps(file) for file in files]


def submit_list(sim: Simulation, content: str | bytes, key: str = LIST) -> str:
    sim.objects.put(key, content)
    batch_id = sim.submit(None, files_from={"list": f"s3://media/{key}"})
    sim.finish_all()
    return batch_id


def refusals(sim: Simulation, batch_id: str) -> dict[int | str, tuple[str, str]]:
    """Return code and reason of each REFUSED file."""
    lines = [line for line in sim.results(batch_id) if line["outcome"] == "REFUSED"]
    return {line["file_id"]: (line["error"]["code"], line["error"]["message"]) for line in lines}


# ── lists ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("nonsense", ["JSON"]),
        ('{"file_id": 7}', ["s3_key", "missing"]),
        ('{"file_id": 7, "s3_key": "a.mov", "size": 5}', ["size", "Unknown"]),
        ('{"file_id": "a b", "s3_key": "a.mov"}', ["file_id", "a b"]),
        ('["a.mov"]', ["object"]),
        ('{"file_id": 7, "s3_key": "a\\u0000.mov"}', ["null byte"]),
        ('{"file_id": 7, "s3_key": "a.mov", "context": {"x": NaN}}', ["context.x", "NaN"]),
        (json.dumps({"file_id": 7, "s3_key": "a.mov", "context": {"x": "y" * LONGEST_LINE}}), ["262144"]),
    ],
)
def test_a_line_that_is_no_file_is_refused_with_its_number_and_the_rest_goes_on(
    sim: Simulation, line: str, words: list[str]
) -> None:
    first, second = lines_of(sim.media(2))
    batch_id = submit_list(sim, f"{first}\n\n{line}\n{second}\n")
    [(file_id, (code, why))] = refusals(sim, batch_id).items()
    assert (file_id, code) == ("line-3", "invalid_line")
    assert all(word in why for word in ["line 3", *words]), why
    assert sim.answers.bought == {"file-1:combined": 1, "file-2:combined": 1}
    assert [each["file_id"] for each in sim.results(batch_id)][-1] == 2


def test_a_line_that_is_not_utf_8_is_refused_alone(sim: Simulation) -> None:
    [first] = lines_of(sim.media(1))
    batch_id = submit_list(sim, first.encode() + b'\n{"file_id": 2, "s3_key": "\xff.mov"}')
    assert refusals(sim, batch_id)["line-2"] == (
        "invalid_line",
        "line 2 is no file object: It is not UTF-8: write the list as UTF-8.",
    )


def test_a_broken_line_takes_no_id_from_a_file(sim: Simulation) -> None:
    [file] = sim.media(1)
    batch_id = submit_list(sim, f"oops\n{json.dumps({**file, 'file_id': 'line-1'})}")
    assert sim.answers.bought == {"file-line-1:combined": 1}
    refused, *answers = [line["outcome"] for line in sim.results(batch_id)]
    assert refused == "REFUSED"
    assert set(answers) == {"SUCCEEDED"}


@pytest.mark.parametrize("content", ["file,key\n1,a.mov\n", '[\n{"file_id": 1}\n]', "{}", "\x00\x01"])
def test_a_list_that_holds_no_file_object_ends_the_batch_with_the_reason(
    sim: Simulation, content: str
) -> None:
    batch = sim.batch(submit_list(sim, content))
    assert batch.state is BatchState.FAILED
    assert LIST in batch.reason
    assert "line 1" in batch.reason
    assert not sim.jobs.created


@pytest.mark.parametrize("content", ["", "\n \r\n", BLANK_PAGE * 2], ids=["empty", "blank", "two pages"])
def test_a_list_without_any_file_ends_the_batch_with_the_reason(sim: Simulation, content: str) -> None:
    batch = sim.batch(submit_list(sim, content))
    assert batch.state is BatchState.FAILED
    assert f"{LIST} names no file" in batch.reason


def test_a_list_that_is_not_there_ends_the_batch_with_the_reason(sim: Simulation) -> None:
    batch = sim.batch(sim.submit(None, files_from=FROM_LIST))
    assert batch.state is BatchState.FAILED
    assert LIST in batch.reason


@pytest.mark.parametrize(
    "written",
    [
        lambda lines: "\r\n".join(lines) + "\r\n",
        lambda lines: "\ufeff" + "\n".join(lines),
        lambda lines: "\n\n  \n" + "\n\n".join(lines) + "\n\n",
        lambda lines: "\n".join(f"  {line}\t" for line in lines),
    ],
    ids=["CRLF", "byte-order mark, no newline at the end", "blank lines", "spaces"],
)
def test_a_list_may_be_written_as_editors_write_it(
    sim: Simulation, written: Callable[[list[str]], str]
) -> None:
    batch_id = submit_list(sim, written(lines_of(sim.media(3))))
    assert sim.batch(batch_id).state is BatchState.COMPLETED
    assert len(sim.answers.bought) == 3


def test_line_numbers_go_on_over_pages(sim: Simulation) -> None:
    [file] = lines_of(sim.media(1))
    batch_id = submit_list(sim, f"{file}\n{BLANK_PAGE}oops\n")
    assert list(refusals(sim, batch_id)) == ["line-1002"]


def test_a_packed_list_goes_on_where_the_process_died(sim: Simulation) -> None:
    first, second = lines_of(sim.media(2))
    content = gzip.compress(f"{first}\n{BLANK_PAGE}{second}\noops".encode())

    def die() -> None:
        raise Crash

    sim.lease_seconds = -1
    at_call(sim, "heads", "2.mov", act=die)
    batch_id = submit_list(sim, content, "lists/a.jsonl.gz")
    assert sim.answers.bought == {"file-1:combined": 1, "file-2:combined": 1}
    assert list(refusals(sim, batch_id)) == ["line-1003"]
    assert sim.objects.calls.log.count(("lines", "lists/a.jsonl.gz")) == 2


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "packed"])
def test_a_list_too_long_for_one_message_goes_on_in_the_next(
    sim: Simulation, pack: Callable[[bytes], bytes]
) -> None:
    first, second = lines_of(sim.media(2))
    key = "lists/long.jsonl" if pack is bytes else "lists/long.jsonl.gz"
    content = f"{first}\n{BLANK_PAGE * STEPS_A_MESSAGE}{second}\noops"
    batch_id = submit_list(sim, pack(content.encode()), key)
    assert sim.answers.bought == {"file-1:combined": 1, "file-2:combined": 1}
    assert list(refusals(sim, batch_id)) == [f"line-{1000 * STEPS_A_MESSAGE + 3}"]
    assert sim.objects.calls.log.count(("lines", key)) == 2


# ── prefixes ───────────────────────────────────────────────────────────────────────────────────


def put_archive(sim: Simulation, *keys: str) -> None:
    for key in keys:
        sim.objects.put(key, key)


def submit_prefix(sim: Simulation, prefix: str = "archive/", **more: Any) -> str:
    batch_id = sim.submit(None, files_from={"prefix": prefix, **more})
    sim.finish_all()
    return batch_id


def test_a_prefix_names_its_files_by_the_numbers_in_their_keys_where_those_are_unique(
    sim: Simulation,
) -> None:
    put_archive(
        sim, "archive/a_1_720p.mov", "archive/b_2.mov", "archive/c_3.mov", "archive/d_3.mov", "archive/e.mov"
    )
    batch_id = submit_prefix(sim)
    ids = [line["file_id"] for line in sim.results(batch_id) if line["analysis_type"] == "summary"]
    hashed = [layout.hashed_file_id(f"archive/{name}.mov") for name in ("c_3", "d_3", "e")]
    assert ids == ["1", "2", *hashed]


def test_a_number_that_comes_again_on_a_later_page_stays_with_its_first_file(sim: Simulation) -> None:
    put_archive(sim, "archive/a_1.mov", *TEXTS, "archive/z_1.mov")
    batch_id = submit_prefix(sim, suffixes=[".mov"])
    ids = {line["s3_key"]: line["file_id"] for line in sim.results(batch_id)}
    assert ids == {"archive/a_1.mov": "1", "archive/z_1.mov": layout.hashed_file_id("archive/z_1.mov")}


def test_suffixes_choose_in_any_case_and_folders_are_no_files(sim: Simulation) -> None:
    put_archive(sim, "archive/", "archive/a_1.MOV", "archive/b_2.mp4", "archive/c/", "archive/d_4.txt")
    batch_id = submit_prefix(sim, suffixes=[".mov", ".MP4"])
    assert sim.batch(batch_id).state is BatchState.COMPLETED
    assert sorted(sim.answers.bought) == ["file-1:combined", "file-2:combined"]


@pytest.mark.parametrize(
    ("suffixes", "words"), [([], ["s3://media/archive/"]), ([".mov", ".mp4"], ["archive/", ".mov, .mp4"])]
)
def test_a_prefix_without_files_ends_the_batch_with_the_reason(
    sim: Simulation, suffixes: list[str], words: list[str]
) -> None:
    put_archive(sim, *(["archive/notes.txt"] if suffixes else []))
    batch = sim.batch(submit_prefix(sim, suffixes=suffixes))
    assert batch.state is BatchState.FAILED
    assert all(word in batch.reason for word in words), batch.reason


def test_what_a_listing_tells_is_not_asked_again(sim: Simulation) -> None:
    put_archive(sim, "archive/a_1.mov", "archive/b_2.mov")
    sim.objects.put("archive/c_3.mov", "")
    sim.objects.put("archive/d_4.mov", "x", size=2_000_000_000)
    batch_id = submit_prefix(sim)
    assert sim.objects.calls.count("heads") == 0
    assert {file_id: code for file_id, (code, _) in refusals(sim, batch_id).items()} == {
        "3": "empty",
        "4": "too_large",
    }


def test_an_archived_object_of_a_listing_is_asked_whether_it_was_restored(sim: Simulation) -> None:
    for number in (1, 2, 3):
        sim.objects.put(f"archive/a_{number}.mov", "x", storage_class="GLACIER")
    sim.objects.put("archive/a_3.mov", "x")
    at_call(sim, "heads", "a_2.mov", act=lambda: sim.objects.put("archive/a_2.mov", "x"))
    batch_id = submit_prefix(sim)
    [(file_id, (code, why))] = refusals(sim, batch_id).items()
    assert (file_id, code) == ("1", "archived")
    assert "restore" in why
    assert sim.objects.calls.count("heads") == 2


# ── crashes ────────────────────────────────────────────────────────────────────────────────────


def plan(sim: Simulation, source: dict[str, Any]) -> None:
    """Plan a batch and nothing more."""
    sim.small_chunks(2)
    sim.store.pause("*", "only the plan counts", sim.now)
    sim.submit(None, files_from=source)


def planned(sim: Simulation) -> object:
    """Return what came of a plan."""
    batch_id = layout.batch_id("r")
    return (
        sim.batch(batch_id).state,
        list(sim.store.uncut_files(batch_id, 0, 100)),
        list(sim.store.chunk_plans(batch_id, 0)),
        sim.store.count(batch_id),
        sim.objects.text(layout.plan_key(batch_id)),
    )


def test_a_list_of_two_pages_survives_a_crash_at_any_kind_of_call(simulate: NewSimulation) -> None:
    def make(lease_seconds: float) -> Simulation:
        sim = simulate(lease_seconds=lease_seconds)
        one, two, three = lines_of(sim.media(3))
        gone = json.dumps({"file_id": 9, "s3_key": "gone.mov"})
        sim.objects.put(LIST, f"{one}\n{two}\n{BLANK_PAGE}oops\n{three}\n{gone}\n{one}")
        return sim

    crash_everywhere(make, lambda sim: plan(sim, FROM_LIST), planned)


def test_a_prefix_of_two_pages_survives_a_crash_at_any_kind_of_call(simulate: NewSimulation) -> None:
    def make(lease_seconds: float) -> Simulation:
        sim = simulate(lease_seconds=lease_seconds)
        names = ("a_1.mov", "b_2.mov", "b_2.mp4", "z_1.mov", "z_3.mov")
        put_archive(sim, *TEXTS, *(f"archive/{name}" for name in names))
        return sim

    source = {"prefix": "archive/", "suffixes": [".mov", ".mp4"]}
    crash_everywhere(make, lambda sim: plan(sim, source), planned)
