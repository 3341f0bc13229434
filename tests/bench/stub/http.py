"""HTTP/1.1 as far as boto3 speaks it, on one event loop, each answer as late as it was told to be."""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

REASONS = {200: "OK", 204: "No Content", 400: "Bad Request", 404: "Not Found", 503: "Slow Down"}
_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *([0-9]+)")
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked; the path as it came, percent-encoded."""

    method: str
    path: str
    query: str
    head: bytes
    body: bytes

    def header(self, name: bytes) -> str:
        """Return a header's value; empty if there is none."""
        found = _header(name).search(self.head)
        return found.group(1).decode() if found else ""


@lru_cache
def _header(name: bytes) -> re.Pattern[bytes]:
    return re.compile(rb"(?i)\r\n" + re.escape(name) + rb": *([^\r]*)")


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered; ``headers`` are whole lines, each with its line end."""

    body: bytes = b""
    status: int = 200
    headers: str = ""
    length: int | None = None


Reply = Callable[[Answer], None]


class Service(Protocol):
    """What answers requests."""

    def latency(self, request: Request) -> float:
        """Return the seconds by which the answer is held back."""

    def handle(self, request: Request, reply: Reply) -> None:
        """Answer through the reply, now or later."""


class Connection(asyncio.Protocol):
    """One client's connection: a request, its answer, the next request."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._loop = asyncio.get_running_loop()
        self._buffer = b""
        self._told_to_go_on = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def close(self) -> None:
        """Hang up."""
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        """Answer once a request is whole."""
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._buffer[: end + 2]
        found = _LENGTH.search(head)
        whole = end + 4 + (int(found.group(1)) if found else 0)
        if len(self._buffer) < whole:
            if b"100-continue" in head and not self._told_to_go_on:
                self._told_to_go_on = True
                self._transport.write(_CONTINUE)
            return
        body, self._buffer, self._told_to_go_on = self._buffer[end + 4 : whole], self._buffer[whole:], False
        method, target, _ = head[: head.find(b"\r\n")].decode().split(" ")
        path, _, query = target.partition("?")
        self._answer(Request(method, path, query, head, body))

    def _answer(self, request: Request) -> None:
        latency = self._service.latency(request)

        def reply(answer: Answer) -> None:
            if latency:
                self._loop.call_later(latency, self._write, request, answer)
            else:
                self._write(request, answer)

        self._service.handle(request, reply)

    def _write(self, request: Request, answer: Answer) -> None:
        length = len(answer.body) if answer.length is None else answer.length
        head = (
            f"HTTP/1.1 {answer.status} {REASONS[answer.status]}\r\n"
            f"Content-Length: {length}\r\n{answer.headers}\r\n"
        )
        if not self._transport.is_closing():
            self._transport.write(head.encode() + (b"" if request.method == "HEAD" else answer.body))
