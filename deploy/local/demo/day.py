"""One run of the demo: a batch sent, watched to its end, shown, and compared with what must be."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from rich.console import Console

from deploy.local import processes, stack
from deploy.local.demo import findings, originals, request, tables, watching
from deploy.local.demo.command import ask, ask_json
from deploy.local.demo.originals import Original
from deploy.local.up import Local

CHUNKS_SHOWN = 5


@dataclass
class Day:
    """One run, on which nothing goes wrong."""

    SETTINGS: ClassVar[Mapping[str, str]] = {}

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
        self.clean_up(status)
        lines = [json.loads(each) for each in self._results()]
        key = f"nova_results/{status['batch_id']}/results.jsonl"
        found = findings.answers(self.files, lines)
        problems = self.problems(found)
        problems += findings.problems_of_bucket(self.s3, stack.BUCKET, self.files, key)
        self._show(status, found)
        self._show_places(key, self._fetch(key) if not problems else None)
        return problems

    def clean_up(self, status: Mapping[str, Any]) -> None:
        """Do what is left to a person at the end: nothing."""

    def problems(self, found: Sequence[findings.Answer]) -> list[str]:
        """Say what came out otherwise than it should."""
        return findings.problems_of_answers(found)

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
