"""Faults that make alerts fire, switched on in a running machine, and their cures."""

import json
from datetime import UTC, datetime, timedelta

from consumers.core import layout
from deploy.local import processes, stack
from tests.e2e.crowd import steer
from tests.e2e.sites import Site

DENIED = {"service": "s3", "code": "AccessDenied", "status": 403}
BUSY = {"service": "s3", "operation": "HeadObject", "code": "SlowDown"}
BYTES = 160_000_000_000
FOUR_DAYS = 4 * 86_400
STRANGE = f"{layout.INPUT_ROOT}job_20260101_000000_abcdef_000/files/large.mov"
LATE, LATE_SECONDS, ON_TIME = 15, 7.0, 100


def post(site: Site, label: str, count: int = 3, model: str = "nova-2-lite") -> str:
    """Post a batch of small files; returns the mark of it in names of jobs and folders."""
    return site.machine.post(label, site.machine.originals(label, count), model=model)[1:7]


# ── consumers and their polls ──


def take_a_consumer_away(site: Site) -> None:
    site.kill("cleanup")


def bring_it_back(site: Site) -> None:
    site.start("cleanup")


def hang_the_polls_of_one(site: Site) -> None:
    site.add_calls({"operation": "ReceiveMessage", "caller": "wedged", "hold": "before"})


def refuse_the_polls(site: Site) -> None:
    site.add_calls({"operation": "ReceiveMessage", "caller": "cleanup", "code": "InternalError"})


def leave_messages_lying(site: Site) -> None:
    """Let SQS refuse polls for a while; what was sent meanwhile is received late."""
    site.add_calls({"operation": "ReceiveMessage", "caller": "submit", "code": "InternalError"})
    site.send(stack.SUBMIT_QUEUE, *["{}"] * LATE)
    processes.wait_until(lambda: False, LATE_SECONDS)
    site.control.clear_faults()


def send_what_is_received_in_time(site: Site) -> None:
    site.send(stack.STATE_QUEUE, *[json.dumps(FOREIGN)] * ON_TIME)


FOREIGN = {
    "version": "0",
    "id": "1",
    "detail-type": "Batch Inference Job State Change",
    "source": "aws.bedrock",
    "account": "999999999999",
    "time": "2026-11-28T00:00:00Z",
    "region": stack.REGION,
    "resources": [],
    "detail": {
        "batchJobName": "novabatch-000000-000-000000",
        "batchJobArn": f"arn:aws:bedrock:{stack.REGION}:999999999999:model-invocation-job/abcdefghijkl",
        "status": "Completed",
    },
}


# ── messages ──


def send_what_can_never_work(site: Site) -> None:
    site.send(stack.SUBMIT_QUEUE, "{}")


def send_it_again_and_again(site: Site) -> None:
    site.send(stack.SUBMIT_QUEUE, *["{}"] * 15)


def empty_the_dead_letters(site: Site) -> None:
    site.machine.sqs.purge_queue(QueueUrl=site.url(f"{stack.SUBMIT_QUEUE}-dlq"))


def keep_a_message_failing(site: Site) -> None:
    """Let a request fail at its first look into S3, in a queue that keeps messages for 160 s."""
    keep_messages(site, 160)
    site.add_calls({**BUSY, "match": f"{layout.batch_id('old')}/plan.jsonl"})
    post(site, "old")


def let_it_work(site: Site) -> None:
    keep_messages(site, FOUR_DAYS)
    bring_messages_back(site)


def keep_messages(site: Site, seconds: int) -> None:
    attributes = {"MessageRetentionPeriod": str(seconds)}
    site.machine.sqs.set_queue_attributes(QueueUrl=site.url(stack.SUBMIT_QUEUE), Attributes=attributes)


def keep_s3_busy(site: Site) -> None:
    site.add_calls(BUSY)
    for number in range(6):
        post(site, f"busy-{number}")


def bring_messages_back(site: Site) -> None:
    site.control.return_messages(stack.SUBMIT_QUEUE)


def hold_a_copy(site: Site) -> None:
    mark = layout.batch_id("held")[1:7]
    site.add_calls({"operation": "CopyObject", "match": f"_{mark}_", "hold": "before"})
    post(site, "held")


def lose_a_lease(site: Site) -> None:
    """Let reading an output take longer than a message stays hidden, with every extension refused."""
    mark = layout.batch_id("slow")[1:7]
    site.add_calls(
        {"operation": "ChangeMessageVisibilityBatch", "caller": "job_state", "code": "InternalError"},
        {"operation": "GetObject", "match": f"_{mark}_.*[.]out", "latency": 6.0, "count": 1},
    )
    post(site, "slow")


# ── jobs, results, money ──


