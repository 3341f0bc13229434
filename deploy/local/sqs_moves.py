"""Moving messages from a dead-letter queue back to their source, which moto lacks."""

import time
import uuid
from typing import Any

from moto.core.responses import ActionResult
from moto.sqs.exceptions import InvalidParameterValue, SQSException

from deploy.local.patching import replace


def apply(models: Any, responses: Any) -> None:
    """Teach moto's SQS the three calls for message move tasks."""
    add = replace(models.Queue, "add_message", _add_message)
    models.Queue.add_message_unmarked = add
    responses.SQSResponse.start_message_move_task = start_message_move_task
    responses.SQSResponse.list_message_move_tasks = list_message_move_tasks
    responses.SQSResponse.cancel_message_move_task = cancel_message_move_task


def _add_message(queue: Any, message: Any) -> None:
    # SQS remembers where a redriven message came from; a message sent straight to the queue has no source.
    message.came_by_redrive = message.approximate_receive_count > 0
    queue.add_message_unmarked(message)


def start_message_move_task(response: Any) -> ActionResult:
    """Move everything now, and keep a record of it for ListMessageMoveTasks."""
    source_arn = response._get_param("SourceArn")
    destination_arn = response._get_param("DestinationArn")
    backend = response.sqs_backend
    dead_letters = _queue_by_arn(backend, source_arn)
    sources = backend.list_dead_letter_source_queues(dead_letters.name)
    if not sources:
        raise InvalidParameterValue("Source queue must be configured as a Dead Letter Queue.")
    target = _queue_by_arn(backend, destination_arn) if destination_arn else None
    task = _move(backend, dead_letters, target or sources[0], any_origin=target is not None)
    task |= {
        "SourceArn": source_arn,
        "MaxNumberOfMessagesPerSecond": response._get_param("MaxNumberOfMessagesPerSecond"),
    }
    if destination_arn:
        task["DestinationArn"] = destination_arn
    handle = str(uuid.uuid4())
    dead_letters.__dict__.setdefault("move_tasks", {})[handle] = task
    return ActionResult({"TaskHandle": handle})


def list_message_move_tasks(response: Any) -> ActionResult:
    """List the newest tasks of a queue, as many as asked for."""
    queue = _queue_by_arn(response.sqs_backend, response._get_param("SourceArn"))
    newest = list(queue.__dict__.get("move_tasks", {}).values())[::-1]
    limit = response._get_param("MaxResults") or 1
    return ActionResult({"Results": newest[: min(limit, 10)]})


def cancel_message_move_task(_: Any) -> ActionResult:
    """Refuse: every task has ended by the time its handle is known."""
    raise SQSException("ResourceNotFoundException", "The task with the given handle is not running.")


def _queue_by_arn(backend: Any, arn: str) -> Any:
    for queue in backend.queues.values():
        if queue.queue_arn == arn:
            return queue
    raise SQSException(
        "ResourceNotFoundException", "The resource that you specified for the SourceArn doesn't exist."
    )


def _move(backend: Any, dead_letters: Any, target: Any, *, any_origin: bool) -> dict[str, Any]:
    """Send visible messages anew (new id, new enqueue time); stop at the first without a known source."""
    moved, waiting = 0, list(dead_letters.messages)
    task = {"Status": "COMPLETED", "StartedTimestamp": int(time.time() * 1000)}
    task["ApproximateNumberOfMessagesToMove"] = len(waiting)
    for message in waiting:
        if not (any_origin or message.came_by_redrive):
            task |= {"Status": "FAILED", "FailureReason": "CouldNotDetermineMessageSource"}
            break
        with dead_letters._messages_lock:
            dead_letters._messages.remove(message)
        backend.send_message(target.name, message.body, message_attributes=message.message_attributes)
        moved += 1
    task["ApproximateNumberOfMessagesMoved"] = moved
    return task
