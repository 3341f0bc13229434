"""The production runs of the past, all at once: every file analysed, no URI refused, originals left alone."""

import gzip
import json
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from consumers.core import layout
from daemon.adapters.views import Views
from deploy.local import processes, stack
from schemas.models import load_models
from tests.e2e.machine import QUEUES, Machine, machine

REFUSED_URI = b"Provided S3 URI is invalid"
# A thousandth of the real limits, with everything else as in production.
MAX_CHUNK_BYTES, MAX_JOB_BYTES, MAX_FILE_BYTES = 4_500_000, 5_000_000, 1_000_000
AS_IN_PRODUCTION = {
    "NOVABATCH_MIN_RECORDS": "100",
    "NOVABATCH_MAX_FILES_PER_CHUNK": "150",
    "NOVABATCH_MAX_CHUNK_BYTES": str(MAX_CHUNK_BYTES),
    "NOVABATCH_MAX_FILE_BYTES": str(MAX_FILE_BYTES),
    "NOVABATCH_VISIBILITY_TIMEOUT": "60",
    "NOVABATCH_RECONCILE_INTERVAL": "30",
}
SPECIAL = [
    "日本語.mp4",
    "中文.mp4",
    "().mp4",
    "[].mp4",
    "Video, 1.mov",
    "Video 1.mov",
    "a b.mov",
    "a_b.mov",
    "A%20B+c=d&e.mov",
    "caf\u00e9 🎬.mov",
]


def plain(number: int) -> str:
    return f"C{number:04}_{20_000 + number}_720p15.MP4"


def spaced(number: int) -> str:
    brackets = " (1) [2]" if number == 1 else ""
    return f"Video Nov 14 2025, 10 02 14 AM{brackets}_{20_000 + number}_720p15.mov"


PLAIN = [plain(number) for number in range(1, 465)]
SPACED = [spaced(number) for number in range(1, 36)]
LARGE = [f"L{number:04}.mov" for number in range(1, 61)]
LARGE_BYTES, SMALL_BYTES = 90_000, 100
RUNS = {
    "300 videos, 35 with spaces and commas": [*SPACED, *PLAIN[:265]],
    "200 files": PLAIN[:200],
    "329 videos": PLAIN[:329],
    "464 videos": PLAIN,
    "35 videos": SPACED,
    "special characters": SPECIAL,
    "over 5 GB": LARGE,
}
CHUNKS = dict(zip(RUNS, (2, 2, 3, 4, 1, 1, 2), strict=True))
PADDED = {"35 videos", "special characters", "over 5 GB"}
PRICE_IN, PRICE_OUT = Decimal("0.165e-6"), Decimal("1.375e-6")


def size_of(name: str) -> int:
    return LARGE_BYTES if name in LARGE else SMALL_BYTES


def key_of(name: str) -> str:
    return f"proxy_video/{name}"


def upload(running: Machine) -> None:
    """Put the originals into the bucket."""

    def put(name: str) -> None:
        body = name.encode().ljust(size_of(name), b".")
        running.s3.put_object(Bucket=stack.BUCKET, Key=key_of(name), Body=body)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(put, [*PLAIN, *SPACED, *SPECIAL, *LARGE]))


def post(running: Machine, number: int, run: str) -> str:
    """Send a run's request; as each has options of its own, none can reuse what another bought."""
    files = [
        {"file_id": place, "s3_key": key_of(name), "size_bytes": size_of(name)}
        for place, name in enumerate(RUNS[run])
    ]
    return running.post(run, files, analysis_types=["summary"], options={"max_tokens": 2000 + number})


def originals(running: Machine) -> dict[str, tuple[str, Any]]:
    """Return ETag and time of every original."""
    pages = running.s3.get_paginator("list_objects_v2").paginate(Bucket=stack.BUCKET, Prefix="proxy_video/")
    return {each["Key"]: (each["ETag"], each["LastModified"]) for page in pages for each in page["Contents"]}


def body(running: Machine, key: str) -> bytes:
    data: bytes = running.s3.get_object(Bucket=stack.BUCKET, Key=key)["Body"].read()
    return gzip.decompress(data) if key.endswith(".gz") else data


