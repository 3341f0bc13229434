"""A plan file says enough to have a batch again: what was written comes back as it was."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from consumers.core import layout
from consumers.core.faults import Rejected
from consumers.core.lifecycle import BatchState
from consumers.core.plan import Plan, plan_lines
from consumers.core.plan_reading import PlannedChunk, read_plan
from consumers.core.rows import RECHECKED, Batch, NewChunk, NewFile, NewRecord
from schemas.messages import Terms

NOW = datetime(2026, 1, 5, 10, 0, 7, 250_000, tzinfo=UTC)
MODEL = "us.amazon.nova-2-lite-v1:0"
BATCH_ID = layout.batch_id("r")
FILES = '[{"file_id":7,"s3_key":"a\u2028.mov"}]'
REQUEST = f'{{"bucket":"media","files":{FILES},"model":"{MODEL}","request_id":"r"}}'
FILE = NewFile(
    position=0,
    file_id="7",
    echo=7,
    bucket="media",
    s3_key="proxy/日本 \u0085.mov",
    size_bytes=10,
    etag='"e"',
    kind="video",
    local_path="a/b.mov",
    context={"path": "Smith", "big": 10**40, "nested": {"x": [1.5, None]}},
    analysis_types=("summary", "chapters"),
    tokens=12,
    reused={"summary": f"{BATCH_ID}/3/summary/1"},
)
TWIN = replace(
    FILE, position=1, file_id="7~1", bucket="other", code="duplicate_id", reason="twice", reused={}
)
CHUNK = NewChunk(
    chunk_id=layout.chunk_id(BATCH_ID, 0),
    index=0,
    round=0,
    model=MODEL,
    folder=layout.folder_name(NOW, BATCH_ID, 0),
    priority=0,
    bytes=10,
    padding=99,
    safe_names={0: "a.mov"},
    records=(NewRecord(0, "chapters", 1, 4096),),
    created_at=NOW,
    estimate_usd=Decimal("0.012345678901"),
)


def batch(**more: object) -> Batch:
    terms = Terms(request_id="r", model=MODEL, bucket="media")
    plain = Batch(BATCH_ID, "r", terms, MODEL, "media", BatchState.PLANNING, "", 1, 0, {}, False, NOW)
    return replace(plain, **more)  # type: ignore[arg-type]


def written(whose: Batch, entries: Sequence[NewChunk | NewFile], round: int = 0) -> list[bytes]:
    """Write a plan and take it apart as a reader of the object would."""
    return b"".join(plan_lines(REQUEST, Plan(whose, round, "novabatch", "media"), entries)).split(b"\n")


def test_chunks_and_files_come_back_as_they_were_planned() -> None:
    head, entries = read_plan(written(batch(), [CHUNK, FILE, TWIN]))
    name = layout.job_name("novabatch", CHUNK.chunk_id, layout.input_uri("media", CHUNK.folder))
    assert list(entries) == [PlannedChunk(CHUNK, name), FILE, TWIN]
    assert head.batch.request == REQUEST
    assert (head.batch.model, head.batch.bucket, head.batch.created_at) == (MODEL, "media", NOW)
    assert head.batch.terms == Terms(request_id="r", model=MODEL, bucket="media")
    assert head.names_files


def test_a_line_is_never_broken_by_what_a_name_holds() -> None:
    assert len(written(batch(), [CHUNK, FILE])) == 4


def test_a_round_of_an_ended_batch_is_of_the_next_revision_and_counts_attempts_anew() -> None:
    ended = batch(state=BatchState.FAILED, revision=2, round=3, retried=1, first_round=1)
    head, _ = read_plan(written(ended, [CHUNK], round=4))
    assert (head.round, head.revision, head.retried, head.first_round) == (4, 3, 2, 4)
    head, _ = read_plan(written(replace(ended, state=BatchState.RUNNING), [CHUNK], round=4))
    assert (head.round, head.revision, head.retried, head.first_round) == (4, 2, 1, 1)


def test_a_file_that_was_found_fine_since_is_refused_no_more() -> None:
    _, entries = read_plan(written(batch(), [replace(FILE, code=RECHECKED, reason="fine now")]))
    assert list(entries) == [FILE]


def test_a_plan_that_could_not_be_made_says_why_and_keeps_nothing_else_of_its_cursor() -> None:
    cursor = {"phase": "finish", "reason": "no object lies there", "cut_short": False}
    head, _ = read_plan(written(batch(cursor=cursor), []))
    assert head.cursor == {"reason": "no object lies there"}


def test_a_plan_of_an_older_version_is_read_as_far_as_it_says() -> None:
    old = {
        "chunk_id": CHUNK.chunk_id,
        "index": 0,
        "round": 0,
        "folder": CHUNK.folder,
        "job_name": "novabatch-x",
        "padding": 99,
        "files": {"0": "a.mov"},
        "records": [[0, "chapters", 1, 4096]],
    }
    lines = [b'{"request":' + REQUEST.encode() + b"}", json.dumps(old).encode(), b""]
    head, entries = read_plan(lines)
    accepted = NOW.replace(microsecond=0)
    known = replace(CHUNK, bytes=0, estimate_usd=None, created_at=accepted)
    assert list(entries) == [PlannedChunk(known, "novabatch-x")]
    assert (head.batch.model, head.batch.bucket, head.batch.created_at) == (MODEL, "media", accepted)
    assert not head.names_files


@pytest.mark.parametrize("lines", [[], [b"{}"], [b"oops"], [b'{"request":{"request_id":"r"}}']])
def test_what_does_not_begin_as_a_plan_is_none(lines: list[bytes]) -> None:
    with pytest.raises(Rejected, match="line 1 is no beginning of a plan"):
        read_plan(lines)


@pytest.mark.parametrize(
    "line",
    [
        b"oops",
        b'{"file":{"position":0}}',
        b'{"chunk_id":"%b","index":0}' % CHUNK.chunk_id.encode(),
        written(batch(), [CHUNK])[1].replace(CHUNK.folder.encode(), b"../originals"),
        written(batch(), [replace(CHUNK, chunk_id=layout.chunk_id(layout.batch_id("other"), 0))])[1],
    ],
)
def test_a_line_that_is_neither_chunk_nor_file_ends_the_reading_with_its_number(line: bytes) -> None:
    _, entries = read_plan([*written(batch(), [CHUNK])[:2], line])
    assert isinstance(next(entries), PlannedChunk)
    with pytest.raises(Rejected, match="line 3"):
        next(entries)
