"""/metrics, /live and /ready: one small HTTP server for a process."""

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from daemon.clock import Clock
from daemon.loop.attempt import Failed, attempt

PATIENCE = 3.0  # seconds; an orchestrator's own probe gives up soon after
Answer = tuple[HTTPStatus, str, bytes]


class Probe:
    """One question to something outside, asked in a thread so that no answer is an answer too."""

    def __init__(self, ask: Callable[[], object]) -> None:
        self._ask = ask
        self._thread: threading.Thread | None = None
        self._why = ""

    def begin(self) -> None:
        """Ask, unless the last question still waits for its answer."""
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._run, name="probe", daemon=True)
            self._thread.start()

    def why(self, seconds: float) -> str:
        """Wait so long for the answer; returns what is wrong, or nothing."""
        if self._thread is not None:
            self._thread.join(seconds)
        if self._thread is not None and self._thread.is_alive():
            return f"no answer within {PATIENCE:g} s"
        return self._why

    def _run(self) -> None:
        answer = attempt(self._ask)
        self._why = answer.why if isinstance(answer, Failed) else ""


@dataclass
class Health:
    """What a process tells of itself. ``probes`` raise a fault when what they are named after is missing."""

    registry: CollectorRegistry
    turning: Callable[[], Mapping[str, bool]]
    probes: Mapping[str, Callable[[], object]]
    clock: Clock
    keep: float = 2.0
    _asked_at: float = field(default=float("-inf"), init=False)
    _missing: Mapping[str, str] = field(default_factory=dict, init=False)
    _asked: dict[str, Probe] = field(default_factory=dict, init=False)
    _asking: threading.Lock = field(default_factory=threading.Lock, init=False)

    def answer(self, path: str) -> Answer:
        """Answer a GET."""
        match path.partition("?")[0]:
            case "/metrics":
                return HTTPStatus.OK, CONTENT_TYPE_LATEST, generate_latest(self.registry)
            case "/live":
                loops = self.turning()
                return _told(all(loops.values()), {"loops": dict(loops)})
            case "/ready":
                missing = self.missing()
                return _told(not missing, {"missing": dict(missing)})
            case _:
                return HTTPStatus.NOT_FOUND, "text/plain", b"/metrics /live /ready\n"

    def is_live(self) -> bool:
        """Tell whether all loops turn: what /live says."""
        return all(self.turning().values())

    def missing(self) -> Mapping[str, str]:
        """Return what does not answer, with the reason; kept for a moment, so that probes are no load."""
        with self._asking:
            if self.clock.monotonic() - self._asked_at >= self.keep:
                self._missing = self._ask_all()
                self._asked_at = self.clock.monotonic()
            return self._missing

    def _ask_all(self) -> Mapping[str, str]:
        """Ask everything at once and wait for all of it no longer than PATIENCE."""
        for name, ask in self.probes.items():
            self._asked.setdefault(name, Probe(ask)).begin()
        until = self.clock.monotonic() + PATIENCE
        found = {
            name: probe.why(max(0.0, until - self.clock.monotonic())) for name, probe in self._asked.items()
        }
        return {name: why for name, why in found.items() if why}


def serve(health: Health, host: str, port: int) -> ThreadingHTTPServer:
    """Serve in a thread until ``shutdown``; raises OSError if the port is taken."""

    class Handler(BaseHTTPRequestHandler):
        """Answers GET and HEAD."""

        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            """Answer with a body."""
            self._send(health.answer(self.path))

        def do_HEAD(self) -> None:
            """Answer without a body."""
            status, kind, _ = health.answer(self.path)
            self._send((status, kind, b""))

        def _send(self, answer: Answer) -> None:
            status, kind, body = answer
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Log nothing: probes come every few seconds."""

    server = _Server((host, port), Handler)
    threading.Thread(target=server.serve_forever, name="http", daemon=True).start()
    return server


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log nothing: a client that hangs up is its own matter."""


def _told(good: bool, more: Mapping[str, Any]) -> Answer:
    status = HTTPStatus.OK if good else HTTPStatus.SERVICE_UNAVAILABLE
    return status, "application/json", json.dumps({"ok": good, **more}).encode() + b"\n"
