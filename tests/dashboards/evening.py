"""What else can go wrong, one after another; at the end a job hangs, its model is paused, a consumer gone."""

import json
from typing import Any

from deploy.local import stack
from deploy.local.demo.command import ask
from tests.dashboards.days import Watched

FILES = ({"file_id": 1, "s3_key": "proxy_video/not there.mov"},)
CIRCUIT_OPENS_AFTER = 5
JOBS_UNHEARD = 8
DRAINED = 'sum(novabatch_queue_messages{queue="submit", dlq="false"}) == 0'


def worsen(watched: Watched) -> None:
    """Let all of it happen."""
    lose_events(watched)
    fail_polls_and_deletions(watched)
    lose_a_lease(watched)
    open_the_circuit(watched)
    give_back_at_a_stop(watched)
    poison(watched)
    hang(watched)


def post(watched: Watched, label: str, *keys: str) -> None:
    """Post a request for objects of the demo, bought anew."""
    files = [{"file_id": n, "s3_key": key} for n, key in enumerate(keys, 1)]
    options = {"reuse": "never"}
    request = {"request_id": label, "model": "nova-2-lite", "files": files or list(FILES), "options": options}
    watched.send(stack.SUBMIT_QUEUE, json.dumps(request))


def original(watched: Watched) -> str:
    """Return the key of one of the demo's objects."""
    s3 = stack.client("s3", watched.local.server.url)
    return str(s3.list_objects_v2(Bucket=stack.BUCKET, Prefix="proxy_video/")["Contents"][0]["Key"])


def lose_events(watched: Watched) -> None:
    """Have several jobs run of which no event tells."""
    control = watched.local.server.control
    control.add_faults(events={"drop_events": 1.0})
    for number in range(JOBS_UNHEARD):
        post(watched, f"unheard-{number}", original(watched))
    watched.wait(f'sum(novabatch_reconcile_actions_total{{action="event_missed"}}) >= {JOBS_UNHEARD}')
    watched.wait('novabatch_batches{state="RUNNING"} == 0')
    control.clear_faults()


def fail_polls_and_deletions(watched: Watched) -> None:
    """Have SQS be slow with deletions, then refuse them, then refuse polls."""
    slow = {"operation": "DeleteMessageBatch", "latency": 3}
    post_among(watched, "slow", slow, 'max(novabatch_consumer_ack_buffer{queue="submit"}) > 0')
    refused = {"operation": "DeleteMessageBatch", "fail_entries": "."}
    post_among(watched, "kept", refused, 'novabatch_consumer_acks_total{queue="submit", result="failed"} > 0')
    deaf = {"operation": "ReceiveMessage", "code": "InternalError", "status": 500}
    post_among(watched, "deaf", deaf, 'novabatch_consumer_receives_total{queue="submit", result="error"} > 3')


def post_among(watched: Watched, label: str, fault: dict[str, Any], seen: str) -> None:
    """Post requests while a fault lasts, and end it once it is seen."""
    watched.local.server.control.add_faults(calls=[fault])
    for number in range(4):
        post(watched, f"{label}-{number}")
    watched.wait(seen)
    watched.local.server.control.clear_faults()


def lose_a_lease(watched: Watched) -> None:
    """Keep a handler busy while nobody can prolong its message."""
    control = watched.local.server.control
    control.add_faults(
        calls=[
            {"operation": "CopyObject", "latency": 15},
            {"operation": "ChangeMessageVisibilityBatch", "code": "InternalError", "status": 500},
        ]
    )
    post(watched, "lost", original(watched))
    watched.wait('novabatch_consumer_leases_lost_total{queue="submit"} > 0', 90)
    control.clear_faults()


def open_the_circuit(watched: Watched) -> None:
    """Take S3 away from the submit consumer until it rests."""
    control = watched.local.server.control
    control.add_faults(calls=[{"service": "s3", "code": "InternalError", "status": 500}])
    for number in range(CIRCUIT_OPENS_AFTER + 1):
        post(watched, f"down-{number}")
    watched.wait('novabatch_consumer_circuit_state{dependency="submit"} == 1', 90)
    control.clear_faults()
    watched.wait('novabatch_consumer_circuit_state{dependency="submit"} == 0', 90)


def give_back_at_a_stop(watched: Watched) -> None:
    """Stop the submit consumer at work, and send it something while it drains."""
    watched.wait(DRAINED)
    control = watched.local.server.control
    control.add_faults(calls=[{"operation": "CopyObject", "latency": 6}])
    post(watched, "draining", original(watched))
    watched.wait('novabatch_consumer_inflight_messages{queue="submit"} > 0')
    watched.stop("submit", lambda: post(watched, "too-late"))
    control.clear_faults()
    watched.start("submit")
    watched.settle()
    watched.wait(DRAINED)


def poison(watched: Watched) -> None:
    """Send what can never work."""
    watched.send(stack.SUBMIT_QUEUE, "{}")
    watched.wait('novabatch_queue_messages{queue="submit", dlq="true", state="visible"} > 0')


def hang(watched: Watched) -> None:
    """Leave one job open that nobody may list, its model paused, one consumer gone and a message for it."""
    watched.local.server.control.add_faults(jobs=[{"outcome": "stuck", "state": "InProgress"}])
    post(watched, "stuck", original(watched))
    watched.wait('max by (state) (novabatch_chunks{state="IN_PROGRESS"}) > 0')
    watched.local.server.control.add_faults(
        calls=[{"operation": "ListModelInvocationJobs", "code": "AccessDeniedException"}]
    )
    watched.wait('novabatch_findings{kind="jobs_not_listed"} > 0')
    ask(watched.local.consumer_environment(), "pause", "submit")
    watched.kill("cleanup")
    watched.send(stack.CLEANUP_QUEUE, json.dumps({"type": "sweep", "older_than_days": 7, "dry_run": True}))
    watched.wait('novabatch_queue_messages{queue="cleanup", dlq="false", state="visible"} > 0')
    watched.settle()
