"""Batch calls that answer 200 although some of their entries failed."""

import io
import json
import re
from collections.abc import Callable, Iterable
from typing import Any
from xml.sax.saxutils import escape

import xmltodict  # type: ignore[import-untyped]

from deploy.local.calls import Environ
from deploy.local.faults import CallFault

StartResponse = Callable[..., Any]
App = Callable[[Environ, StartResponse], Iterable[bytes]]


def answer(
    inner: App, environ: Environ, start_response: StartResponse, operation: str, fault: CallFault
) -> Iterable[bytes]:
    """Keep the entries that match `fail_entries` from the service, and report them as failed."""
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    if operation == "DeleteObjects":
        return _delete_objects(inner, environ, start_response, body, fault)
    return _sqs_batch(inner, environ, start_response, body, fault)


def _sqs_batch(
    inner: App, environ: Environ, start_response: StartResponse, body: bytes, fault: CallFault
) -> Iterable[bytes]:
    request = json.loads(body)
    entries = request.get("Entries", [])
    failing = [entry for entry in entries if re.search(fault.fail_entries, json.dumps(entry))]
    request["Entries"] = [entry for entry in entries if entry not in failing]
    result: dict[str, Any] = {"Successful": [], "Failed": []}
    if request["Entries"]:
        result |= json.loads(_pass_on(inner, environ, json.dumps(request).encode()))
    code = fault.code or "InternalError"
    for entry in failing:
        failed = {"Id": entry["Id"], "SenderFault": False, "Code": code, "Message": fault.message}
        result.setdefault("Failed", []).append(failed)
    return _send(start_response, json.dumps(result).encode(), "application/x-amz-json-1.0")


def _delete_objects(
    inner: App, environ: Environ, start_response: StartResponse, body: bytes, fault: CallFault
) -> Iterable[bytes]:
    request = xmltodict.parse(body, force_list=("Object",))
    objects = request["Delete"].get("Object") or []
    failing = [each for each in objects if re.search(fault.fail_entries, each["Key"])]
    request["Delete"]["Object"] = [each for each in objects if each not in failing]
    answered = "<DeleteResult></DeleteResult>"
    if request["Delete"]["Object"]:
        for name in [
            name for name in environ if name.startswith("HTTP_X_AMZ_CHECKSUM") or name == "HTTP_CONTENT_MD5"
        ]:
            del environ[name]
        answered = _pass_on(inner, environ, xmltodict.unparse(request).encode()).decode()
    code = fault.code or "InternalError"
    errors = "".join(
        f"<Error><Key>{escape(each['Key'])}</Key>{_version(each)}<Code>{escape(code)}</Code>"
        f"<Message>{escape(fault.message)}</Message></Error>"
        for each in failing
    )
    merged = answered.replace("</DeleteResult>", errors + "</DeleteResult>")
    return _send(start_response, merged.encode(), "application/xml")


def _version(entry: dict[str, Any]) -> str:
    return f"<VersionId>{escape(entry['VersionId'])}</VersionId>" if "VersionId" in entry else ""


def _pass_on(inner: App, environ: Environ, body: bytes) -> bytes:
    environ["wsgi.input"] = io.BytesIO(body)
    environ["CONTENT_LENGTH"] = str(len(body))
    return b"".join(inner(environ, lambda *_: None))


def _send(start_response: StartResponse, body: bytes, kind: str) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", kind), ("Content-Length", str(len(body)))])
    return [body]
