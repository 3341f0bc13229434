"""The HTTP paths under /_local by which tests and the demo steer the local AWS."""

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict
from typing import Any

from moto.core.base_backend import BackendDict
from moto.core.model_instances import reset_model_data
from moto.sqs.models import sqs_backends

from deploy.local import sqs_fixes
from deploy.local.bedrock.engine import Engine
from deploy.local.bedrock.jobs import stamp
from deploy.local.calls import Calls, Environ
from deploy.local.permissions.guard import Guard

StartResponse = Callable[..., Any]
App = Callable[[Environ, StartResponse], Iterable[bytes]]

PREFIX = "/_local/"


class Admin:
    """A WSGI application that answers /_local/… and passes everything else on."""

    def __init__(self, inner: App, engine: Engine, calls: Calls, guard: Guard) -> None:
        self._inner = inner
        self._engine = engine
        self._calls = calls
        self._guard = guard
        self._settings_at_start = asdict(engine.knobs)
        self._routes: dict[tuple[str, str], Callable[[dict[str, Any]], dict[str, Any]]] = {
            ("GET", "health"): lambda _: {"ready": True},
            ("GET", "calls"): lambda _: self._describe_calls(),
            ("GET", "faults"): lambda _: engine.faults.describe(),
            ("POST", "faults"): self._add_faults,
            ("DELETE", "faults"): lambda _: self._clear_faults(),
            ("GET", "settings"): lambda _: asdict(engine.knobs),
            ("POST", "settings"): self._change_settings,
            ("POST", "caller"): lambda asked: calls.of(**asked),
            ("GET", "permissions"): lambda _: guard.describe(),
            ("POST", "deny"): lambda asked: guard.deny(**asked),
            ("POST", "return"): lambda asked: _return_messages(**asked),
            ("POST", "reset"): lambda _: self._reset(),
        }

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        path = environ.get("PATH_INFO", "")
        if not path.startswith(PREFIX):
            return self._inner(environ, start_response)
        route = self._routes.get((environ["REQUEST_METHOD"], path.removeprefix(PREFIX)))
        if route is None:
            return _send(start_response, "404 Not Found", {"error": f"no such path: {path}"})
        try:
            raw = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            return _send(start_response, "200 OK", route(json.loads(raw) if raw else {}))
        except (ValueError, TypeError) as error:
            return _send(start_response, "400 Bad Request", {"error": str(error)})

    def _add_faults(self, wanted: dict[str, Any]) -> dict[str, Any]:
        self._engine.faults.add(wanted)
        return self._engine.faults.describe()

    def _clear_faults(self) -> dict[str, Any]:
        self._engine.faults.clear()
        self._engine.resume_stuck()
        return self._engine.faults.describe()

    def _change_settings(self, wanted: dict[str, Any]) -> dict[str, Any]:
        self._engine.knobs.update(wanted)
        return asdict(self._engine.knobs)

    def _describe_calls(self) -> dict[str, Any]:
        jobs = [
            {
                "name": job.name,
                "arn": job.arn,
                "token": job.request.get("clientRequestToken"),
                "model": job.request["modelId"],
                "status": job.status,
                "message": job.message,
                "input": job.input_uri,
                "submitted_at": stamp(job.submit_time),
                "ended_at": stamp(job.end_time) if job.end_time else None,
                "records": job.record_ids,
                "bought": job.bought,
            }
            for job in self._engine.jobs.all()
        ]
        return {"calls": self._calls.describe(), "jobs": jobs}

    def _reset(self) -> dict[str, Any]:
        """Empty everything: queues, buckets, rules, jobs, faults, counts; settings go back to the start."""
        self._engine.reset()
        self._engine.faults.clear()
        self._engine.knobs.update(self._settings_at_start)
        BackendDict.reset()
        reset_model_data()
        self._calls.clear()
        self._guard.clear()
        return {"reset": True}


def _return_messages(queue: str) -> dict[str, Any]:
    backends = [backend for account in sqs_backends.values() for backend in account.values()]
    return {"returned": sqs_fixes.return_messages(backends, queue)}


def _send(start_response: StartResponse, status: str, answer: dict[str, Any]) -> list[bytes]:
    body = json.dumps(answer).encode()
    start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
