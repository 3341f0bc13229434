"""Hostile requests: each ends among the dead letters, or its file REFUSED, with words that help."""

import json
import re
from typing import Any

import pytest
from sqlalchemy import Engine

from consumers.core import layout
from consumers.core.lifecycle import BatchState
from schemas.parsing import UnreadableMessage, parse
from schemas.queues import Queue
from tests.stages.conftest import emptied
from tests.stages.hostile import FILE, HOSTILE, REQUEST, Hostile
from tests.stages.remedies import REMEDY
from tests.stages.simulation import Simulation
from tests.stages.submit_desk import Desk


def assert_helps(why: str, words: tuple[str, ...]) -> None:
    """Check a reason by the rules: it names the place and a remedy, is short, and repeats no long input."""
    assert all(word in why for word in words), why
    assert re.search(r'[Ff]ields? "|[Tt]he body|file', why), why
    assert REMEDY.search(why), why
    assert why.isprintable(), why
    assert len(why.encode()) <= 1024, why
    assert not re.search(r"(.)\1{80}", why), why
    assert "pydantic" not in why
    assert not re.search(r"\b(dict|tuple|NoneType|str|int)\b", why), why


@pytest.fixture(scope="module")
def desk_after_all(kept_sqlite: Engine) -> Desk:
    """A consumer that was given every hostile request, with a good one in the middle."""
    sim = Simulation(emptied(kept_sqlite), min_records=2)
    sim.media(1)
    bodies = [hostile.body for hostile in HOSTILE.values()]
    bodies.insert(len(bodies) // 2, json.dumps({**REQUEST, "request_id": "good"}))
    desk = Desk(sim)
    desk.take(*bodies)
    assert sim.store.batch(layout.batch_id("r")) is None
    good = sim.store.batch(layout.batch_id("good"))
    assert good is not None
    assert good.state is BatchState.RUNNING
    return desk


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_request_is_buried_with_words_that_help_and_holds_up_nobody(
    desk_after_all: Desk, hostile: Hostile
) -> None:
    (dead,) = [each for each in desk_after_all.mailbox.dead if each.body == hostile.body]
    assert dead.code == hostile.code, dead.why
    assert_helps(dead.why, hostile.words)


def test_nothing_else_is_buried_and_nothing_is_left(desk_after_all: Desk) -> None:
    assert len(desk_after_all.mailbox.dead) == len(HOSTILE)
    assert not desk_after_all.mailbox.messages


def test_there_are_many_of_them() -> None:
    assert len(HOSTILE) >= 100


def told(desk: Desk) -> list[dict[str, Any]]:
    """Return what senders heard of refusals."""
    bodies = [json.loads(message.body) for message in desk.events.messages.values()]
    return [body["detail"] for body in bodies if body["detail-type"] == "Batch Refused"]


@pytest.mark.parametrize("name", ["an unknown model", "NaN", "another version", "a priority in words"])
def test_the_sender_of_a_request_that_names_itself_hears_the_same_reason(sim: Simulation, name: str) -> None:
    desk = Desk(sim)
    desk.take(HOSTILE[name].body)
    (dead,) = desk.mailbox.dead
    assert [(each["request_id"], each["error_code"], each["error_message"]) for each in told(desk)] == [
        ("r", dead.code, dead.why)
    ]


@pytest.mark.parametrize(
    "body",
    [
        json.dumps({**REQUEST, "request_id": "x" * 1_000_000}),
        json.dumps({**REQUEST, "request_id": "a\nb"}),
        '{"type": "cancel_batch", "request_id": "r", "why": "because"}',
    ],
)
def test_nobody_is_told_of_a_batch_that_was_not_asked_for_by_that_name(sim: Simulation, body: str) -> None:
    desk = Desk(sim)
    desk.take(body)
    assert len(desk.mailbox.dead) == 1
    assert told(desk) == []


# ── hostile files ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("file", "code", "words"),
    [
        ({"s3_key": "nova_batch/job_20260105_100000_aaaaaa_000/files/a.mov"}, "own_folder", ("novabatch",)),
        ({"s3_key": "nova_results/b0/results.mov"}, "own_folder", ("novabatch",)),
        ({"s3_key": "nova/batch/output/a.mov"}, "own_folder", ("novabatch",)),
        ({"s3_key": "proxy_video/gone.mov"}, "not_found", ("s3://media/proxy_video/gone.mov",)),
        ({"s3_key": "a/"}, "format", ("extension",)),
        ({"s3_key": "..."}, "format", ("extension", "mov")),
        ({"s3_key": "a.exe"}, "format", ("exe", "mov")),
        ({"s3_key": "gone.mov", "local_path": "/etc/passwd"}, "local_path_not_allowed", ("/etc/passwd",)),
        (
            {"s3_key": "gone.mov", "local_path": "../../etc/passwd"},
            "local_path_not_allowed",
            ("MEDIA_ROOTS",),
        ),
        ({"s3_key": "gone.mov", "local_path": "proxies/none.mov"}, "not_found", ("proxies/none.mov",)),
    ],
)
def test_a_hostile_file_is_refused_with_words_that_help_and_the_rest_goes_on(
    sim: Simulation, file: dict[str, str], code: str, words: tuple[str, ...]
) -> None:
    desk = Desk(sim)
    sim.media(2)
    good = {"file_id": 2, "s3_key": "proxy_video/Video, 2.mov"}
    desk.take(json.dumps({**REQUEST, "files": [{**FILE, **file}, good]}))
    batch_id = layout.batch_id("r")
    (refused,) = sim.store.refused_files(batch_id)
    assert (refused.file_id, refused.code) == ("1", code)
    assert all(word in refused.reason for word in words), refused.reason
    assert REMEDY.search(refused.reason), refused.reason
    assert len(sim.jobs.created) == 1
    assert not desk.mailbox.dead


