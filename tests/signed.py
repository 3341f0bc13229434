"""A call of botocore as the WSGI request it would arrive as; nothing is sent."""

from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

from botocore.awsrequest import AWSPreparedRequest
from botocore.config import Config

from deploy.local import stack
from deploy.local.calls import Environ, name_of

NOWHERE = "http://127.0.0.1:1"
ONCE = Config(retries={"total_max_attempts": 1})


class _Caught(BaseException):
    """Brings a request out of botocore, past all that would send it again."""

    def __init__(self, request: AWSPreparedRequest) -> None:
        super().__init__()
        self.request = request


def signed(service: str, call: str, **given: Any) -> tuple[Environ, str, str]:
    """Return a call's request, its service and its operation, as the local AWS tells them."""
    client = stack.client(service, NOWHERE, ONCE)
    client.meta.events.register("before-send", _catch, unique_id="caught")
    try:
        getattr(client, call)(**given)
    except _Caught as caught:
        environ = _environ(caught.request)
    return environ, *name_of(environ)


def _catch(request: AWSPreparedRequest, **_: Any) -> None:
    raise _Caught(request)


def _environ(request: AWSPreparedRequest) -> Environ:
    parts = urlsplit(request.url)
    body = _bytes(request.body)
    headers = {
        f"HTTP_{name.upper().replace('-', '_')}": value.decode() if isinstance(value, bytes) else value
        for name, value in request.headers.items()
    }
    return {
        **headers,
        "REQUEST_METHOD": request.method,
        "RAW_URI": f"{parts.path}?{parts.query}" if parts.query else parts.path,
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": BytesIO(body),
    }


def _bytes(body: Any) -> bytes:
    if hasattr(body, "read"):
        body = body.read()
    return body.encode() if isinstance(body, str) else bytes(body or b"")
