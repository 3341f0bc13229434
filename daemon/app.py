"""A running process: its workers, its HTTP port, its end."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer

import structlog

from daemon.clock import Clock
from daemon.health import Health, serve
from daemon.loop.draining import Drain
from daemon.metrics import Metrics
from daemon.shutdown import Signals
from daemon.systemd import Systemd
from daemon.worker import Worker

LOOK_EVERY = 1.0
_log = structlog.get_logger("app")


class CannotStart(Exception):
    """Something this process needs is not there; the message says what to do."""


@dataclass
class App:
    """What ``wire`` puts together. ``close`` lets go of connections and threads at the very end."""

    workers: Sequence[Worker]
    metrics: Metrics
    health: Health
    clock: Clock
    host: str
    port: int
    drain_seconds: float
    systemd: Systemd
    close: Callable[[], None] = lambda: None
    _server: ThreadingHTTPServer | None = field(default=None, init=False)

    def run(self, signals: Signals) -> bool:
        """Work until a signal; tells whether the end was in order."""
        self.start()
        while not signals.asked:
            signals.wait(min(LOOK_EVERY, self.systemd.pause()))
            self.systemd.feed(self.health.is_live)
        return self.stop(signals.wait, lambda: signals.forced)

    def start(self) -> None:
        """Open the port, then begin to receive; raises CannotStart if the port cannot be had."""
        try:
            self._server = serve(self.health, self.host, self.port)
        except OSError as error:
            raise CannotStart(
                f"{self.host}:{self.port}: {error.strerror or error}. Set NOVABATCH_HTTP_HOST and "
                "NOVABATCH_HTTP_PORT to an address of this machine and a free port (0 takes any)."
            ) from error
        _log.info("http_listening", host=self.host, port=self._server.server_address[1])
        for worker in self.workers:
            worker.start()
        _log.info("started", queues=[worker.queue.value for worker in self.workers])
        self.systemd.ready()

    def stop(self, rest: Callable[[float], object], forced: Callable[[], bool]) -> bool:
        """Stop in order; tells whether everything ended by itself."""
        began = self.clock.monotonic()
        shutdown = self.metrics.gauge("consumer_shutdown_seconds")
        shutdown.set_function(lambda: self.clock.monotonic() - began)
        self.systemd.stopping()

        def rest_and_feed(seconds: float) -> None:
            rest(seconds)
            self.systemd.feed(self.health.is_live)

        in_order = Drain(self.workers, self.drain_seconds, self.clock, rest_and_feed, forced).run()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
        if in_order:
            self.close()
        return in_order
