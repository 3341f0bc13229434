"""Machines under a Prometheus of their own, on which alerts are tried, and how to tell which fire."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deploy.local import monitoring, processes
from deploy.local.control import Control
from tests.e2e.machine import Machine, machine
from tests.e2e.quicker import quicker_rules
from tests.prometheus import QUICK, Prometheus, prometheus_server

ROLES: Mapping[str, str] = {"submit": "submit", "job_state": "job_state", "cleanup": "cleanup"}


@dataclass(frozen=True, slots=True)
class Plan:
    """A machine to be: how much quicker time goes in its rules, its settings, and its processes by role."""

    factor: int = 1
    settings: Mapping[str, Any] = field(default_factory=dict)
    roles: Mapping[str, str] = field(default_factory=lambda: ROLES)


@dataclass(frozen=True, slots=True)
class Site:
    """A machine and the Prometheus that watches it."""

    machine: Machine
    roles: Mapping[str, str]
    server: Prometheus

    @property
    def control(self) -> Control:
        """The emulator's faults and knobs."""
        return self.machine.local.server.control

    def kill(self, name: str) -> None:
        """Take a process away, as a power failure would."""
        self.machine.kill(name)

    def start(self, name: str) -> None:
        """Start a process where Prometheus knows it."""
        start(self.machine, name, self.roles[name])
        wait_ready(self.machine, name)

    def restart(self, *names: str, **settings: str) -> None:
        """Start processes anew with other settings; an empty one is not set."""
        self.machine.local.environment |= {f"NOVABATCH_{name}": value for name, value in settings.items()}
        for name in names:
            self.kill(name)
            self.start(name)

    def restart_as(self, name: str, version: str = "") -> None:
        """Start a process anew as another version of the program; without one as what is installed here."""
        metadata = self.machine.local.directory / f"versions/novabatch-{version}.dist-info/METADATA"
        if version:
            metadata.parent.mkdir(parents=True)
            metadata.write_text(f"Metadata-Version: 2.1\nName: novabatch\nVersion: {version}\n")
            self.machine.local.environment["PYTHONPATH"] = str(metadata.parent.parent)
        self.restart(name)
        self.machine.local.environment.pop("PYTHONPATH", None)

    def add_calls(self, *faults: Mapping[str, Any]) -> None:
        """Let calls to AWS meet faults."""
        self.control.add_faults(calls=list(faults))

    def send(self, queue: str, *bodies: str) -> None:
        """Put messages into a queue."""
        url = self.url(queue)
        for begin in range(0, len(bodies), 10):
            some = enumerate(bodies[begin : begin + 10])
            entries = [{"Id": str(number), "MessageBody": body} for number, body in some]
            self.machine.sqs.send_message_batch(QueueUrl=url, Entries=entries)

    def url(self, queue: str) -> str:
        """Find a queue."""
        return str(self.machine.sqs.get_queue_url(QueueName=queue)["QueueUrl"])

    def all_answer(self) -> bool:
        """Tell whether all processes are scraped and the store's gauges are there."""
        told = self.server.query("sum(up) and on () novabatch_queue_attributes_age_seconds")
        return [value for _, value in told] == [float(len(self.roles))]


@contextmanager
def site(folder: Path, program: Path, plan: Plan) -> Iterator[Site]:
    """Run a machine and its Prometheus until the block ends."""
    with machine(folder, start=(), **plan.settings) as running:
        for name, role in plan.roles.items():
            start(running, name, role)
        watched = folder / "prometheus"
        watched.mkdir()
        config = {**monitoring.config(running.local.ports), "global": QUICK}
        config["rule_files"] = quicker_rules(watched, plan.factor)
        # Prometheus takes seconds to begin: the processes start meanwhile.
        with prometheus_server(program, watched, config) as server:
            for name in plan.roles:
                wait_ready(running, name)
            yield Site(running, plan.roles, server)


def start(running: Machine, name: str, role: str) -> None:
    """Start a process at the port it had, or at a free one; to AWS it is known by its name."""
    local = running.local
    port = local.ports.setdefault(name, processes.free_port())
    own = {"AWS_ACCESS_KEY_ID": name, "NOVABATCH_HTTP_PORT": str(port)}
    command = [sys.executable, "-m", "daemon", "run", role]
    environment = local.consumer_environment() | own
    local.consumers[name] = processes.start(name, command, environment, local.directory / "logs")


def wait_ready(running: Machine, name: str) -> None:
    url = f"http://{processes.HOST}:{running.local.ports[name]}/ready"
    processes.wait_ready(running.local.consumers[name], lambda: processes.answers(url), 60)


Act = Callable[[Site], None]


def nothing(_: Site) -> None:
    """Do nothing."""


@dataclass(frozen=True, slots=True)
class Trial:
    """A fault that makes alerts fire, and its cure; faults of the emulator are cleared anyway.

    ``ill`` and ``mending`` are done every second while the alerts are waited for, and until they clear.
    """

    alerts: str
    place: str
    fault: Act
    cure: Act = nothing
    ill: Act = nothing
    mending: Act = nothing

    @property
    def names(self) -> Sequence[str]:
        """The alerts, without their prefix."""
        return self.alerts.split()


@dataclass(slots=True)
class Course:
    """How the trials at one site go: struck, fired, cured, cleared; times are monotonic seconds."""

    site: Site
    trials: Sequence[Trial]
    struck: dict[str, float] = field(default_factory=dict)
    fired: dict[str, float] = field(default_factory=dict)
    cured_at: float | None = None
    cleared: dict[str, float] = field(default_factory=dict)

    @property
    def names(self) -> Sequence[str]:
        """All alerts that are tried here."""
        return [name for trial in self.trials for name in trial.names]

    def is_calm(self) -> bool:
        """Tell whether everything is scraped and none of the alerts fires."""
        return self.site.all_answer() and not self._firing() & set(self.names)

    def strike(self, trial: Trial) -> None:
        """Switch a fault on."""
        self.struck |= dict.fromkeys(trial.names, time.monotonic())
        trial.fault(self.site)

    def look(self) -> None:
        """Note which alerts have fired since their faults are on; some fire for a few seconds only."""
        since = {name: time.monotonic() - struck for name, struck in self.struck.items()}
        last = {name.removeprefix("Novabatch"): ago for name, ago in self.site.server.fired().items()}
        seen = {name for name, ago in last.items() if ago < since.get(name, 0)} - self.fired.keys()
        self.fired |= {name: since[name] - last[name] for name in seen}

    def go_on(self, within: float, clear_within: float) -> bool:
        """Look once and do what is to be done next; tells whether this is over, well or not."""
        if self.cured_at is None:
            return self._wait_for_alerts(within)
        for trial in self.trials:
            trial.mending(self.site)
        if self.site.all_answer():
            quiet = set(self.names) - self._firing() - self.cleared.keys()
            self.cleared |= dict.fromkeys(quiet, time.monotonic() - self.cured_at)
        return self.cleared.keys() == set(self.names) or time.monotonic() - self.cured_at > clear_within

    def _wait_for_alerts(self, within: float) -> bool:
        for trial in self.trials:
            trial.ill(self.site)
        self.look()
        if self.fired.keys() == set(self.names):
            self.cured_at = time.monotonic()
            self.site.control.clear_faults()
            for trial in self.trials:
                trial.cure(self.site)
        return time.monotonic() - max(self.struck.values()) > within

    def _firing(self) -> set[str]:
        return {name.removeprefix("Novabatch") for name in self.site.server.firing()}
