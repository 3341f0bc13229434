"""Filtering, ordering and paging of ListModelInvocationJobs."""

import base64
import binascii
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from deploy.local.bedrock.errors import invalid
from deploy.local.bedrock.jobs import Job

PAGE = 1000


def page(jobs: Iterable[Job], query: dict[str, Any]) -> tuple[list[Job], str | None]:
    """Return one page of the jobs asked for, and the token of the next."""
    found = sorted((job for job in jobs if _wanted(job, query)), key=lambda job: (job.submit_time, job.arn))
    if query.get("sortOrder") != "Ascending":
        found.reverse()
    start = _position(query.get("nextToken"))
    size = query.get("maxResults", PAGE)
    more = len(found) > start + size
    token = base64.urlsafe_b64encode(f"from:{start + size}".encode()).decode() if more else None
    return found[start : start + size], token


def _wanted(job: Job, query: dict[str, Any]) -> bool:
    after, before = query.get("submitTimeAfter"), query.get("submitTimeBefore")
    return (
        query.get("nameContains", "") in job.name
        and query.get("statusEquals", job.status) == job.status
        and (after is None or job.submit_time > moment(after))
        and (before is None or job.submit_time < moment(before))
    )


def moment(text: str) -> datetime:
    """Read a time as boto3 writes it into a query."""
    try:
        read = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError as error:
        raise invalid(f"The provided time {text} is invalid") from error
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def _position(token: str | None) -> int:
    if token is None:
        return 0
    try:
        word, _, number = base64.urlsafe_b64decode(token).decode().partition(":")
        if word == "from":
            return int(number)
    except (binascii.Error, ValueError) as error:
        raise invalid("The provided nextToken is invalid") from error
    raise invalid("The provided nextToken is invalid")
