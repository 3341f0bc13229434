"""The local AWS as tests speak of it."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from botocore.config import Config

from deploy.local import processes, stack
from deploy.local.control import Control
from deploy.local.stack import Stack

MODEL = "us.amazon.nova-2-lite-v1:0"
TERMINAL = ("Completed", "PartiallyCompleted", "Failed", "Stopped", "Expired")
SUMMARY_PROMPT = 'Summarise it. Answer with {"text": "…", "depth": "brief", "language": "en"}.'
FOLDER = "nova_batch/job_1/"
OUTPUT = "nova/batch/output/job_1/"
AS_GIVEN = Config(retries={"total_max_attempts": 1}, parameter_validation=False)


def until(condition: Callable[[], Any], seconds: float = 10) -> Any:
    """Return the condition's first true value."""
    found: list[Any] = []

    def holds() -> bool:
        value = condition()
        found.append(value)
        return bool(value)

    assert processes.wait_until(holds, seconds), f"still not so after {seconds} s: {found[-1]!r}"
    return found[-1]


@dataclass
class LocalAws:
    """Clients of the server, and short ways to say common things."""

    url: str
    control: Control
    s3: Any
    sqs: Any
    events: Any
    bedrock: Any
    bucket: str = stack.BUCKET
    _wired: Stack | None = field(default=None, init=False)

    def reset(self) -> None:
        """Begin with nothing but a bucket: most tests need no more."""
        self.control.reset()
        self._wired = None
        self.s3.create_bucket(Bucket=self.bucket)

    def wire(self) -> Stack:
        """Make the queues and the rule, before the first event that is to be delivered."""
        if self._wired is None:
            self._wired = stack.create(self.url)
        return self._wired

    def put(
        self, key: str, body: bytes | str = b"abcd", kind: str = "video/mp4", size: int | None = None
    ) -> str:
        metadata = {} if size is None else {"fake-size": str(size)}
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=body, ContentType=kind, Metadata=metadata)
        return f"s3://{self.bucket}/{key}"

    def put_manifest(self, records: list[dict[str, Any]], name: str = "manifest.jsonl") -> None:
        lines = "".join(json.dumps(record) + "\n" for record in records)
        self.put(FOLDER + name, lines, "application/jsonl")

    def request(self, name: str = "novabatch-1", **changes: Any) -> dict[str, Any]:
        return {
            "jobName": name,
            "roleArn": stack.ROLE_ARN,
            "modelId": MODEL,
            "inputDataConfig": {"s3InputDataConfig": {"s3Uri": f"s3://{self.bucket}/{FOLDER}"}},
            "outputDataConfig": {"s3OutputDataConfig": {"s3Uri": f"s3://{self.bucket}/{OUTPUT}"}},
            **changes,
        }

    def create(self, name: str = "novabatch-1", **changes: Any) -> str:
        return str(self.bedrock.create_model_invocation_job(**self.request(name, **changes))["jobArn"])

    def get(self, arn: str) -> dict[str, Any]:
        job: dict[str, Any] = self.bedrock.get_model_invocation_job(jobIdentifier=arn)
        return job

    def ended(self, arn: str) -> dict[str, Any]:
        """Wait for a job's end."""
        found = until(lambda: job if (job := self.get(arn))["status"] in TERMINAL else None)
        return dict(found)

    def run(
        self, records: list[dict[str, Any]], **changes: Any
    ) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        """Run a job of these records; return the job and the output's lines by recordId."""
        self.control.set(min_records=1)
        self.put_manifest(records)
        job = self.ended(self.create(**changes))
        return job, {line["recordId"]: line for line in self.lines(job)}

    def lines(self, job: dict[str, Any], name: str = "manifest.jsonl.out") -> list[dict[str, Any]]:
        text = self.read(f"{OUTPUT}{job['jobArn'].rsplit('/', 1)[-1]}/{name}").decode()
        return [json.loads(line) for line in text.split("\n") if line]

    def read(self, key: str) -> bytes:
        body: bytes = self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        return body

    def keys(self, prefix: str) -> list[str]:
        found = self.s3.list_objects_v2(Bucket=self.bucket, Prefix=prefix)
        return [each["Key"] for each in found.get("Contents", [])]

    def receive(self, queue: str, **options: Any) -> list[dict[str, Any]]:
        options = {"MaxNumberOfMessages": 10, "WaitTimeSeconds": 5, "AttributeNames": ["All"], **options}
        found = self.sqs.receive_message(QueueUrl=self.queue(queue), MessageAttributeNames=["All"], **options)
        return list(found.get("Messages", []))

    def queue(self, name: str) -> str:
        return self.wire().queues.get(name) or str(self.sqs.get_queue_url(QueueName=name)["QueueUrl"])

    def state_events(self, wanted: int) -> list[dict[str, Any]]:
        """Wait for so many state-change events and return their bodies."""
        bodies: list[dict[str, Any]] = []

        def enough() -> bool:
            bodies.extend(
                json.loads(each["Body"]) for each in self.receive(stack.STATE_QUEUE, WaitTimeSeconds=1)
            )
            return len(bodies) >= wanted

        until(enough)
        return bodies


def video(record_id: str, uri: str, prompt: str = SUMMARY_PROMPT, **inference: Any) -> dict[str, Any]:
    """Return a record that asks about a video."""
    content: list[dict[str, Any]] = [
        {"video": {"format": "mp4", "source": {"s3Location": {"uri": uri}}}},
        {"text": prompt},
    ]
    return record(record_id, content, **inference)


def text(record_id: str, prompt: str = "Say something.", **inference: Any) -> dict[str, Any]:
    """Return a record of text alone."""
    return record(record_id, [{"text": prompt}], **inference)


def record(record_id: str, content: list[dict[str, Any]], **inference: Any) -> dict[str, Any]:
    """Return a record with any content."""
    messages = [{"role": "user", "content": content}]
    return {
        "recordId": record_id,
        "modelInput": {"messages": messages, "inferenceConfig": {"maxTokens": 2048, **inference}},
    }
