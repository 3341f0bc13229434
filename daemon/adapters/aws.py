"""AWS clients as this system needs them, and what AWS's errors mean to a caller."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, overload

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError
from botocore.loaders import Loader, create_loader
from botocore.utils import parse_timestamp

from consumers.core import faults
from daemon.adapters.permissions import needed

if TYPE_CHECKING:
    from mypy_boto3_bedrock import BedrockClient
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

# The adapters of S3 and Bedrock try again themselves: their waits end when the work is called off, and a
# throttled second try of CreateModelInvocationJob must not hide that the first one's answer was lost. What
# is asked of IAM and STS is asked by a person who waits.
ATTEMPTS = {"bedrock": 1, "s3": 1, "iam": 1, "sts": 1}
CONNECT_TIMEOUT, READ_TIMEOUT = 5, 60

_FAULTS: Mapping[str, type[faults.Fault]] = {
    "NoSuchKey": faults.Missing,
    "NoSuchBucket": faults.Missing,
    "ResourceNotFoundException": faults.Missing,
    "AccessDenied": faults.Denied,
    "AccessDeniedException": faults.Denied,
    "PreconditionFailed": faults.Changed,
    "InvalidObjectState": faults.Archived,  # GetObject
    "ObjectNotInActiveTierError": faults.Archived,  # CopyObject
    "SlowDown": faults.Throttled,
    "ServiceUnavailable": faults.Throttled,
    "Throttling": faults.Throttled,
    "ThrottlingException": faults.Throttled,
    "RequestLimitExceeded": faults.Throttled,
    "TooManyRequestsException": faults.Throttled,
    "ServiceQuotaExceededException": faults.QuotaExceeded,
    # 4xx answers that pass (AWS: S3 API reference, list of error codes).
    "RequestTimeout": faults.PassingFault,
    "RequestTimeTooSkewed": faults.PassingFault,
    "ExpiredToken": faults.PassingFault,
    "ExpiredTokenException": faults.PassingFault,
    "OperationAborted": faults.PassingFault,
    "ConditionalRequestConflict": faults.PassingFault,
    "IncompleteBody": faults.PassingFault,
    "BadDigest": faults.PassingFault,
}
_FAULTS_BY_STATUS: Mapping[int, type[faults.Fault]] = {
    403: faults.Denied,
    404: faults.Missing,
    408: faults.PassingFault,
    412: faults.Changed,
    429: faults.Throttled,
}


@overload
def make_client(
    service: Literal["s3"], *, region: str | None = ..., connections: int = ...
) -> "S3Client": ...
@overload
def make_client(
    service: Literal["bedrock"], *, region: str | None = ..., connections: int = ...
) -> "BedrockClient": ...
@overload
def make_client(
    service: Literal["sqs"], *, region: str | None = ..., connections: int = ...
) -> "SQSClient": ...
@overload
def make_client(
    service: Literal["events"], *, region: str | None = ..., connections: int = ...
) -> "EventBridgeClient": ...
@overload
def make_client(
    service: Literal["iam", "sts"], *, region: str | None = ..., connections: int = ...
) -> Any: ...
def make_client(service: Any, *, region: str | None = None, connections: int = 10) -> Any:
    """Make a client that may be shared by threads; ``connections`` should be their number.

    Calls to S3 and Bedrock are not repeated by themselves. Region, credentials and endpoint come from the
    standard AWS variables and files where not given.
    """
    with configured():
        return make_session(region).client(service, config=_config(service, connections))


def make_session(region: str | None = None) -> boto3.session.Session:
    """Make a session for one client. All of a process share one copy of AWS's service descriptions.

    A copy of their own would cost each client some 8 MB and most of the time it takes to make it.
    """
    core = botocore.session.Session()
    core.register_component("data_loader", _descriptions(core.get_config_variable("data_path")))
    core.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=_parse_time)
    return boto3.session.Session(botocore_session=core, region_name=region)


@cache
def _descriptions(paths: str | None) -> Loader:
    return create_loader(paths)


def _config(service: str, connections: int) -> Config:
    return Config(
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS.get(service, 3)},
        connect_timeout=CONNECT_TIMEOUT,
        read_timeout=READ_TIMEOUT,
        max_pool_connections=connections,
        tcp_keepalive=True,
        user_agent="novabatch",  # a fixed one is not put together anew for every request
    )


def _parse_time(value: Any) -> datetime:
    """Parse a timestamp; ISO-8601 text, which S3 answers every copy with, the quick way."""
    if isinstance(value, str) and value.endswith("Z"):
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            pass
    return parse_timestamp(value)


@contextmanager
def configured() -> Iterator[None]:
    """Turn what is wrong with the standard AWS variables and files into a fault that says so."""
    try:
        yield
    except (BotoCoreError, ValueError) as error:
        told = f"the AWS configuration cannot be used: {error}"
        remedy = "correct AWS_PROFILE, AWS_ENDPOINT_URL or whatever it is about"
        raise faults.Rejected(f"{told}: {remedy}", type(error).__name__) from error


@contextmanager
def faults_of(call: str, subject: str) -> Iterator[None]:
    """Turn every error of AWS within the block into a fault that names the call and its subject."""
    try:
        yield
    except (ClientError, BotoCoreError, UnicodeError) as error:
        raise fault_of(error, call, subject) from error


def fault_of(error: Exception, call: str, subject: str) -> faults.Fault:
    """Say what an error means to the caller. What is not known to be final is worth another try."""
    if isinstance(error, ClientError):
        code, message = code_of(error), str(error.response.get("Error", {}).get("Message", ""))
        told = with_permission(call, code, message)
        return _kind(code, _status(error))(f"{call} {subject}: {told}", code)
    final = isinstance(error, (ParamValidationError, UnicodeError))
    kind = faults.Rejected if final else faults.PassingFault
    return kind(f"{call} {subject}: {error}", type(error).__name__)


def with_permission(call: str, code: str, message: str) -> str:
    """Write an error of AWS; where a call was denied, with the permission it needs."""
    allow = needed(call, code)
    return f"{code}: {message}" + (f" (allow {allow})" if allow else "")


def code_of(error: ClientError) -> str:
    """Return AWS's name for an error; the HTTP status where the answer had no body (every HEAD)."""
    return str(error.response.get("Error", {}).get("Code") or _status(error))


def _status(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _kind(code: str, status: int) -> type[faults.Fault]:
    if code in _FAULTS:
        return _FAULTS[code]
    if status in _FAULTS_BY_STATUS:
        return _FAULTS_BY_STATUS[status]
    return faults.Rejected if 400 <= status < 500 else faults.PassingFault
