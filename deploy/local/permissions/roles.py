"""Which policies a caller has: the access key id of the local AWS is the end of a role's name."""

import json
from collections.abc import Iterator
from functools import lru_cache

from moto.iam.models import iam_backends

from deploy.local.permissions.policy import Policies
from deploy.local.stack import ACCOUNT, JOB_NAME_PREFIX, REGION

OPERATOR = "operator"
"""People: nobody makes them a role, the template has a policy for them."""


def role_of(caller: str) -> str:
    """Return the name of a caller's role."""
    return f"{JOB_NAME_PREFIX}-{REGION}-{caller}"


def policies_of(caller: str, more: str = "") -> Policies | None:
    """Return what a caller may do, with one policy more if there is one; None for who may do everything."""
    documents = tuple(_documents(caller))
    return _compiled((*documents, more) if more else documents) if documents else None


@lru_cache
def _compiled(documents: tuple[str, ...]) -> Policies:
    return Policies(map(json.loads, documents))


def _documents(caller: str) -> Iterator[str]:
    """Return the policies of the role that a caller's name ends, or that people are given."""
    iam = iam_backends[ACCOUNT]["aws"]
    if caller == OPERATOR:
        named = [each for each in iam.managed_policies.values() if "OperatorPolicy" in each.name]
    else:
        roles = [role for role in list(iam.roles.values()) if role.name == role_of(caller)]
        named = [policy for role in roles for policy in list(role.managed_policies.values())]
    for each in named:
        yield next(version.document for version in each.versions if version.is_default)
