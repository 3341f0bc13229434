"""The demo from its first line to its last, and its exit code."""

import json
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from rich.console import Console

from deploy.local import processes, stack, up
from deploy.local.demo import findings, originals, request, tables, watching
from deploy.local.demo.command import CommandError, ask, ask_json
from deploy.local.demo.originals import NoMediaError, Original
from deploy.local.media import make_media
from deploy.local.up import Local

MARK = ".novabatch-demo"
CHUNKS_SHOWN = 5
STEP_SECONDS = 0.3
INTERRUPTED = 130


class NotOursError(Exception):
    """The demo's folder holds something that is not the demo's."""


@dataclass
class Demo:
    """One run."""

    local: Local
    console: Console
    files: list[Original]
    request_id: str = field(default_factory=request.new_request_id)
    began: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.environment = self.local.consumer_environment()
        self.s3 = stack.client("s3", self.local.server.url)
        self.sqs = stack.client("sqs", self.local.server.url)

    def play(self) -> list[str]:
        """Send, watch, show; return what is not as it should be."""
        self._send()
        status = self._watch()
        lines = [json.loads(each) for each in self._results()]
        key = f"nova_results/{status['batch_id']}/results.jsonl"
        found = findings.answers(self.files, lines)
        problems = findings.problems_of_answers(found)
        problems += findings.problems_of_bucket(self.s3, stack.BUCKET, self.files, key)
        self._show(status, found)
        self._show_places(key, self._fetch(key) if not problems else None)
        return problems

    def say(self, text: str) -> None:
        """Tell one thing, with the seconds since the beginning."""
        elapsed = f"[{time.monotonic() - self.began:5.1f} s]"
        self.console.print(f"{elapsed} {text}", soft_wrap=True, markup=False, highlight=False)

    def _results(self) -> list[str]:
        """Return the result lines; what is within them may hold other line breaks than this one."""
        return ask(self.environment, "results", self.request_id).rstrip("\n").split("\n")

    def _send(self) -> None:
        self.say(f"local AWS at {self.local.server.url}, consumers {', '.join(self.local.consumers)} ready")
        self.files = originals.upload(self.s3, stack.BUCKET, self.files)
        put = sum(each.etag is not None for each in self.files)
        self.say(f"{put} originals put into s3://{stack.BUCKET}")
        for each in self.files:
            if each.content_type == originals.WRONG_TYPE:
                self.say(f"one of them as {each.content_type}, as careless uploaders do: {each.name}")
        queue = str(self.sqs.get_queue_url(QueueName=stack.SUBMIT_QUEUE)["QueueUrl"])
        body = request.message(self.s3, stack.BUCKET, self.request_id, self.files)
        self.sqs.send_message(QueueUrl=queue, MessageBody=body)
        self.say(f"submit_batch {self.request_id} with {len(self.files)} files sent to {stack.SUBMIT_QUEUE}")

    def _watch(self) -> dict[str, Any]:
        status: dict[str, Any] = {}
        seen = watching.watch(self.local, self.environment, self.request_id)
        if self.console.is_terminal:
            with self.console.status("waiting") as spinner:
                for status in seen:
                    spinner.update(watching.line(status))
        else:
            before = ""
            for status in seen:
                if (now := watching.line(status)) != before:
                    self.say(now)
                    before = now
        self.say(f"done: {watching.line(status)}")
        return status

    def _show(self, status: dict[str, Any], found: Sequence[findings.Answer]) -> None:
        names = [chunk["chunk_id"] for chunk in status["chunks"][:CHUNKS_SHOWN]]
        chunks = [ask_json(self.environment, "show", name) for name in names]
        self.console.print()
        tables.show_answers(self.console, found)
        tables.show_refused(self.console, found)
        tables.show_chunks(self.console, chunks)
        tables.show_copies(self.console, chunks)
        tables.show_bill(self.console, status)

    def _fetch(self, key: str) -> Path:
        copy = self.local.directory / "results.jsonl"
        self.s3.download_file(stack.BUCKET, key, str(copy))
        return copy

    def _show_places(self, key: str, copy: Path | None) -> None:
        folder = self.local.directory
        places = {
            "results": f"s3://{stack.BUCKET}/{key}",
            **({"a copy": str(copy)} if copy else {}),
            "database": str(folder / "novabatch.db"),
            "logs": str(folder / "logs"),
        }
        for name, port in self.local.ports.items():
            places[name] = f"http://{processes.HOST}:{port}/metrics (while it ran)"
        tables.show_places(self.console, places)


def run(media: Path | None, directory: Path) -> int:
    """Run the demo and return its exit code: 0 if all came out as it should, 2 for an unusable folder."""
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGINT, _interrupt)  # a shell starts background jobs with SIGINT ignored
    console, state = Console(), directory / "demo"
    try:
        files = _files(media, directory / "media", console)
        _empty(state)
        return _run(files, state, console)
    except (NoMediaError, NotOursError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; every process of the demo has ended", file=sys.stderr)
        return INTERRUPTED
    except (up.CannotStartError, processes.NotStartedError) as error:
        return _fail(str(error), state)


def _run(files: list[Original], state: Path, console: Console) -> int:
    with up.running(state, step_seconds=STEP_SECONDS) as local:
        demo = Demo(local, console, files)
        try:
            problems = demo.play()
        except (watching.StalledError, CommandError) as error:
            return _fail(str(error), state)  # before the processes end: what they log then explains nothing
        if problems:
            return _fail("not all came out as it should:\n  " + "\n  ".join(problems), state)
        seconds = time.monotonic() - demo.began
    console.print(f"\nAll as it should be, in {seconds:.0f} s. Every process of the demo has ended.")
    return 0


def _interrupt(_: int, __: FrameType | None) -> None:
    raise KeyboardInterrupt


def _files(media: Path | None, cache: Path, console: Console) -> list[Original]:
    if media is not None:
        return originals.of_folder(media)
    if not cache.exists():
        console.print("making a few real videos and images (once) ...")
    paths = make_media(cache)
    return originals.made_here(paths, cache)


def _empty(state: Path) -> None:
    """Begin with an empty folder; whatever the demo did not make itself stays untouched."""
    if state.exists() and any(state.iterdir()):
        if not (state / MARK).exists():
            raise NotOursError(f"{state} holds something that is not the demo's: name another --dir")
        shutil.rmtree(state)
    state.mkdir(parents=True, exist_ok=True)
    (state / MARK).touch()


def _fail(why: str, state: Path, lines: int = 15) -> int:
    """Say what went wrong, where the logs are, and how each of them ends."""
    logs = state / "logs"
    print(f"error: {why}\nlogs: {logs}", file=sys.stderr)
    for log in sorted(logs.glob("*.log")):
        tail = log.read_text(errors="replace").splitlines()[-lines:]
        print(f"--- {log.name}\n" + "\n".join(tail), file=sys.stderr)
    return 1
