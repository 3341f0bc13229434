"""The WSGI layer that lets a consumer do what its role allows, and nothing else."""

import json
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from xml.sax.saxutils import escape

from deploy.local.calls import Environ, caller_of, name_of
from deploy.local.fault_layer import refuse
from deploy.local.faults import CallFault
from deploy.local.permissions.asked import asked, deletions
from deploy.local.permissions.policy import Asked, Grant, Policies
from deploy.local.permissions.roles import policies_of, role_of
from deploy.local.stack import ACCOUNT

StartResponse = Callable[..., Any]
App = Callable[[Environ, StartResponse], Iterable[bytes]]

CODES = {"s3": "AccessDenied", "sqs": "AccessDenied", "iam": "AccessDenied"}
OF_A_KEY = "KMS.AccessDeniedException"  # AWS: SQS API, errors of SendMessage and ReceiveMessage; status 400


class Guard:
    """Knows who calls by the access key id, which is the end of a role's name; others may do everything."""

    def __init__(self, inner: App) -> None:
        self._inner = inner
        self._lock = threading.Lock()
        self.clear()

    def clear(self) -> None:
        """Forget what was asked, and what was denied beside."""
        self._used: set[tuple[str, Grant]] = set()
        self._refused: set[tuple[str, str, str]] = set()
        self._denied: dict[str, str] = {}

    def deny(self, caller: str, actions: list[str]) -> dict[str, Any]:
        """Deny a caller actions that its role allows; none ends that."""
        statement = {"Effect": "Deny", "Action": actions, "Resource": "*"}
        self._denied[caller] = json.dumps({"Statement": statement}) if actions else ""
        return {"denied": actions}

    def describe(self) -> dict[str, Any]:
        """Return what each caller may do, what of it was used, and what its role refused by itself."""
        with self._lock:
            used, refused = set(self._used), sorted(self._refused)
        names = {name for name, _ in used} | {name for name, *_ in refused}
        given = {name: policies.grants() for name in names if (policies := self._policies(name))}
        return {
            "given": {name: sorted(map(_told, grants)) for name, grants in given.items()},
            "used": {name: sorted(_told(each) for who, each in used if who == name) for name in names},
            "refused": refused,
        }

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        caller = caller_of(environ)
        policies = self._policies(caller) if caller else None
        if policies is None:
            return self._inner(environ, start_response)
        service, operation = name_of(environ)
        if (service, operation) == ("s3", "DeleteObjects"):
            return self._delete(policies, caller, environ, start_response)
        for each in asked(environ, service, operation):
            if not self._may(policies, caller, each):
                return _refuse(start_response, environ, service, each.action, _why(caller, each))
        return self._inner(environ, start_response)

    def _delete(
        self, policies: Policies, caller: str, environ: Environ, start_response: StartResponse
    ) -> Iterable[bytes]:
        """Answer for every key as S3 does; if one may not be deleted, none is."""
        denied = [
            (key, version, _why(caller, refused))
            for key, version, needed in deletions(environ)
            if (refused := next((each for each in needed if not self._may(policies, caller, each)), None))
        ]
        if not denied:
            return self._inner(environ, start_response)
        body = "".join(_error(*each) for each in denied)
        text = f'<?xml version="1.0" encoding="UTF-8"?><DeleteResult>{body}</DeleteResult>'.encode()
        start_response("200 OK", [("Content-Type", "application/xml"), ("Content-Length", str(len(text)))])
        return [text]

    def _may(self, policies: Policies, caller: str, each: Asked) -> bool:
        found = policies.allowing(each)
        with self._lock:
            self._used |= {(caller, grant) for grant in found}
            own = policies_of(caller)
            if not found and own and not own.allowing(each):
                self._refused.add((caller, each.action, each.resource))
        return bool(found)

    def _policies(self, caller: str) -> Policies | None:
        return policies_of(caller, self._denied.get(caller, ""))


def _told(grant: Grant) -> tuple[str, str, str]:
    return grant.sid, grant.action, grant.resource


def _why(caller: str, each: Asked) -> str:
    """Say it as IAM does (AWS: IAM, troubleshoot access denied messages)."""
    who = f"arn:aws:sts::{ACCOUNT}:assumed-role/{role_of(caller)}/local"
    return (
        f"User: {who} is not authorized to perform: {each.action} on resource: {each.resource} "
        f"because no identity-based policy allows the {each.action} action"
    )


def _refuse(
    start_response: StartResponse, environ: Environ, service: str, action: str, why: str
) -> list[bytes]:
    if environ["REQUEST_METHOD"] == "HEAD":
        start_response("403 Forbidden", [("Content-Length", "0")])
        return []
    if action.startswith("kms:"):
        return refuse(start_response, service, CallFault(code=OF_A_KEY, message=why, status=400))
    code = CODES.get(service, "AccessDeniedException")
    return refuse(start_response, service, CallFault(code=code, message=why, status=403))


def _error(key: str, version: str, why: str) -> str:
    named: Mapping[str, str] = {"Key": key, "VersionId": version, "Code": "AccessDenied", "Message": why}
    return (
        "<Error>"
        + "".join(f"<{tag}>{escape(text)}</{tag}>" for tag, text in named.items() if text)
        + "</Error>"
    )
