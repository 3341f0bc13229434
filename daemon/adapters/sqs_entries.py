"""What all calls to SQS have in common: their sizes, what one may carry, and what their answers mean."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from consumers.core import faults
from daemon.adapters.aws import code_of, fault_of
from daemon.mailbox import BATCH, Refusal

MAX_BATCH_BYTES = 1_048_576  # AWS: all messages of a SendMessageBatch together
_NOT_ALLOWED = re.compile("[^\x09\x0a\x0d\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_GONE = {"AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"}
_THROTTLED = {
    *("RequestThrottled", "ThrottlingException", "Throttling", "OverLimit"),
    *("KmsThrottled", "KMS.ThrottlingException"),
}
_KEY = ("KMS.", "Kms")  # the queue's key: a person mends it, and messages wait for that


def failed(answer: Any) -> Mapping[str, Refusal]:
    """Read the entries of a batch call that failed although the call was answered with 200."""
    return {
        entry["Id"]: Refusal(
            entry.get("Code", ""),
            entry.get("Message", ""),
            final=bool(entry.get("SenderFault")) and not _passes(entry.get("Code", "")),
        )
        for entry in answer.get("Failed", ())
    }


def _passes(code: str) -> bool:
    return code in _THROTTLED or code.startswith(_KEY)


def fitting(sizes: Sequence[int]) -> Iterator[Sequence[int]]:
    """Cut positions into runs of at most ten entries and one MiB."""
    run: list[int] = []
    total = 0
    for position, size in enumerate(sizes):
        if run and (len(run) == BATCH or total + size > MAX_BATCH_BYTES):
            yield run
            run, total = [], 0
        run.append(position)
        total += size
    if run:
        yield run


def allowed_json(body: str) -> str:
    r"""Write characters that SQS does not carry as ``\uXXXX``: within JSON they mean the same."""
    return _NOT_ALLOWED.sub(lambda found: f"\\u{ord(found.group()):04x}", body)


def printable(text: str, most: int) -> str:
    """Leave out what SQS does not carry and cut to a length in bytes, between characters."""
    plain = _NOT_ALLOWED.sub("\N{REPLACEMENT CHARACTER}", text)
    return plain.encode()[:most].decode(errors="ignore") or "unknown"


@contextmanager
def sqs_faults(call: str, subject: str) -> Iterator[None]:
    """Turn what a call to SQS raises into faults."""
    try:
        yield
    except (ClientError, BotoCoreError, UnicodeError) as error:
        raise _fault(error, call, subject) from error


def _fault(error: Exception, call: str, subject: str) -> faults.Fault:
    code = code_of(error) if isinstance(error, ClientError) else ""
    fault = fault_of(error, call, subject)
    if code in _GONE:
        return faults.Missing(fault.message, code)
    if code in _THROTTLED:
        return faults.Throttled(fault.message, code)
    if code.startswith(_KEY):
        return faults.Denied(fault.message, code)
    return fault