def fail_all_jobs_of_a_model(site: Site) -> None:
    mark = layout.batch_id("refused")[1:7]
    why = "The provided role has no access to the S3 bucket"
    site.control.add_faults(jobs=[{"name": mark, "outcome": "Failed", "state": "Validating", "message": why}])
    post(site, "refused", 9, "nova-pro")


def resume(site: Site) -> None:
    steer(site.machine, "resume")


def hide_an_output(site: Site) -> None:
    """Deny an output whose records Get counts as processed."""
    mark = layout.batch_id("hidden")[1:7]
    site.add_calls({**DENIED, "operation": "GetObject", "match": f"_{mark}_.*[.]out"})
    post(site, "hidden")


def read_it_after_all(site: Site) -> None:
    site.send(stack.SUBMIT_QUEUE, json.dumps({"type": "retry_batch", "request_id": "hidden"}))


def deny_deleting(site: Site) -> None:
    site.add_calls({**DENIED, "operation": "DeleteObjects", "fail_entries": "."})
    post(site, "kept")


def deny_the_list_of_jobs(site: Site) -> None:
    site.add_calls({"operation": "ListModelInvocationJobs", "code": "AccessDeniedException"})


def keep_jobs_open(site: Site) -> None:
    """Let no job end but those of the other trials."""
    others = "|".join(layout.batch_id(label)[1:7] for label in ("kept", "slow"))
    site.control.add_faults(
        jobs=[{"name": f"^novabatch-(?!{others})", "outcome": "stuck", "state": "InProgress"}]
    )


def post_more(site: Site) -> None:
    """Post a batch every few seconds."""
    number = len(site.machine.posted)
    if number < 6 or datetime.now(UTC).second % 4 == 0:
        post(site, f"more-{number}")


def lose_all_events(site: Site) -> None:
    site.control.add_faults(events={"drop_events": 1.0})


def post_one(site: Site) -> None:
    """Post a batch of one job, each time it is asked for."""
    post(site, f"one-{len(site.machine.posted)}")


def forget_the_models(site: Site) -> None:
    """Let a model end in ten days, and the price of another be known for 200."""
    today = datetime.now(UTC).date()
    usd = dict.fromkeys(
        [f"{kind}_per_million" for kind in ("input", "output", "on_demand_input", "on_demand_output")], 1
    )
    models = [
        {"id": "us.amazon.nova-micro-v1:0", "ends_on": str(today + timedelta(days=10))},
        {"id": "us.amazon.nova-lite-v1:0", "prices": [{**usd, "since": str(today - timedelta(days=200))}]},
    ]
    file = site.machine.local.directory / "models.json"
    file.write_text(json.dumps({"models": models}))
    site.restart("job_state", MODELS_FILE=str(file))


def mend_the_models(site: Site) -> None:
    site.restart("job_state", MODELS_FILE="")


def fill_temporary_folders(site: Site) -> None:
    """Put an object that claims to be large where nobody cleans; it is measured when a process starts."""
    measured = 'max(novabatch_storage_bytes{area="unowned"} offset 20s) == 0'
    assert processes.wait_until(lambda: bool(site.server.query(measured)), 60)
    size = {"fake-size": str(BYTES)}
    site.machine.s3.put_object(Bucket=stack.BUCKET, Key=STRANGE, Body=b"", Metadata=size)
    site.restart("job_state")


def empty_them(site: Site) -> None:
    site.machine.s3.delete_object(Bucket=stack.BUCKET, Key=STRANGE)


def spend_the_budget_of_a_batch(site: Site) -> None:
    """Post a file that is much larger than its sender said."""
    [file] = site.machine.originals("larger", 1)
    size = {"fake-size": "900000000"}
    site.machine.s3.put_object(Bucket=stack.BUCKET, Key=file["s3_key"], Body=b"large", Metadata=size)
    batch_id = site.machine.post("larger", [{**file, "size_bytes": 1}], budget_usd="0.02")
    site.machine.wait_for_end([batch_id], 60)


def spend_the_budget(site: Site) -> None:
    """Set a day's budget that is nearly used already."""
    committed = "max(novabatch_day_committed_usd) > 0"
    assert processes.wait_until(lambda: bool(site.server.query(committed)), 30)
    ((_, usd),) = site.server.query(committed)
    site.restart("submit", "job_state", BUDGET_USD_PER_DAY=f"{usd * 1.05:.9f}")


def raise_the_budget(site: Site) -> None:
    site.restart("submit", "job_state", BUDGET_USD_PER_DAY="")


def keep_a_job_open(site: Site) -> None:
    site.control.add_faults(jobs=[{"outcome": "stuck", "state": "InProgress"}])
    post(site, "stuck")


def stop_the_reconciler(site: Site) -> None:
    site.kill("job_state")


def start_the_reconciler(site: Site) -> None:
    site.start("job_state")
