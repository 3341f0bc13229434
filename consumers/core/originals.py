"""What makes an original unfit for a chunk, told from what S3 says of it, and what a person can do then."""

import shlex
from typing import NamedTuple

from consumers.core import layout
from consumers.core.faults import Archived, Denied, Fault, Missing, Rejected
from consumers.core.objects import ObjectInfo
from consumers.core.world import Policy
from schemas.models import Model

ARCHIVED = frozenset({"GLACIER", "DEEP_ARCHIVE"})
# AWS: CopyObject takes sources of up to 5 GB; safe whether that means GB or GiB.
LARGEST_COPY = 5_000_000_000
RESTORE = '{"Days":7,"GlacierJobParameters":{"Tier":"Standard"}}'


class FileLimit(NamedTuple):
    """The most bytes one file may have, and what sets it."""

    bytes: int
    set_by: str


class Unfit(NamedTuple):
    """Why a file is REFUSED: the code for programs, the reason for people."""

    code: str
    reason: str


def file_limit(policy: Policy, model: Model | None) -> FileLimit:
    """Return the smallest of all limits that bind a single file."""
    limits = [
        FileLimit(policy.max_file_bytes, "NOVABATCH_MAX_FILE_BYTES"),
        FileLimit(policy.max_chunk_bytes, "NOVABATCH_MAX_CHUNK_BYTES"),
        FileLimit(LARGEST_COPY, "S3's CopyObject"),
    ]
    if model is not None:
        limits.append(FileLimit(model.max_file_bytes, f"max_file_bytes of {model.id}"))
        limits.append(FileLimit(model.max_job_bytes, f"max_job_bytes of {model.id}"))
    return min(limits, key=lambda limit: limit.bytes)


def unfit(info: ObjectInfo, bucket: str, limit: FileLimit) -> Unfit | None:
    """Judge an object that exists by its storage class and size; None if it can be used."""
    if info.storage_class in ARCHIVED:
        return archived(bucket, info.key, info.storage_class)
    return unfit_size(info.bytes, limit)


def unfit_size(size: int, limit: FileLimit) -> Unfit | None:
    """Judge a file's size in bytes; None if it can be used."""
    if size == 0:
        return Unfit("empty", "the file holds no bytes: put its content there, then retry the batch")
    if size > limit.bytes:
        why = f"the file has {size} bytes, over the limit of {limit.bytes} bytes a file ({limit.set_by})"
        return Unfit("too_large", f"{why}: send a smaller version of it")
    return None


def archived(bucket: str, key: str, storage_class: str = "") -> Unfit:
    """Refuse an object that must be restored before it can be read, with the command that does it.

    The restored copy stays for some days (AWS: RestoreObject); a retry of the batch within them takes it.
    """
    where = f"in {storage_class}" if storage_class else "in an archive class"
    place = f"--bucket {shlex.quote(bucket)} --key {shlex.quote(key)}"
    command = f"aws s3api restore-object {place} --restore-request {shlex.quote(RESTORE)}"
    return Unfit("archived", f"the object is {where}: restore it with `{command}`, then retry the batch")


def not_had(fault: Fault, bucket: str, key: str, code: str) -> Unfit | None:
    """Refuse an object that S3 does not give, ``code`` if S3 refuses it; None for a fault that may pass."""
    where = layout.s3_uri(bucket, key)
    match fault:
        case Denied():
            why = f"{where} is denied: {fault.message}"
            return Unfit("access_denied", f"{why}. Give the daemon that permission, then retry the batch")
        case Missing():
            return Unfit("not_found", f"{where} does not exist: put it there, then retry the batch")
        case Archived():
            return archived(bucket, key)
        case Rejected():
            why = f"{where} is refused by S3: {fault.message}"
            return Unfit(code, f"{why}. Put the object there anew or under another key, then send it again")
        case _:
            return None


def not_local(fault: Fault, bucket: str, key: str, path: str) -> Unfit | None:
    """Refuse a file that S3 has not and ``local_path`` does not give; None for a fault that may pass."""
    gone = f"{layout.s3_uri(bucket, key)} does not exist"
    match fault:
        case Missing():
            why = f"there is no file at local_path {path!r} below NOVABATCH_MEDIA_ROOTS"
            return Unfit("not_found", f"{gone}, and {why}: put it there, then retry the batch")
        case Rejected():
            why = f"{fault.message}: name a path below one of the folders in NOVABATCH_MEDIA_ROOTS"
            return Unfit("local_path_not_allowed", f"{gone}, and {why}")
        case _:
            return None