@pytest.mark.parametrize(
    "key", ["a/../b.mov", "../a.mov", "a//b.mov", "./a.mov", "/a.mov", "a\tb.mov", "a\nb.mov"]
)
def test_a_key_is_taken_literally_however_much_it_looks_like_a_path(sim: Simulation, key: str) -> None:
    """S3 keys are names, not paths: the copy finds exactly that object, and Bedrock sees a safe name."""
    sim.objects.put(key, "this very object")
    batch_id = sim.submit([{"file_id": 1, "s3_key": key}])
    sim.finish_all()
    assert set(sim.outcomes(batch_id).values()) == {"SUCCEEDED"}
    (copied,) = [subject for call, subject in sim.objects.calls.log if call == "copies"]
    assert copied == key
    (request,) = sim.jobs.created
    assert ".." not in request.input_uri
    (chunk_id, _), *_ = sim.store.chunk_ids(batch_id)
    assert [file.s3_key for file in sim.store.chunk_files(chunk_id)] == [key]
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+", each.safe_name) for each in sim.store.chunk_files(chunk_id))
    assert all(".." not in each.safe_name for each in sim.store.chunk_files(chunk_id))


# ── the same request_id again ──────────────────────────────────────────────────────────────────


MANY = [{"file_id": n, "s3_key": f"gone/{n}.mov"} for n in range(5000)]
SMALL: dict[str, Any] = {**REQUEST, "budget_usd": "25", "metadata": {"a": 1}}


@pytest.mark.parametrize(
    "again",
    [
        {"budget_usd": "25.00"},
        {"budget_usd": 25},
        {"budget_usd": 25.0},
        {"version": 1},
        {"type": ...},
        {"model": "us.amazon.nova-2-lite-v1:0"},
        {"bucket": "media"},
        {"analysis_types": ["combined"], "priority": 0, "files_from": None},
        {"options": {"summary_depth": "standard", "language": "auto", "reuse": "same", "max_tokens": None}},
        {"files": [{**FILE, "context": {}, "bucket": None, "size_bytes": None, "local_path": None}]},
    ],
)
def test_the_same_request_written_otherwise_starts_nothing(sim: Simulation, again: dict[str, Any]) -> None:
    desk = Desk(sim)
    sim.media(1)
    desk.take(json.dumps(SMALL))
    before = sim.store.batch(layout.batch_id("r"))
    fields = {name: value for name, value in {**SMALL, **again}.items() if value is not ...}
    desk.take(json.dumps(fields))
    assert not desk.mailbox.dead
    assert sim.store.batch(layout.batch_id("r")) == before
    assert len(sim.jobs.created) == 1


@pytest.mark.parametrize(
    ("again", "differ"),
    [
        ({"priority": 1}, "priority"),
        ({"budget_usd": "25.01"}, "budget_usd"),
        ({"budget_usd": None}, "budget_usd"),
        ({"model": "nova-pro"}, "model"),
        ({"options": {"language": "de"}}, "options.language"),
        ({"analysis_types": ["summary"]}, "analysis_types"),
        ({"metadata": {"a": True}}, "metadata.a"),
        ({"metadata": {"a": 1, "b": None}}, "metadata.b"),
        ({"files": [{**FILE, "file_id": "1"}]}, "files (1)"),
        ({"files": [{**FILE, "context": {"a": 1}}]}, "files (1)"),
        ({"files": [{**FILE, "file_id": n} for n in range(1, 9)]}, "files (2, 3, 4, 5, 6, 2 more)"),
        ({"files": ..., "files_from": {"prefix": "p/"}}, "files_from, files (1)"),
    ],
)
def test_the_same_name_for_another_request_is_refused_and_told_what_differs(
    sim: Simulation, again: dict[str, Any], differ: str
) -> None:
    desk = Desk(sim)
    desk.take(json.dumps(SMALL))
    fields = {name: value for name, value in {**SMALL, **again}.items() if value is not ...}
    desk.take(json.dumps(fields))
    (dead,) = desk.mailbox.dead
    assert dead.code == "request_id_reused"
    assert_helps(dead.why, (f"These differ: {differ}.",))


def test_five_thousand_files_are_compared_one_by_one_and_in_their_order(sim: Simulation) -> None:
    desk = Desk(sim)
    large = {**REQUEST, "files": MANY, "options": {"reuse": "never"}}
    desk.take(json.dumps(large), json.dumps(large))
    assert not desk.mailbox.dead
    desk.take(json.dumps({**large, "files": MANY[::-1]}))
    assert "These differ: the order of files." in desk.mailbox.dead[-1].why
    desk.take(json.dumps({**large, "files": [*MANY[:-1], {**MANY[-1], "size_bytes": 5}]}))
    assert "These differ: files (4999)." in desk.mailbox.dead[-1].why


def test_no_queue_takes_what_is_hostile() -> None:
    for queue in Queue:
        for name in ("empty body", "an array", "nested objects", "a byte-order mark"):
            with pytest.raises(UnreadableMessage):
                parse(queue, HOSTILE[name].body)
