"""A call that is denied ends where a person looks, by the permission's name; allowed again, the work goes on.

Every action of the three consumers' roles, one at a time, on one machine. Where a row can tell it, a row
must. The log alone tells what happens to no row: polls, beats, deletions, what follows, starts, a folder of
nobody, a request before it is a batch.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from deploy.local import processes, stack
from tests.e2e import denials as do
from tests.e2e.denials import CONSUMERS, Deed, Living, Place
from tests.e2e.machine import machine
from tests.test_roles import policies

Row = tuple[str, str, Deed, str]
"""Caller, action, what needs it, and where the denial is told: a kind of row, or the name of a log line."""

NEEDS_ITS_QUEUE = {"submit": do.a_batch, "job-state": do.a_batch, "cleanup": do.a_sweep}
LOOP: list[Row] = [
    row
    for caller, consumer in CONSUMERS.items()
    for row in (
        (caller, "sqs:ReceiveMessage", NEEDS_ITS_QUEUE[caller], "log poll_failed"),
        (caller, "sqs:DeleteMessage", NEEDS_ITS_QUEUE[caller], "log deletions_fail"),
        (caller, "sqs:ChangeMessageVisibility", do.a_message_in_hand, "log visibility_not_extended"),
        (caller, "sqs:SendMessage", NEEDS_ITS_QUEUE[caller], "log follow_up_not_sent"),
        (caller, "kms:Decrypt", NEEDS_ITS_QUEUE[caller], "log poll_failed"),
        (caller, "kms:GenerateDataKey", NEEDS_ITS_QUEUE[caller], "log follow_up_not_sent"),
        (caller, "sqs:GetQueueUrl", do.a_start(consumer), "log cannot_start"),
        (caller, "sqs:GetQueueAttributes", do.a_start(consumer), "log cannot_start"),
    )
]
SUBMIT: list[Row] = [
    ("submit", "s3:ListBucket", do.a_batch, "chunk"),
    # A batch has no row before it is known that it has no plan: its message alone is there.
    ("submit", "s3:GetObject", do.a_batch, "log message_retried"),
    ("submit", "s3:PutObject", do.a_batch, "batch"),
    ("submit", "s3:AbortMultipartUpload", do.a_broken_upload, "log upload_left"),
    ("submit", "s3:ListBucketVersions", do.a_stranger, "chunk"),
    ("submit", "s3:DeleteObject", do.a_stranger, "chunk"),
    ("submit", "s3:DeleteObjectVersion", do.a_stranger, "chunk"),
    ("submit", "bedrock:CreateModelInvocationJob", do.a_batch_that_is_refused, "chunk"),
    ("submit", "iam:PassRole", do.a_batch_that_is_refused, "chunk"),
    ("submit", "bedrock:ListModelInvocationJobs", do.a_lost_answer, "chunk"),
    ("submit", "bedrock:StopModelInvocationJob", do.a_cancel, "finding job_not_stopped"),
    ("submit", "events:PutEvents", do.a_batch, "log follow_up_not_sent"),
]
JOB_STATE: list[Row] = [
    ("job-state", "bedrock:GetModelInvocationJob", do.a_batch, "finding job_not_asked"),
    ("job-state", "bedrock:ListModelInvocationJobs", do.an_open_job, "finding jobs_not_listed"),
    ("job-state", "s3:ListBucket", do.a_batch, "chunk"),
    ("job-state", "s3:GetObject", do.a_batch, "chunk"),
    ("job-state", "s3:PutObject", do.a_batch, "chunk"),
    ("job-state", "s3:ListBucketVersions", do.a_forgotten_file, "batch"),
    ("job-state", "s3:DeleteObject", do.a_forgotten_file, "batch"),
    ("job-state", "s3:DeleteObjectVersion", do.a_forgotten_file, "batch"),
    ("job-state", "events:PutEvents", do.a_batch, "log follow_up_not_sent"),
]
CLEANUP: list[Row] = [
    ("cleanup", "s3:ListBucketVersions", do.a_cleaning, "chunk"),
    ("cleanup", "s3:DeleteObject", do.a_cleaning, "chunk"),
    ("cleanup", "s3:DeleteObjectVersion", do.a_cleaning, "chunk"),
    ("cleanup", "s3:ListBucket", do.a_folder_of_nobody, "log message_retried"),
    ("cleanup", "s3:GetObject", do.a_folder_of_nobody, "log message_retried"),
    ("cleanup", "bedrock:ListModelInvocationJobs", do.a_folder_of_nobody, "log message_retried"),
]
TABLE = [*SUBMIT, *JOB_STATE, *CLEANUP, *LOOP]
SOME = [SUBMIT[2], JOB_STATE[0], CLEANUP[1]]
ELSEWHERE = {
    # The same word as submit's, on the same line of the adapter; only results beyond 8 MB are sent in parts.
    ("job-state", "s3:AbortMultipartUpload"),
}


@contextmanager
def living(folder: Path) -> Iterator[Living]:
    media = folder / "media"
    media.mkdir()
    settings = {
        "NOVABATCH_MEDIA_ROOTS": str(media),
        "NOVABATCH_LOG_FORMAT": "json",
        "NOVABATCH_CLEANUP_AFTER_SUCCESS": "false",  # it waits until it is denied
        "NOVABATCH_EVENT_BUS": "default",
    }
    with machine(folder, step_seconds=0.05, **settings) as running:
        versioning = {"Status": "Enabled"}
        running.s3.put_bucket_versioning(Bucket=stack.BUCKET, VersioningConfiguration=versioning)
        yield Living(running, media)


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Living]:
    with living(tmp_path_factory.mktemp("machine")) as made:
        yield made


def check(row: Row, lived: Living) -> None:
    """Deny, do, read, allow, and wait for the end."""
    caller, action, deed, where = row
    consumer, control = CONSUMERS[caller], lived.machine.local.server.control
    steps = deed(lived)
    next(steps)
    lived.forget_log(consumer)
    before = lived.told(consumer)
    control.deny(caller, action)
    try:
        next(steps)
        told = partial(lived.told, consumer)
        found = processes.wait_until(lambda: told_at(where, action, told() - before), 30)
        assert found, sorted(told() - before)
    finally:
        control.deny(caller)
    assert next(steps, None) is None


def told_at(where: str, action: str, told: set[Place]) -> bool:
    """Tell whether a place names the action as what is to be allowed."""
    allow = re.compile(rf"\(allow [^)]*\b{action}\b")
    return any(f"{kind} {row}".startswith(where) and allow.search(said) for kind, row, said in told)


def test_a_denial_is_told_by_name_and_the_work_goes_on_when_it_is_allowed(lived: Living) -> None:
    """Three of the table that stands below, one of each consumer."""
    for row in SOME:
        check(row, lived)


@pytest.mark.endurance
@pytest.mark.parametrize("row", TABLE, ids=[f"{caller} {action}" for caller, action, *_ in TABLE])
def test_every_permission_is_told_by_name_where_it_is_missing(row: Row, lived: Living) -> None:
    check(row, lived)


@pytest.mark.parametrize("caller", CONSUMERS)
def test_no_permission_of_a_role_is_left_out(caller: str) -> None:
    given = {grant.action for grant in policies(caller, most=True).grants()}
    here = {action for who, action, *_ in TABLE if who == caller}
    assert given - {action for who, action in ELSEWHERE if who == caller} == here
