"""What a contract suite needs beside the port itself: the same for the fake and for the real thing."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Protocol

from consumers.core.jobs import Jobs
from consumers.core.lifecycle import JOB_ENDS, JobStatus
from consumers.core.objects import Objects
from daemon.adapters.backoff import Backoff
from daemon.adapters.bedrock import BedrockJobs
from daemon.adapters.local_media import MediaRoots
from daemon.adapters.s3 import S3Objects
from deploy.local.processes import Server, wait_until
from tests.aws import bedrock_client, s3_client
from tests.fakes.jobs import FakeJobs
from tests.fakes.objects import FakeObjects

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

AT_ONCE = Backoff(tries=4, first=0)
BUCKET, OTHER_BUCKET = "media", "archive"


class ObjectsBench(Protocol):
    """A port to objects, with a way round it."""

    @property
    def port(self) -> Objects: ...

    def put(
        self,
        key: str,
        data: bytes = b"",
        *,
        bucket: str = BUCKET,
        content_type: str = "application/octet-stream",
        storage_class: str = "STANDARD",
    ) -> str: ...

    def put_local(self, path: str, data: bytes) -> None:
        """Lay a file down below a media root of this machine."""

    def keep_versions(self) -> None:
        """Let the bucket keep the versions of its objects from now on."""

    def hide(self, *keys: str) -> None:
        """Delete objects by their keys alone."""

    def read(self, key: str) -> bytes: ...

    def content_type(self, key: str) -> str: ...


class FakeObjectsBench:
    def __init__(self) -> None:
        self.port = FakeObjects(BUCKET)

    def put(
        self,
        key: str,
        data: bytes = b"",
        *,
        bucket: str = BUCKET,
        content_type: str = "application/octet-stream",
        storage_class: str = "STANDARD",
    ) -> str:
        return self.port.put(key, data, bucket=bucket, content_type=content_type, storage_class=storage_class)

    def put_local(self, path: str, data: bytes) -> None:
        self.port.local.files[path] = data

    def keep_versions(self) -> None:
        self.port.buckets[BUCKET].versioned = True

    def hide(self, *keys: str) -> None:
        for key in keys:
            del self.port.buckets[BUCKET][key]

    def read(self, key: str) -> bytes:
        return self.port.read(key)

    def content_type(self, key: str) -> str:
        return self.port.content_type(key)


class S3Bench:
    def __init__(self, client: "S3Client", root: Path) -> None:
        self.client = client
        self.root = root
        self.port = S3Objects(client, BUCKET, 4, AT_ONCE, AT_ONCE, MediaRoots([str(root)]))
        for bucket in (BUCKET, OTHER_BUCKET):
            client.create_bucket(Bucket=bucket)

    def put(
        self,
        key: str,
        data: bytes = b"",
        *,
        bucket: str = BUCKET,
        content_type: str = "application/octet-stream",
        storage_class: str = "STANDARD",
    ) -> str:
        answer = self.client.put_object(
            Bucket=bucket,
            Key=key,
            Body=data,
            ContentType=content_type,
            StorageClass=storage_class,  # type: ignore[arg-type]
        )
        return answer["ETag"].strip('"')

    def put_local(self, path: str, data: bytes) -> None:
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)

    def keep_versions(self) -> None:
        self.client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})

    def hide(self, *keys: str) -> None:
        self.client.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": key} for key in keys]})

    def read(self, key: str) -> bytes:
        return self.client.get_object(Bucket=BUCKET, Key=key)["Body"].read()

    def content_type(self, key: str) -> str:
        return self.client.head_object(Bucket=BUCKET, Key=key)["ContentType"]


def open_s3(aws: Server) -> Iterator[S3Bench]:
    """Give the real adapter on the local AWS, with a media root of its own."""
    client = s3_client(aws.url)
    with TemporaryDirectory() as root:
        bench = S3Bench(client, Path(root))
        yield bench
        bench.port.close()
    client.close()


class JobsBench(Protocol):
    """A port to jobs, with a hand on the server behind it."""

    @property
    def port(self) -> Jobs: ...

    def allow_jobs(self, number: int) -> None:
        """Set how many jobs may be open."""

    def end(self, arn: str, name: str) -> JobStatus:
        """Bring a job to an end, any end; returns it."""


class FakeJobsBench:
    def __init__(self) -> None:
        self.port = FakeJobs()

    def allow_jobs(self, number: int) -> None:
        self.port.slots = number

    def end(self, arn: str, name: str) -> JobStatus:
        return self.port.finish(arn, JobStatus.FAILED).status


class BedrockBench:
    """Jobs stay Submitted until they are told to go on."""

    def __init__(self, aws: Server) -> None:
        self.aws = aws
        self.client = bedrock_client(aws.url)
        self.port = BedrockJobs(self.client, "novabatch", AT_ONCE)
        aws.control.add_faults(jobs=[{"name": ".", "outcome": "stuck", "state": "Submitted"}])

    def allow_jobs(self, number: int) -> None:
        self.aws.control.set(jobs_per_model=number)

    def end(self, arn: str, name: str) -> JobStatus:
        self.aws.control.set(step_seconds=0.01)
        self.aws.control.clear_faults()
        assert wait_until(lambda: self.port.get(arn).status in JOB_ENDS, 10)
        return self.port.get(arn).status


def open_bedrock(aws: Server) -> Iterator[BedrockBench]:
    """Give the real adapter on the local AWS."""
    bench = BedrockBench(aws)
    yield bench
    bench.client.close()
