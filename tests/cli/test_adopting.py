"""`adopt`: what can be taken in is posted, what cannot is refused at once, what is there is told."""

import json
from typing import Any

from daemon.adapters.store import SqlStore
from deploy.local import stack
from tests.cli.command_line import CommandLine
from tests.cli.queues import bodies
from tests.contracts.planting import NOW
from tests.contracts.test_store_adopting import BATCH, CHUNK, SOURCE, taken_in

FOLDER = f"s3://{stack.BUCKET}/old/"


def put_output(s3: Any) -> None:
    line = {"recordId": "file-1:combined", "error": {"errorCode": 400, "errorMessage": "no"}}
    s3.put_object(Bucket=stack.BUCKET, Key="old/a.jsonl.out", Body=json.dumps(line).encode())


def test_a_folder_is_posted_with_the_model_whose_price_counts(cloud: CommandLine, s3: Any, sqs: Any) -> None:
    put_output(s3)
    assert cloud.ok("adopt", FOLDER, "--model", "nova-2-lite").strip() == f"adopt:{FOLDER}"
    [body] = bodies(sqs, stack.STATE_QUEUE)
    assert body == {"version": 1, "type": "adopt_job", "source": FOLDER, "model": "nova-2-lite"}


def test_what_cannot_be_taken_in_is_refused_at_once(cloud: CommandLine, s3: Any, sqs: Any) -> None:
    put_output(s3)
    unknown = "arn:aws:bedrock:us-east-1:123456789012:model-invocation-job/aaaabbbbcccc"
    for words, said in (
        ([FOLDER, "--model", "nova-9"], "unknown_model"),
        (["s3://elsewhere/old/"], "forbidden_bucket"),
        ([f"s3://{stack.BUCKET}/nothing/"], "no_output"),
        (["old/"], 'Field "source"'),
        ([unknown], "job"),
    ):
        assert said in cloud.refused("adopt", *words)
    assert bodies(sqs, stack.STATE_QUEUE) == []


def test_what_is_taken_in_already_is_told_and_never_retried(cli: CommandLine, sqlite_store: SqlStore) -> None:
    held = taken_in(sqlite_store)
    sqlite_store.end_adopting(held, CHUNK.chunk_id, 0, None, "nothing is bought", NOW)
    sqlite_store.release(held)
    assert "taken in already" in cli.ok("adopt", SOURCE)
    told = cli.document("status", BATCH.batch_id)
    chunk = told["chunks"][0]
    assert (told["state"], chunk["state"], chunk["job_arn"]) == ("RUNNING", "ENDED", None)
    assert BATCH.batch_id in cli.ok("status", BATCH.batch_id)
    assert "taken in" in cli.refused("retry", BATCH.batch_id)
