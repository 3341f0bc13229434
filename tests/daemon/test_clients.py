"""The clients of SQS as a process makes them: their timeouts, their connections, their credentials."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from consumers.core.faults import PassingFault
from daemon.adapters import sqs
from daemon.adapters.sqs import SqsMailbox
from daemon.settings import Role, load
from daemon.wiring import wire
from tests.contracts.local_aws import LocalAws
from tests.daemon.test_wiring import QUEUES, settings_for
from tests.http_stub import Reply, Request, serve

EXPIRED = b'{"__type": "com.amazonaws.sqs#ExpiredTokenException", "message": "The token has expired."}'
PROCESS = """
import datetime, json, pathlib, sys
times = pathlib.Path(sys.argv[1])
times.write_text(times.read_text() + "x" if times.exists() else "x")
ends = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=60)
print(json.dumps({"Version": 1, "AccessKeyId": f"KEY{len(times.read_text())}", "SecretAccessKey": "s",
                  "SessionToken": "t", "Expiration": ends.isoformat()}))
"""


def mailboxes(emulator: LocalAws, folder: Path, **settings: str) -> list[SqsMailbox]:
    """Wire a process with all three roles; return the mailboxes of its loops."""
    for name in QUEUES:
        emulator.sqs.create_queue(QueueName=name)
    with settings_for(
        emulator.url,
        NOVABATCH_BUCKET=emulator.bucket,
        NOVABATCH_ROLE_ARN="arn:aws:iam::123456789012:role/r",
        NOVABATCH_DATABASE_URL=f"sqlite:///{folder / 'x.db'}",
        **settings,
    ):
        app = wire(load(), list(Role))
    try:
        found = [worker.poller.mailbox for worker in app.workers]
        return [each for each in found if isinstance(each, SqsMailbox)]
    finally:
        app.close()


@pytest.mark.parametrize(("visibility", "wait"), [(8, 1), (30, 20), (120, 20), (43_200, 20)])
def test_calls_end_soon_enough_to_be_repeated_before_a_message_is_lost(
    emulator: LocalAws, tmp_path: Path, visibility: int, wait: int
) -> None:
    """L12: a poll is waited for longer than it lasts; a beat that hangs ends early enough."""
    settings = {
        "NOVABATCH_VISIBILITY_TIMEOUT": str(visibility),
        "NOVABATCH_RECEIVE_WAIT": str(wait),
        "NOVABATCH_DRAIN_SECONDS": "60",
    }
    for mailbox in mailboxes(emulator, tmp_path, **settings):
        longer = told(mailbox.poller, "read_timeout") - wait
        assert 0 < longer <= max(2, visibility / 4)
        assert told(mailbox.client, "read_timeout") <= max(2, visibility / 4)


def test_every_thread_of_a_process_has_a_connection(emulator: LocalAws, tmp_path: Path) -> None:
    """K8: handlers, beats, burials and deletions of all loops; polls have a client of their own."""
    for mailbox in mailboxes(emulator, tmp_path, NOVABATCH_CONCURRENCY="11"):
        assert mailbox.client is not mailbox.poller
        assert told(mailbox.client, "max_pool_connections") >= 3 * 11 + 3 * 3
        assert told(mailbox.poller, "max_pool_connections") >= 3


def told(client: Any, name: str) -> float:
    """Return a value of a client's configuration."""
    return float(getattr(client.meta.config, name))


def test_credentials_that_have_expired_are_fetched_anew_and_end_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """K6: a passing fault each time; the client signs with whatever its provider says now."""
    process, config = tmp_path / "process.py", tmp_path / "config"
    process.write_text(PROCESS)
    config.write_text(f"[default]\ncredential_process = {sys.executable} {process} {tmp_path / 'times'}\n")
    keys: list[str] = []

    def answer(request: Request) -> Reply:
        keys.append(request.headers["Authorization"].partition("Credential=")[2].partition("/")[0])
        known = json.dumps({"Messages": []}).encode()
        return Reply(403, EXPIRED) if len(keys) <= 3 else Reply(200, known)

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    with serve(answer) as stub:
        monkeypatch.setenv("AWS_ENDPOINT_URL", stub.url)
        client = sqs.make_client(0, 1, "us-east-1")
        mailbox = SqsMailbox(client, f"{stub.url}/123456789012/q", client)
        for _ in range(3):
            with pytest.raises(PassingFault):
                mailbox.receive(10, 0, 60)
        assert mailbox.receive(10, 0, 60) == []
        client.close()
    assert len(set(keys)) == 4
