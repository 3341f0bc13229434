"""A call that is denied names the permission it lacks, whichever call it is."""

import ast
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from botocore.session import Session

from consumers.core.faults import Denied
from daemon.adapters import aws
from deploy.local.permissions import asked

ROOT = Path(__file__).resolve().parents[2]
SERVICES = ("s3", "sqs", "bedrock", "events", "iam", "sts")
NEEDS_NOTHING = {"GetCallerIdentity"}


def operations() -> dict[str, str]:
    """Return AWS's operations of all services that are spoken to, each with its service."""
    session = Session()
    return {name: each for each in SERVICES for name in session.get_service_model(each).operation_names}


def made_here() -> list[str]:
    """Return every operation of AWS that the product's code names."""
    known = operations()
    texts = {
        node.value
        for path in ROOT.joinpath("daemon").rglob("*.py")
        if path.name != "permissions.py"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    return sorted(texts & known.keys())


@pytest.mark.parametrize("code", ["AccessDenied", "AccessDeniedException", "403"])
@pytest.mark.parametrize("call", made_here())
def test_a_denied_call_names_the_permission_that_the_local_aws_asks_it_for(call: str, code: str) -> None:
    service = operations()[call]
    same = {"s3": asked.S3, "sqs": asked.SQS}.get(service, {}).get(call, call)
    wanted = {"CopyObject": "s3:PutObject", "DeleteObjects": "s3:DeleteObject"}.get(call, f"{service}:{same}")
    fault = aws.fault_of(ClientError({"Error": {"Code": code, "Message": "no"}}, call), call, "something")
    assert isinstance(fault, Denied) or code == "403"  # only the answer's own status makes that one a denial
    assert (f"{code}: no (allow " in fault.message) is (call not in NEEDS_NOTHING)
    assert (wanted in fault.message) is (call not in NEEDS_NOTHING)


def test_what_is_no_denial_names_no_permission() -> None:
    error = ClientError({"Error": {"Code": "SlowDown", "Message": "wait"}}, "PutObject")
    assert "allow" not in aws.fault_of(error, "PutObject", "something").message
