"""The bucket, and the other buckets that originals may come from."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from consumers.core.faults import Fault, Rejected
from daemon.cli.access import Access
from daemon.cli.examination.check import Check, look

if TYPE_CHECKING:
    from consumers.core.objects import ObjectInfo

ADVICE = "Check NOVABATCH_BUCKET and s3:ListBucket, s3:GetObject, s3:PutObject on it."
PROBE = "never-there"


def examine(access: Access) -> Iterator[Check]:
    """Look at the buckets as far as can be looked without changing anything."""
    yield look("bucket", lambda: _bucket(access), ADVICE)
    for name in access.settings.allowed_buckets:
        advice = "Allow s3:ListBucket and s3:GetObject on it, or take it out of NOVABATCH_ALLOWED_BUCKETS."
        yield look(f"bucket {name}", lambda name=name: _originals(access, name), advice)  # type: ignore[misc]
    yield look(
        "cleaning",
        lambda: _versions(access),
        "Allow s3:ListBucketVersions, and s3:DeleteObject and s3:DeleteObjectVersion on the folders that "
        "are cleaned.",
    )


def _bucket(access: Access) -> str:
    from consumers.core import layout
    from daemon.adapters.s3.permissions import region_of, try_to_write

    name = access.settings.bucket
    told = _originals(access, name)
    client, own = access.parts.s3_client, access.parts.region
    if (region := region_of(client, name)) and region != own:
        raise Rejected(f"s3://{name} is in {region}, but queues and Bedrock in {own}: Bedrock cannot read it")
    try_to_write(client, name, f"{layout.REHEARSAL_ROOT}{PROBE}")
    return f"{told}, written to"


def _originals(access: Access, name: str) -> str:
    first = next(iter(access.objects.list("", bucket=name)), None)
    if first is None:
        return f"s3://{name} is empty; it can be listed"
    _read(access, name, first)
    return f"s3://{name} can be listed, read"


def _read(access: Access, name: str, first: "ObjectInfo") -> None:
    """Ask for one object, as it is asked before a copy."""
    for answer in access.objects.heads([(name, first.key)]):
        if isinstance(answer, Fault):
            raise answer


def _versions(access: Access) -> str:
    from consumers.core import layout

    next(access.objects.versions(layout.INPUT_ROOT), None)
    return "old versions can be listed; whether they can be deleted shows at the first cleaning"
