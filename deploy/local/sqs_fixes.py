"""What moto's SQS gets wrong or does slowly, mended."""

import json
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from moto.core.utils import camelcase_to_underscores
from moto.sqs import models, responses
from moto.sqs.constants import MAXIMUM_VISIBILITY_TIMEOUT
from moto.sqs.exceptions import InvalidParameterValue, ReceiptHandleIsInvalid, SQSException

from deploy.local import sqs_moves
from deploy.local.patching import original, replace

NOT_ALLOWED = re.compile("[^\x09\x0a\x0d\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class QueueAttributes(Mapping[str, Any]):
    """A queue's attributes, each worked out when it is asked for: the counts walk all messages."""

    def __init__(self, queue: Any) -> None:
        self._queue = queue
        names = list(queue.BASE_ATTRIBUTES)
        if queue.fifo_queue:
            names += queue.FIFO_ATTRIBUTES
        if queue.kms_master_key_id:
            names += queue.KMS_ATTRIBUTES
        self._names = names

    def __getitem__(self, name: str) -> Any:
        """Return one attribute, booleans as SQS writes them."""
        if name not in self._names:
            raise KeyError(name)
        if name == "RedrivePolicy":
            return self._queue.redrive_policy and json.dumps(self._queue.redrive_policy)
        value = getattr(self._queue, camelcase_to_underscores(name))
        return str(value).lower() if isinstance(value, bool) else value

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def unix_time(_: object = None) -> float:
    """Return the time without building two datetimes for every message of a queue."""
    return time.time()


def unix_time_millis(_: object = None) -> float:
    """Return the time in milliseconds."""
    return time.time() * 1000.0


def delete_message(queue: Any, receipt_handle: str) -> None:
    """Delete by the newest handle only; a superseded handle is accepted and deletes nothing."""
    with queue._messages_lock:
        if receipt_handle in queue.deleted_messages:
            return
        message = _find(queue, receipt_handle)
        if message.receipt_handle != receipt_handle:
            return
        queue._messages.remove(message)
        queue.pending_messages.discard(message)
        queue.deleted_messages.update(message.all_receipt_handles)


def change_message_visibility(
    backend: Any, queue_name: str, receipt_handle: str, visibility_timeout: int
) -> None:
    """Change the visibility within 12 hours of the first receive, by the handle that holds the message."""
    queue = backend.get_queue(queue_name)
    with queue._messages_lock:
        message = _find(queue, receipt_handle)
        if message.receipt_handle != receipt_handle or message.visible:
            raise InvalidParameterValue(
                f"Value {receipt_handle} for parameter ReceiptHandle is invalid. Reason: "
                "Message does not exist or is not available for visibility timeout change."
            )
        until = unix_time_millis() + int(visibility_timeout) * 1000
        if until - message.approximate_first_receive_timestamp > MAXIMUM_VISIBILITY_TIMEOUT * 1000:
            raise InvalidParameterValue(
                f"Value {visibility_timeout} for parameter VisibilityTimeout is invalid. Reason: Total "
                "VisibilityTimeout for the message is beyond the limit [43200 seconds]"
            )
        message.visible_at = until
        if int(visibility_timeout) == 0:
            queue.pending_messages.discard(message)
            queue._messages_lock.notify_all()


def return_messages(backends: Iterable[Any], queue_name: str) -> int:
    """Make a queue's messages visible that somebody has received, as if their time were over; count them."""
    returned = 0
    for queue in [backend.queues[queue_name] for backend in backends if queue_name in backend.queues]:
        with queue._messages_lock:
            hidden = [message for message in queue._messages if not message.visible]
            for message in hidden:
                message.visible_at = 0
                queue.pending_messages.discard(message)
            queue._messages_lock.notify_all()
            returned += len(hidden)
    return returned


def change_message_visibility_batch(
    backend: Any, queue_name: str, entries: list[dict[str, Any]]
) -> tuple[list[str], list[dict[str, Any]]]:
    """Change each entry on its own: one that is refused is reported and stops no other."""
    done, failed = [], []
    for entry in entries:
        try:
            seconds = int(entry["VisibilityTimeout"])
            if not 0 <= seconds <= MAXIMUM_VISIBILITY_TIMEOUT:
                raise InvalidParameterValue(f"Value {seconds} for parameter VisibilityTimeout is invalid.")
            change_message_visibility(backend, queue_name, entry["ReceiptHandle"], seconds)
            done.append(entry["Id"])
        except SQSException as error:
            failed.append(
                {"Id": entry["Id"], "SenderFault": True, "Code": error.code, "Message": error.message}
            )
    return done, failed


def within_retention(backend: Any, queue_name: str, message: Any) -> bool:
    """Tell whether a message is younger than its queue's retention, without reading every attribute."""
    queue = backend.get_queue(queue_name)
    return bool(queue.message_retention_period + message.sent_timestamp / 1000 > unix_time())


def check_body(queue: Any, body: str, attributes: Mapping[str, Mapping[str, Any]]) -> None:
    """Refuse characters SQS does not carry, and messages whose body and attributes are too long in bytes."""
    if NOT_ALLOWED.search(body):
        raise SQSException(
            "InvalidMessageContents", "The message contains characters outside the allowed set."
        )
    size = len(body.encode())
    for name, value in attributes.items():
        content = value.get("StringValue") or value.get("BinaryValue") or ""
        size += (
            len(name)
            + len(value.get("DataType", ""))
            + len(content if isinstance(content, bytes) else content.encode())
        )
    if size > queue.maximum_message_size:
        raise InvalidParameterValue(
            "One or more parameters are invalid. "
            f"Reason: Message must be shorter than {queue.maximum_message_size} bytes."
        )


def _find(queue: Any, receipt_handle: str) -> Any:
    for message in queue._messages:
        if message.had_receipt_handle(receipt_handle):
            return message
    raise ReceiptHandleIsInvalid()


def apply() -> None:
    """Replace the faulty parts of moto's SQS in this process."""
    replace(models, "unix_time", unix_time)
    replace(models, "unix_time_millis", unix_time_millis)
    replace(models.Queue, "attributes", property(QueueAttributes))
    replace(models.Queue, "delete_message", delete_message)
    original(models.Queue, "BASE_ATTRIBUTES")
    backend = models.SQSBackend
    replace(backend, "change_message_visibility", change_message_visibility)
    replace(backend, "change_message_visibility_batch", change_message_visibility_batch)
    replace(backend, "is_message_valid_based_on_retention_period", within_retention)
    _check_before_sending(backend)
    _receive_under_the_lock(backend)
    sqs_moves.apply(models, responses)


def _check_before_sending(backend: Any) -> None:
    send = original(backend, "send_message")

    def send_message(self: Any, queue_name: str, message_body: str, **rest: Any) -> Any:
        check_body(self.get_queue(queue_name), message_body, rest.get("message_attributes") or {})
        return send(self, queue_name, message_body, **rest)

    replace(backend, "send_message", send_message)


def _receive_under_the_lock(backend: Any) -> None:
    """Keep two receivers from taking one message, and a deletion from losing a message just sent.

    The lock is the queue's own condition: waiting for messages releases it.
    """
    receive = original(backend, "receive_message")

    def receive_message(self: Any, queue_name: str, *args: Any, **rest: Any) -> Any:
        with self.get_queue(queue_name)._messages_lock:
            return receive(self, queue_name, *args, **rest)

    replace(backend, "receive_message", receive_message)
