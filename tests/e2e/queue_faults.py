"""Faults of the queues and of who reads them, switched on in a running machine, and their cures."""

import json

from consumers.core import layout
from deploy.local import stack
from tests.e2e.alert_faults import FOREIGN, post
from tests.e2e.sites import Site

SLOW_SECONDS, MANY = 3.0, 600
HIDDEN, HIDDEN_SECONDS = 100, 900
PATIENT = "10"
DRY = json.dumps({"type": "sweep", "older_than_days": 7, "dry_run": True})


def refuse_deletions(site: Site) -> None:
    """Let SQS refuse to delete what cleanup has done."""
    site.add_calls({"operation": "DeleteMessageBatch", "caller": "cleanup", "code": "InternalError"})
    site.send(stack.CLEANUP_QUEUE, *[DRY] * 20)


def give_them_out_again(site: Site) -> None:
    """Let SQS deliver a second time what is received and not deleted."""
    site.control.return_messages(stack.CLEANUP_QUEUE)


def refuse_extensions(site: Site) -> None:
    """Let requests take longer than a message stays hidden, with every extension refused."""
    for label in ("hidden-1", "hidden-2", "hidden-3"):
        site.add_calls({"match": f"{layout.batch_id(label)}/plan.jsonl", "hold": "before"})
        post(site, label)
    site.add_calls({"operation": "ChangeMessageVisibilityBatch", "caller": "submit", "code": "InternalError"})


def slow_down_the_polls(site: Site) -> None:
    """Let each poll take seconds while hundreds of messages wait."""
    site.add_calls({"operation": "ReceiveMessage", "caller": "job_state", "latency": SLOW_SECONDS})
    site.send(stack.STATE_QUEUE, *[json.dumps(FOREIGN)] * MANY)


def take_and_never_delete(site: Site) -> None:
    """Be the reader of a queue that keeps what it receives, while those who should read it cannot."""
    site.add_calls({"operation": "ReceiveMessage", "caller": "cleanup", "code": "InternalError"})
    site.send(stack.CLEANUP_QUEUE, *[DRY] * HIDDEN)
    wanted = {"MaxNumberOfMessages": 10, "WaitTimeSeconds": 0, "VisibilityTimeout": HIDDEN_SECONDS}
    while "Messages" in site.machine.sqs.receive_message(QueueUrl=site.url(stack.CLEANUP_QUEUE), **wanted):
        pass


def give_back_what_was_taken(site: Site) -> None:
    site.control.return_messages(stack.CLEANUP_QUEUE)


def poll_without_patience(site: Site) -> None:
    site.restart("cleanup", RECEIVE_WAIT="1")


def poll_with_patience(site: Site) -> None:
    site.restart("cleanup", RECEIVE_WAIT=PATIENT)


def leave_one_behind(site: Site) -> None:
    """Let a process of another version go on beside the others."""
    site.restart_as("cleanup", "0.0.1")


def bring_it_up_to_date(site: Site) -> None:
    site.restart_as("cleanup")
