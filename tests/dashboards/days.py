"""A quiet day and a bad one: the local demo under a Prometheus, its processes kept up after its end."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from deploy.local import processes, stack, up
from deploy.local.demo.day import Day
from deploy.local.demo.originals import Original
from deploy.local.up import Local
from tests.prometheus import Prometheus, watching

SETTINGS = {
    "NOVABATCH_RECONCILE_INTERVAL": "2",
    "NOVABATCH_VISIBILITY_TIMEOUT": "10",
    "NOVABATCH_BUDGET_USD_PER_DAY": "50",
}
ALL_TOLD = "sum(up) and on () novabatch_queue_attributes_age_seconds < 3"
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Watched:
    """A day of the demo, and the Prometheus that watches it."""

    local: Local
    server: Prometheus
    watched_after: dict[str, float] = field(default_factory=dict)
    ended_after: dict[str, float] = field(default_factory=dict)

    def places(self) -> Mapping[str, str]:
        """Return each consumer's place as Prometheus names it."""
        return {name: f"{processes.HOST}:{port}" for name, port in self.local.ports.items()}

    def wait(self, expression: str, seconds: float = 60) -> None:
        """Wait until an expression gives something."""
        assert processes.wait_until(lambda: bool(self.server.query(expression)), seconds), expression

    def settle(self) -> None:
        """Wait until all living consumers are scraped, and until what is there now has been."""
        now = float(self.server.query("vector(time())")[0][1])
        living = sum(each.process.poll() is None for each in self.local.consumers.values())
        self.wait(f"({ALL_TOLD}) == {living}")
        fresh = "timestamp(novabatch_queue_attributes_age_seconds) - novabatch_queue_attributes_age_seconds"
        self.wait(f"{fresh} > {now + 1}")

    def stop(self, name: str, meanwhile: Callable[[], object] = lambda: None) -> None:
        """Ask a consumer to end, note what it used, and do something while it drains."""
        child = self.local.consumers[name]
        self._note(name, self.ended_after)
        child.process.terminate()
        meanwhile()
        child.process.wait(60)

    def kill(self, name: str) -> None:
        """Take a consumer away, as a power failure would."""
        self._note(name, self.ended_after)
        self.local.consumers[name].process.kill()
        self.local.consumers[name].process.wait()

    def start(self, name: str) -> None:
        """Start a consumer again where Prometheus knows it."""
        self.local.wanted[name] = self.local.ports[name]
        up.start_consumer(self.local, name)
        up.wait_for_consumer(self.local, name)

    def begin(self) -> None:
        """Wait for the first look, and note what the processes have used until then."""
        self.settle()
        for name in self.local.consumers:
            self._note(name, self.watched_after)

    def _note(self, name: str, used: dict[str, float]) -> None:
        """Note the processor time of a process."""
        used[self.places()[name]] = processor_seconds(self.local.consumers[name].process.pid)

    @property
    def sqs(self) -> Any:
        return stack.client("sqs", self.local.server.url)

    def send(self, queue: str, body: str) -> None:
        """Put a message into a queue."""
        url = self.sqs.get_queue_url(QueueName=queue)["QueueUrl"]
        self.sqs.send_message(QueueUrl=url, MessageBody=body)


def processor_seconds(pid: int) -> float:
    """Return how much processor time a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


@contextmanager
def day(binary: Path, folder: Path, kind: type[Day], files: list[Original]) -> Iterator[Watched]:
    """Play a day of the demo to its end; its processes live on until the block ends."""
    folder.mkdir()
    settings = {**kind.SETTINGS, **SETTINGS}
    with (
        up.running(folder / "state", port=0, step_seconds=0.3, more=settings) as local,
        watching(binary, folder / "prometheus", local.ports) as server,
        (folder / "demo.txt").open("w") as said,
    ):
        watched = Watched(local, server)
        watched.begin()
        problems = kind(local, Console(file=said, width=100), list(files)).play()
        assert not problems
        local.server.control.clear_faults()
        watched.settle()
        yield watched


def measure_the_bucket(watched: Watched) -> None:
    """Have the bucket measured anew, which is done hourly and at a start."""
    watched.stop("job_state")
    watched.start("job_state")
    watched.settle()
    watched.wait("novabatch_storage_bytes")
