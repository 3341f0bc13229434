"""systemd hears when a process has started, that it lives, and that it stops, over a real datagram socket."""

import os
import socket
import sys
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from daemon.app import App
from daemon.health import Health
from daemon.metrics import Metrics
from daemon.shutdown import Signals
from daemon.systemd import Systemd
from deploy.local import processes
from deploy.local.stack import environment
from tests.aws import OWN_CONFIGURATION
from tests.contracts.local_aws import LocalAws, until
from tests.daemon.bench import BODY, Bench
from tests.fakes.clock import FakeClock

WATCHDOG = 30.0
WEDGED_AT = 400.0


class Ear:
    """The side of systemd."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address.replace("@", "\0", 1))
        self._socket.setblocking(False)
        self.all: list[str] = []

    def hear(self) -> list[str]:
        """Return what was said since the last time."""
        new: list[str] = []
        while True:
            try:
                new.append(self._socket.recv(4096).decode())
            except BlockingIOError:
                self.all += new
                return new

    def heard(self, word: str) -> int:
        self.hear()
        return self.all.count(word)

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def ear(tmp_path: Path) -> Iterator[Ear]:
    made = Ear(str(tmp_path / "notify"))
    yield made
    made.close()


class Turns(Signals):
    """Signals whose every wait lets a virtual second pass and asks to stop after so many."""

    def __init__(self, turn: Callable[[float], None], count: int) -> None:
        super().__init__()
        self._turn = turn
        self._left = count

    @property
    def asked(self) -> bool:
        return self._left <= 0

    def wait(self, seconds: float) -> None:
        self._left -= 1
        self._turn(seconds)


def process(bench: Bench, address: str, watchdog: float = WATCHDOG) -> App:
    """Make a process whose loop is turned by the test."""
    health = Health(Metrics().registry, lambda: {"submit": bench.worker.is_turning}, {}, bench.clock)
    systemd = Systemd(address, watchdog, bench.clock)
    return App([], Metrics(), health, bench.clock, "127.0.0.1", 0, 1, systemd)


def test_signs_of_life_come_while_every_place_is_busy_and_end_when_the_loop_is_wedged(ear: Ear) -> None:
    """K9, K10: fed at half the time, and only while /live would be true."""
    bench = Bench(concurrency=1)
    bench.worker.poller.look_every = 0.0
    bench.mailbox.post(BODY)
    app, began = process(bench, ear.address), bench.clock.seconds
    fed: list[float] = []
    live: list[float] = []

    def turn(seconds: float) -> None:
        now = bench.clock.seconds - began
        fed.extend(now for word in ear.hear() if word == "WATCHDOG=1")
        if app.health.answer("/live")[0] == 200:
            live.append(now)
        if now < WEDGED_AT:
            bench.poll()
        bench.clock.advance(seconds)

    with Turns(turn, 900) as signals:
        app.run(signals)
    assert WEDGED_AT < max(live) < WEDGED_AT + 110
    assert max(fed) <= max(live)
    gaps = [later - earlier for earlier, later in pairwise(fed)]
    assert len(gaps) > 20
    assert max(gaps) <= WATCHDOG / 2
    assert bench.worker.slots.free == 0


def test_the_start_is_told_first_and_the_end_last(ear: Ear) -> None:
    bench = Bench()
    bench.poll()
    with Turns(bench.clock.advance, 3) as signals:
        process(bench, ear.address).run(signals)
    assert ear.hear() == ["READY=1", "WATCHDOG=1", "STOPPING=1"]


def test_a_socket_in_the_abstract_namespace_is_told_too() -> None:
    ear = Ear(f"@novabatch-{os.getpid()}")
    Systemd(ear.address, 0, FakeClock()).ready()
    assert ear.hear() == ["READY=1"]
    ear.close()


def test_without_a_watchdog_no_sign_of_life_is_sent(ear: Ear) -> None:
    bench = Bench()
    bench.poll()
    with Turns(bench.clock.advance, 50) as signals:
        process(bench, ear.address, 0).run(signals)
    assert ear.hear() == ["READY=1", "STOPPING=1"]


def test_a_real_process_tells_systemd_from_start_to_end(emulator: LocalAws, ear: Ear, tmp_path: Path) -> None:
    own = {
        "NOVABATCH_BUCKET": emulator.bucket,
        "NOVABATCH_ROLE_ARN": "arn:aws:iam::123456789012:role/r",
        "NOVABATCH_DATABASE_URL": f"sqlite:///{tmp_path / 'x.db'}",
        "NOVABATCH_HTTP_PORT": "0",
        "NOVABATCH_RECEIVE_WAIT": "1",
        "NOTIFY_SOCKET": ear.address,
        "WATCHDOG_USEC": "400000",
    }
    for name in ("submit-requests", "job-state-changes", "cleanup-requests"):
        emulator.sqs.create_queue(QueueName=name)
        emulator.sqs.create_queue(QueueName=f"{name}-dlq")
    variables = {"PATH": "/usr/bin:/bin", **environment(emulator.url), **OWN_CONFIGURATION, **own}
    command = [sys.executable, "-m", "daemon", "run", "cleanup"]
    child = processes.start("cleanup", command, variables, tmp_path / "logs")
    try:
        until(lambda: ear.heard("WATCHDOG=1") >= 3, 60)
        child.process.terminate()
        assert child.process.wait(60) == 0, child.tail()
    finally:
        processes.stop([child])
    ear.hear()
    assert ear.all[0] == "READY=1"
    assert ear.all.count("READY=1") == ear.all.count("STOPPING=1") == 1
    assert set(ear.all) == {"READY=1", "WATCHDOG=1", "STOPPING=1"}