def plan(running: Machine, batch_id: str) -> list[dict[str, Any]]:
    """Return the chunks of a batch as its plan has them."""
    lines = map(json.loads, body(running, layout.plan_key(batch_id)).splitlines())
    return [line for line in lines if "chunk_id" in line]


def check_chunks(running: Machine, run: str, batch_id: str) -> None:
    """Compare the chunks with the limits, and with what Bedrock was asked."""
    originals = RUNS[run]
    chunks = plan(running, batch_id)
    assert len(chunks) == CHUNKS[run] == len(running.jobs(batch_id))
    names = [(int(place), name) for chunk in chunks for place, name in chunk["files"].items()]
    assert [place for place, _ in names] == list(range(len(originals)))
    for chunk in chunks:
        assert len(chunk["files"]) <= 150
        assert len(chunk["records"]) + chunk["padding"] >= 100
        assert sum(size_of(originals[int(place)]) for place in chunk["files"]) <= MAX_CHUNK_BYTES
    assert all(name == originals[place] for place, name in names if originals[place] in PLAIN)


def check_results(running: Machine, run: str, batch_id: str) -> None:
    """See every file SUCCEEDED, bought once, and no refused URI in anything that was stored."""
    lines = running.results(batch_id)
    assert [line["file_id"] for line in lines] == list(range(len(RUNS[run])))
    assert {line["outcome"] for line in lines} == {"SUCCEEDED"}
    assert set(running.sent(batch_id).values()) == {1}
    stored = running.keys(layout.results_prefix(batch_id))
    assert not [key for key in stored if REFUSED_URI in body(running, key)]


def check_bill(running: Machine, run: str, batch_id: str) -> None:
    """See the files at half of what they cost on demand, where nobody needs padding, to the last digit."""
    status = Views(running.engine, load_models()).status(batch_id)
    assert status is not None
    names = ("cost_usd", "cost_padding_usd", "cost_superseded_usd", "cost_on_demand_usd")
    cost, padding, retries, on_demand = (Decimal(status[name]) for name in names)
    tokens = status["tokens"]
    assert cost == tokens["input"] * PRICE_IN + tokens["output"] * PRICE_OUT
    assert cost - padding == sum(Decimal(line["cost_usd"]) for line in running.results(batch_id))
    assert cost - padding == on_demand / 2
    assert retries == 0
    assert (padding > 0) == any(chunk["padding"] for chunk in status["chunks"]) == (run in PADDED)
    if run == "35 videos":
        said = printed(running, "status", run)
        assert f"{cost} USD: files {cost - padding}, padding {padding}, retries 0\n" in said
        assert f"on demand {on_demand} USD for the same records" in said


def printed(running: Machine, *words: str) -> str:
    """Return what a verb prints to an operator."""
    command = [sys.executable, "-m", "daemon", *words]
    environment = running.local.consumer_environment()
    return subprocess.run(command, env=environment, capture_output=True, check=True, text=True).stdout


def dead_letters(running: Machine, queues: Iterable[str]) -> int:
    return sum(running.dead_letters(queue) for queue in queues)


@pytest.mark.timeout(300)
def test_the_production_runs_all_succeed_and_leave_every_original_alone(tmp_path: Path) -> None:
    with machine(tmp_path, step_seconds=0.05, **AS_IN_PRODUCTION) as running:
        running.local.server.control.set(
            max_job_bytes=MAX_JOB_BYTES, max_input_file_bytes=1_000_000, max_video_bytes=MAX_FILE_BYTES
        )
        upload(running)
        before = originals(running)
        batches = {run: post(running, number, run) for number, run in enumerate(RUNS)}
        running.wait_for_end(batches.values(), 120)
        for run, batch_id in batches.items():
            check_chunks(running, run, batch_id)
            check_results(running, run, batch_id)
            check_bill(running, run, batch_id)
        assert processes.wait_until(running.is_clean, 60)
        assert originals(running) == before
        assert dead_letters(running, QUEUES.values()) == 0
