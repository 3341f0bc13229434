"""The real adapter on a server that answers as the test says."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from daemon.adapters.backoff import Backoff
from daemon.adapters.local_media import MediaRoots
from daemon.adapters.s3 import S3Objects
from tests.aws import s3_client
from tests.contracts.benches import AT_ONCE
from tests.http_stub import Reply, Request, Stub, serve

THREADS = 4


def failed(code: str, status: int = 400) -> Reply:
    return Reply(status, f"<Error><Code>{code}</Code><Message>said the stub</Message></Error>".encode())


@contextmanager
def s3(
    answer: Callable[[Request], Reply], backoff: Backoff = AT_ONCE, root: Path | None = None
) -> Iterator[tuple[S3Objects, Stub]]:
    with serve(answer) as stub:
        client = s3_client(stub.url)
        roots = MediaRoots([str(root)] if root else [])
        objects = S3Objects(client, "media", THREADS, backoff, backoff, roots)
        yield objects, stub
        objects.close()
        client.close()


def in_turn(*replies: Reply) -> Callable[[Request], Reply]:
    left = iter(replies)
    return lambda _: next(left)


def always(reply: Reply) -> Callable[[Request], Reply]:
    return lambda _: reply
