"""Watching a batch from outside until it has ended and its folders are cleaned."""

import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from deploy.local.demo.command import ask_status
from deploy.local.up import Local

ENDS = frozenset({"COMPLETED", "COMPLETED_WITH_ERRORS", "FAILED", "CANCELLED"})
LOOK_EVERY = 0.3
STALLED_AFTER = 120.0


class StalledError(Exception):
    """Nothing has moved for too long, or a process is gone."""


def watch(local: Local, environment: Mapping[str, str], request_id: str) -> Iterator[dict[str, Any]]:
    """Yield the batch's status each time it has changed, until all is done."""
    pause, last_change = threading.Event(), time.monotonic()
    before: dict[str, Any] = {}
    while True:
        _check_processes(local)
        now = ask_status(environment, request_id)
        if now != before:
            before, last_change = now, time.monotonic()
            yield now
        if now and is_over(now):
            return
        if time.monotonic() - last_change > STALLED_AFTER:
            raise StalledError(f"nothing has moved for {STALLED_AFTER:.0f} s; last seen: {line(now)}")
        pause.wait(LOOK_EVERY)


def is_over(status: Mapping[str, Any]) -> bool:
    """Tell whether a batch has ended and every chunk with stored results is cleaned."""
    cleaned = all(chunk["cleaned_at"] or chunk["state"] != "COMPLETED" for chunk in status["chunks"])
    return status["state"] in ENDS and cleaned


def line(status: Mapping[str, Any]) -> str:
    """Say in one line where a batch stands."""
    if not status:
        return "message sent, waiting for the submit consumer"
    files, records, chunks = status["files"], status["records"], status["chunks"]
    states = Counter("CLEANED" if chunk["cleaned_at"] else chunk["state"] for chunk in chunks)
    told = ", ".join(f"{count} {state}" for state, count in states.items()) or "not cut yet"
    return (
        f"batch {status['state']}; chunks: {told}; "
        f"results {judged(status)}/{records['total']}; refused {files['refused']}"
    )


def judged(status: Mapping[str, Any]) -> int:
    """Count the records that have an outcome."""
    return sum(count for name, count in status["records"].items() if name not in {"total", "reused"})


def _check_processes(local: Local) -> None:
    for child in (local.server.child, *local.consumers.values()):
        if child.process.poll() is not None:
            raise StalledError(f"{child.name} ended by itself with exit code {child.process.returncode}")
