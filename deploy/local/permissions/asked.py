"""What permissions a request needs, as AWS's service authorization reference has it."""

import json
import re
from collections.abc import Iterator
from io import BytesIO
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.etree import ElementTree

from moto.sqs.models import sqs_backends

from deploy.local.calls import Environ
from deploy.local.permissions.policy import Asked
from deploy.local.stack import ACCOUNT, REGION

# AWS: batch calls need the permission of the single one.
SQS = {
    "SendMessageBatch": "SendMessage",
    "DeleteMessageBatch": "DeleteMessage",
    "ChangeMessageVisibilityBatch": "ChangeMessageVisibility",
}
# AWS: SQS, key management, permissions of senders and receivers.
OF_THE_KEY = {"SendMessage": ("kms:GenerateDataKey", "kms:Decrypt"), "ReceiveMessage": ("kms:Decrypt",)}
S3 = {
    "HeadObject": "GetObject",
    "HeadBucket": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "ListObjectVersions": "ListBucketVersions",
    "CreateMultipartUpload": "PutObject",
    "UploadPart": "PutObject",
    "CompleteMultipartUpload": "PutObject",
}
OF_THE_BUCKET = {"HeadBucket", "ListObjectsV2", "ListObjectVersions"}
OFFERS = {
    "GetFoundationModel": f"arn:aws:bedrock:{REGION}::foundation-model/",
    "GetInferenceProfile": f"arn:aws:bedrock:{REGION}:{ACCOUNT}:inference-profile/",
}
PROFILE = re.compile(r"[a-z]+\.(amazon\..+)")


def asked(environ: Environ, service: str, operation: str) -> list[Asked]:
    """Return all that a request needs."""
    match service:
        case "s3":
            return list(_of_s3(environ, operation))
        case "sqs":
            return list(_of_sqs(operation, _json(environ)))
        case "bedrock":
            return list(_of_bedrock(environ, operation))
        case "events":
            return list(_of_events(operation, _json(environ)))
        case "iam":
            return [_of_iam(parse_qs(body_of(environ).decode()))]
    return []  # STS tells everybody who he is


def body_of(environ: Environ) -> bytes:
    """Read a request's body, and leave it to be read again."""
    body: bytes = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = BytesIO(body)
    return body


def deletions(environ: Environ) -> Iterator[tuple[str, str, list[Asked]]]:
    """Yield key, version and what it takes, for every entry of a DeleteObjects.

    AWS: DeleteObjects always needs s3:DeleteObject, and s3:DeleteObjectVersion where a version is named.
    """
    bucket = _place(environ)[0]
    for entry in ElementTree.fromstring(body_of(environ)).iterfind("{*}Object"):
        key, version = entry.findtext("{*}Key") or "", entry.findtext("{*}VersionId") or ""
        actions = ["s3:DeleteObject", *(["s3:DeleteObjectVersion"] if version else [])]
        yield key, version, [Asked(action, _object(bucket, key)) for action in actions]


def _of_s3(environ: Environ, operation: str) -> Iterator[Asked]:
    bucket, key = _place(environ)
    action = f"s3:{S3.get(operation, operation)}"
    if operation in OF_THE_BUCKET:
        query = parse_qs(urlsplit(environ.get("RAW_URI", "/")).query, keep_blank_values=True)
        context = {"s3:prefix": query["prefix"][0]} if "prefix" in query else {}
        yield Asked(action, f"arn:aws:s3:::{bucket}", context)
    elif operation == "CopyObject":
        source, _, name = unquote(environ["HTTP_X_AMZ_COPY_SOURCE"]).lstrip("/").partition("/")
        yield Asked("s3:GetObject", _object(source, name))
        yield Asked("s3:PutObject", _object(bucket, key))
    elif operation != "DeleteObjects":
        yield Asked(action, _object(bucket, key))


def _of_sqs(operation: str, body: dict[str, Any]) -> Iterator[Asked]:
    name = str(body.get("QueueName") or body.get("QueueUrl", "")).rpartition("/")[2]
    action = SQS.get(operation, operation)
    yield Asked(f"sqs:{action}", f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}")
    if action in OF_THE_KEY and (key := _key(name)):
        yield from (Asked(each, f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{key}") for each in OF_THE_KEY[action])


def _key(name: str) -> str:
    """Return the key of a queue; empty where SQS has its own."""
    queue = sqs_backends[ACCOUNT][REGION].queues.get(name)
    return str((queue and queue.kms_master_key_id) or "").rpartition("/")[2]  # type: ignore[attr-defined]


def _of_bedrock(environ: Environ, operation: str) -> Iterator[Asked]:
    action, jobs = f"bedrock:{operation}", f"arn:aws:bedrock:{REGION}:{ACCOUNT}:model-invocation-job/"
    if operation == "CreateModelInvocationJob":
        body = _json(environ)
        yield Asked(action, f"{jobs}new")
        yield from (Asked(action, arn) for arn in _models(str(body.get("modelId"))))
        yield Asked("iam:PassRole", body.get("roleArn", ""), {"iam:PassedToService": "bedrock.amazonaws.com"})
    elif operation == "ListModelInvocationJobs":
        yield Asked(action, "*")
    elif operation in OFFERS:
        yield Asked(action, OFFERS[operation] + _named(environ).rpartition("/")[2])
    else:
        yield Asked(action, _named(environ))


def _named(environ: Environ) -> str:
    return unquote(urlsplit(environ["RAW_URI"]).path.split("/")[2])


def _models(model: str) -> Iterator[str]:
    """Name what a job of a model uses: behind a profile stands the model, in any of its Regions."""
    if profile := PROFILE.fullmatch(model):
        yield f"arn:aws:bedrock:{REGION}:{ACCOUNT}:inference-profile/{model}"
        model = profile[1]
    yield f"arn:aws:bedrock:{REGION}::foundation-model/{model}"


def _of_events(operation: str, body: dict[str, Any]) -> Iterator[Asked]:
    base = f"arn:aws:events:{REGION}:{ACCOUNT}:"
    if operation == "PutEvents":
        for each in body.get("Entries", ()):
            bus = each.get("EventBusName", "default")
            yield Asked("events:PutEvents", f"{base}event-bus/{bus}", {"events:source": each["Source"]})
    elif operation == "DescribeRule":
        yield Asked("events:DescribeRule", f"{base}rule/{body['Name']}")
    elif operation == "DescribeEventBus":
        yield Asked("events:DescribeEventBus", f"{base}event-bus/{body.get('Name', 'default')}")
    else:
        yield Asked(f"events:{operation}", "*")


def _of_iam(form: dict[str, list[str]]) -> Asked:
    action, name = form["Action"][0], form.get("RoleName", ["*"])[0]
    (role,) = form.get("PolicySourceArn", [f"arn:aws:iam::{ACCOUNT}:role/{name}"])
    return Asked(f"iam:{action}", role)


def _json(environ: Environ) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(body_of(environ) or b"{}")
    return read


def _place(environ: Environ) -> tuple[str, str]:
    bucket, _, key = unquote(urlsplit(environ.get("RAW_URI", "/")).path).lstrip("/").partition("/")
    return bucket, key


def _object(bucket: str, key: str) -> str:
    return f"arn:aws:s3:::{bucket}/{key}"
