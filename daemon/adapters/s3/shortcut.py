"""A shorter way for CopyObject, the one call made for every file.

More than half of the processor time of a copy goes into the general transport of botocore. Here botocore
builds and signs the request as ever, but it is sent over plain connections of our own, and the answer is read
for what a copy needs. Whatever is not a clear answer is left to botocore, which sends the request again: to
copy twice does no harm.
"""

import re
import socket
import ssl
from collections import defaultdict, deque
from contextlib import ExitStack
from functools import cached_property
from html import unescape
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit

import botocore.session
from botocore.awsrequest import create_request_object
from botocore.httpsession import get_cert_path
from botocore.utils import get_environ_proxies

from daemon.adapters.aws import CONNECT_TIMEOUT, READ_TIMEOUT

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

Answer = tuple[SimpleNamespace, dict[str, Any]]

_CLEAR = frozenset({200, 403, 404, 412, 500, 503})
_COPIED = b"<CopyObjectResult"
_CODE = re.compile(rb"<Code>([^<]+)</Code>")
_MESSAGE = re.compile(rb"<Message>([^<]*)</Message>")


class Shortcut:
    """Answers CopyObject in place of a client's own transport, as botocore's Stubber does in tests.

    Not where a proxy stands between: that is botocore's to deal with.
    """

    def __init__(self, client: "S3Client") -> None:
        self._events: Any = client.meta.events
        self._idle: dict[tuple[str, str], deque[HTTPConnection]] = defaultdict(deque)
        if not get_environ_proxies(client.meta.endpoint_url):
            # Behind all others: they change the request, or note its beginning.
            self._events.register_last("before-call", self._answer)

    def close(self) -> None:
        """Leave the calls to the client again, and end the connections."""
        self._events.unregister("before-call", self._answer)
        for idle in self._idle.values():
            while idle:
                idle.pop().close()

    def _answer(self, model: Any, params: dict[str, Any], request_signer: Any, **_: Any) -> Any:
        """Return status and parsed answer, or None to let the client send the request itself."""
        if model.name != "CopyObject":
            return None
        request = create_request_object(params)
        request_signer.sign(model.name, request)
        try:
            status, body = self._send(request.method, urlsplit(request.url), dict(request.headers.items()))
        except (OSError, HTTPException):
            return None
        return _read(status, body)

    def _send(self, method: str, url: SplitResult, headers: dict[str, str]) -> tuple[int, bytes]:
        idle = self._idle[url.scheme, url.netloc]
        try:
            connection = idle.pop()
        except IndexError:
            connection = self._connect(url)
        with ExitStack() as unless_kept:
            unless_kept.callback(connection.close)
            connection.request(method, url.path, headers=headers)
            response = connection.getresponse()
            body = response.read()
            if not response.will_close:
                unless_kept.pop_all()
                idle.append(connection)
        return response.status, body

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        """Trust whom botocore trusts."""
        bundle = botocore.session.Session().get_config_variable("ca_bundle")
        return ssl.create_default_context(cafile=get_cert_path(bundle or True))

    def _connect(self, url: SplitResult) -> HTTPConnection:
        host, port = url.hostname or "", url.port
        connection = (
            HTTPSConnection(host, port, timeout=CONNECT_TIMEOUT, context=self._tls)
            if url.scheme == "https"
            else HTTPConnection(host, port, timeout=CONNECT_TIMEOUT)
        )
        connection.connect()
        connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        connection.sock.settimeout(READ_TIMEOUT)
        return connection


def _read(status: int, body: bytes) -> Answer | None:
    """Tell what S3 answered, in botocore's shape; None where botocore should look for itself.

    A 200 answer may hold an error (AWS: CopyObject), which botocore takes for a 500.
    """
    if status == 200 and _COPIED in body:
        return _told(200)
    code, message = _CODE.search(body), _MESSAGE.search(body)
    if status not in _CLEAR or code is None:
        return None
    error = {"Code": _text(code), "Message": _text(message) if message else ""}
    return _told(500 if status == 200 else status, Error=error)


def _told(status: int, **parsed: Any) -> Answer:
    return SimpleNamespace(status_code=status, headers={}), {
        **parsed,
        "ResponseMetadata": {"HTTPStatusCode": status},
    }


def _text(found: re.Match[bytes]) -> str:
    return unescape(found.group(1).decode("utf-8", "replace"))
