"""The WSGI layer that tells callers which role is theirs, and what a role may do: STS and IAM, as they do."""

from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qs

from deploy.local.calls import Environ, caller_of, name_of
from deploy.local.fault_layer import refuse
from deploy.local.faults import CallFault
from deploy.local.permissions.asked import body_of
from deploy.local.permissions.policy import Asked
from deploy.local.permissions.roles import policies_of, role_of
from deploy.local.stack import ACCOUNT

StartResponse = Callable[..., Any]
App = Callable[[Environ, StartResponse], Iterable[bytes]]
Form = dict[str, list[str]]

SESSION = "local"


class Identities:
    """Answers for callers who have a role; all else is moto's."""

    def __init__(self, inner: App) -> None:
        self._inner = inner

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        service = name_of(environ)[0]
        if service in {"sts", "iam"}:
            form = parse_qs(body_of(environ).decode())
            match form.get("Action"):
                case ["GetCallerIdentity"] if policies_of(caller_of(environ)):
                    return _answer(start_response, "GetCallerIdentity", _identity(caller_of(environ)))
                case ["SimulatePrincipalPolicy"]:
                    return _simulate(start_response, form)
        return self._inner(environ, start_response)


def _identity(caller: str) -> str:
    role = role_of(caller)
    arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{SESSION}"
    return f"<Arn>{arn}</Arn><UserId>{role}:{SESSION}</UserId><Account>{ACCOUNT}</Account>"


def _simulate(start_response: StartResponse, form: Form) -> list[bytes]:
    """Say of each action on each resource whether a role's policies allow it."""
    arn = form["PolicySourceArn"][0]
    name = arn.rpartition("/")[2]
    policies = policies_of(name.removeprefix(role_of("")))
    if policies is None:
        unknown = CallFault(code="NoSuchEntity", message=f"{arn} is not there", status=404)
        return refuse(start_response, "iam", unknown)
    context = dict(zip(_listed(form, "ContextEntries", ".ContextKeyName"), _values(form), strict=True))
    results = "".join(
        f"<member><EvalActionName>{action}</EvalActionName><EvalResourceName>{resource}</EvalResourceName>"
        f"<EvalDecision>{decision}</EvalDecision></member>"
        for action in _listed(form, "ActionNames")
        for resource in _listed(form, "ResourceArns")
        for decision in ["allowed" if policies.allowing(Asked(action, resource, context)) else "implicitDeny"]
    )
    found = f"<IsTruncated>false</IsTruncated><EvaluationResults>{results}</EvaluationResults>"
    return _answer(start_response, "SimulatePrincipalPolicy", found)


def _values(form: Form) -> list[str]:
    return _listed(form, "ContextEntries", ".ContextKeyValues.member.1")


def _listed(form: Form, name: str, end: str = "") -> list[str]:
    """Return the members of a list, as the query protocol numbers them."""
    found, number = [], 1
    while values := form.get(f"{name}.member.{number}{end}"):
        found.append(values[0])
        number += 1
    return found


def _answer(start_response: StartResponse, action: str, result: str) -> list[bytes]:
    text = f"<{action}Response><{action}Result>{result}</{action}Result></{action}Response>".encode()
    start_response("200 OK", [("Content-Type", "text/xml"), ("Content-Length", str(len(text)))])
    return [text]
