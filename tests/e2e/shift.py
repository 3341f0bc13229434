"""Consumers that are replaced while they work; each logs, and tells metrics until it is gone."""

import json
import re
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from deploy.local import processes
from deploy.local.processes import HOST
from tests.e2e import forks
from tests.e2e.machine import Machine

OUTCOME = re.compile(r'^novabatch_consumer_messages_total\{.*outcome="(\w+)".*\} ([0-9.e+]+)$', re.MULTILINE)


@dataclass
class Member:
    """A consumer, what it logged, and what its metrics told last."""

    name: str
    process: BaseProcess
    log: Path
    metrics: str = ""

    def lines(self, event: str = "") -> list[dict[str, Any]]:
        """Return its log lines, or those of one event."""
        text = self.log.read_text() if self.log.exists() else ""
        told = [json.loads(line) for line in text.split("\n")[:-1]]
        return [line for line in told if event in {"", line["event"]}]

    def wait(self) -> None:
        """Wait until it works."""
        assert processes.wait_until(lambda: bool(self.lines("started")), 60)

    @property
    def port(self) -> int:
        """The port that it listens on, by its own word."""
        return int(self.lines("http_listening")[0]["port"])

    def outcomes(self) -> Counter[str]:
        """Count the messages by what came of them."""
        return Counter(
            {word: int(float(count)) for word, count in OUTCOME.findall(self.metrics) if float(count)}
        )

    def stop(self) -> None:
        """Ask it to stop and read its metrics until it is gone; it must end by itself, and in order."""
        with closing(HTTPConnection(HOST, self.port, timeout=10)) as connection:
            self._read(connection)
            self.process.terminate()
            while self._read(connection):
                pass
        self.process.join(20)
        assert self.process.exitcode == 0, self.log.read_text()

    def _read(self, connection: HTTPConnection) -> bool:
        """Read over a connection that stays open: it is answered until the process ends."""
        try:
            connection.request("GET", "/metrics")
            self.metrics = connection.getresponse().read().decode()
        except (HTTPException, OSError):
            return False
        return True


@dataclass
class Shift:
    """The consumers at work, one of each role, and those that have gone; drains of a role may be short."""

    running: Machine
    folder: Path
    drain_seconds: dict[str, str] = field(default_factory=dict)
    at_work: dict[str, Member] = field(default_factory=dict)
    gone: list[Member] = field(default_factory=list)

    def start(self, *roles: str) -> None:
        """Start consumers and wait until they work."""
        for role in roles:
            self.at_work[role] = self._started(role)
        for role in roles:
            self.at_work[role].wait()

    def replace(self, role: str, *, beside: bool) -> None:
        """Stop a consumer, once a new one works beside it or while that starts."""
        old, new = self.at_work[role], self._started(role)
        self.at_work[role] = new
        self.gone.append(old)
        if beside:
            new.wait()
        old.stop()
        new.wait()

    def kill(self) -> None:
        """Leave no process behind."""
        for member in (*self.at_work.values(), *self.gone):
            forks.kill(member.process)

    def _started(self, role: str) -> Member:
        name = f"shift-{role}-{len(self.at_work) + len(self.gone)}"
        environment = self.running.local.consumer_environment()
        environment |= {"NOVABATCH_DRAIN_SECONDS": self.drain_seconds.get(role, "30")}
        environment |= {"AWS_ACCESS_KEY_ID": name, "NOVABATCH_HTTP_PORT": "0"}
        log = self.folder / f"{name}.log"
        return Member(name, forks.start(role, environment, log), log)
