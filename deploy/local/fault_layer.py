"""The WSGI layer in front of moto: counts calls, and injects faults of calls."""

import json
import socket
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, NoReturn
from xml.sax.saxutils import escape

from deploy.local import partial
from deploy.local.calls import Calls, Environ, caller_of, name_of
from deploy.local.faults import CallFault, Faults

StartResponse = Callable[..., Any]
App = Callable[[Environ, StartResponse], Iterable[bytes]]

STATUS = {"SlowDown": 503, "InternalError": 500, "InternalServerException": 500, "ServiceUnavailable": 503}
THROTTLED = {"ThrottlingException": 429, "AccessDeniedException": 403, "ResourceNotFoundException": 404}


class FaultLayer:
    """A WSGI application that passes requests on, unless a fault says otherwise."""

    def __init__(self, inner: App, faults: Faults, calls: Calls) -> None:
        self._inner = inner
        self._faults = faults
        self._calls = calls
        self._pause = threading.Event()

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        service, operation = name_of(environ)
        caller = caller_of(environ)
        with self._calls.open(caller, operation):
            fault = self._faults.for_call(service, operation, environ.get("RAW_URI", ""), caller)
            return self._answer(fault, environ, start_response, service, operation)

    def _answer(
        self,
        fault: CallFault | None,
        environ: Environ,
        start_response: StartResponse,
        service: str,
        operation: str,
    ) -> Iterable[bytes]:
        if fault is None:
            return self._inner(environ, self._counted(start_response, service, operation))
        if fault.latency:
            self._pause.wait(fault.latency)
        if fault.hold:
            return self._hold(fault, environ, service, operation)
        if fault.lost_answer:
            return self._lose(fault, environ, start_response, service, operation)
        if fault.fail_entries:
            counted = self._counted(start_response, service, operation)
            return partial.answer(self._inner, environ, counted, operation, fault)
        if fault.code:
            counted = self._counted(start_response, service, operation)
            return refuse(counted, service, fault)
        body = self._inner(environ, self._counted(start_response, service, operation))
        return body if fault.cut_body is None else _cut(body, fault.cut_body)

    def _counted(self, start_response: StartResponse, service: str, operation: str) -> StartResponse:
        def counting(status: str, *rest: Any) -> Any:
            self._calls.add(service, operation, status.split(" ", 1)[0])
            return start_response(status, *rest)

        return counting

    def _lose(
        self, fault: CallFault, environ: Environ, start_response: StartResponse, service: str, operation: str
    ) -> Iterable[bytes]:
        """Do the work, then answer 500 or, for `"drop"`, close the connection without a word."""
        b"".join(self._inner(environ, lambda *_: None))
        if fault.lost_answer == "drop":
            self._drop(environ, service, operation)
        fault_500 = CallFault(code=fault.code or "InternalServerException", message=fault.message, status=500)
        return refuse(self._counted(start_response, service, operation), service, fault_500)

    def _hold(self, fault: CallFault, environ: Environ, service: str, operation: str) -> Iterable[bytes]:
        """Carry the call out or not, and keep the caller waiting for an answer that never comes."""
        if fault.hold == "after":
            b"".join(self._inner(environ, lambda *_: None))
        fault.wait(operation)
        self._drop(environ, service, operation)

    def _drop(self, environ: Environ, service: str, operation: str) -> NoReturn:
        """Close the connection without a word; raising alone would leave it open, and the client waiting."""
        self._calls.add(service, operation, "lost")
        with suppress(OSError):  # who was kept waiting may have gone
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
        raise ConnectionError("answer dropped by an injected fault")


def _cut(body: Iterable[bytes], length: int) -> Iterable[bytes]:
    """Send only the first bytes; the length announced before is not met."""
    yield b"".join(body)[:length]


def refuse(start_response: StartResponse, service: str, fault: CallFault) -> list[bytes]:
    """Answer an error in the shape the service's clients read."""
    status = (
        fault.status
        or STATUS.get(fault.code)
        or (THROTTLED.get(fault.code, 400) if service == "bedrock" else 400)
    )
    if service in {"s3", "iam", "sts"}:
        text = f"<Error><Code>{escape(fault.code)}</Code><Message>{escape(fault.message)}</Message></Error>"
        text = text if service == "s3" else f"<ErrorResponse>{text}</ErrorResponse>"
        body, kind = f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'.encode(), "application/xml"
    else:
        body, kind = json.dumps({"__type": fault.code, "message": fault.message}).encode(), "application/json"
    headers = [("Content-Type", kind), ("Content-Length", str(len(body))), ("x-amzn-errortype", fault.code)]
    start_response(f"{status} Injected", headers)
    return [body]
