"""The verb that lists open jobs: pending."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from daemon.cli.access import Access, open_access
from daemon.cli.output import age, as_json, cell, counted, show, table, write_json

if TYPE_CHECKING:
    from consumers.core.jobs import JobReport

EARLIER = timedelta(hours=1)
Document = dict[str, Any]


@click.command()
@as_json
def pending(as_json: bool) -> None:
    """The Bedrock jobs that are open, how old they are and how far.

    Where the last look is older than CHECK_INTERVAL, Bedrock's list is asked once for all of them.
    """
    with open_access() as access:
        now = datetime.now(UTC)
        document = access.views.pending()
        if _is_old(document, now - timedelta(seconds=access.settings.check_interval)):
            document = _asked(document, access, now)
    if as_json:
        write_json(document)
    else:
        _show(document, now)
    _tell_ended(document)


def _is_old(document: Document, since: datetime) -> bool:
    seen = [_time(chunk["last_checked_at"]) for chunk in document["chunks"]]
    return any(moment is None or moment < since for moment in seen)


def _asked(document: Document, access: Access, now: datetime) -> Document:
    """Put in what Bedrock's list says; where it does not answer, what is stored stands."""
    from consumers.core.faults import Fault
    from daemon.adapters.views.values import instant
    from daemon.settings import BadSettings

    submitted = [_time(chunk["submitted_at"]) or now for chunk in document["chunks"]]
    try:
        found = {report.name: report for report in access.parts.jobs.since(min(submitted) - EARLIER)}
    except (Fault, BadSettings) as fault:
        click.echo(f"note: as last stored, since Bedrock could not be asked: {fault}", err=True)
        return document
    fresh = [
        _seen(chunk, found[name], instant(now)) if (name := chunk["job_name"]) in found else chunk
        for chunk in document["chunks"]
    ]
    return {**document, "chunks": fresh}


def _seen(chunk: Document, report: "JobReport", now: str | None) -> Document:
    return {
        **chunk,
        "job_arn": report.arn,
        "status": report.status.value,
        "processed": report.counts.processed,
        "last_checked_at": now,
    }


def _show(document: Document, now: datetime) -> None:
    """Show a line for each job; a job that Bedrock has not confirmed yet is only claimed."""
    made = table("chunk", "status", "files>", "processed>", "done>", "age>", "seen>")
    for chunk in document["chunks"]:
        processed = f"{cell(_processed(chunk))}/{chunk['records']}"
        row = (chunk["chunk_id"], chunk["status"] or "claimed", chunk["files"], processed, _share(chunk))
        times = (age(now, _time(chunk[name])) for name in ("submitted_at", "last_checked_at"))
        made.add_row(*map(cell, row), *times)
    show(made, otherwise="No job is open.")
    if document["chunks"]:
        click.echo("; ".join(_sums(document["chunks"], now)))


def _processed(chunk: Mapping[str, Any]) -> int | None:
    """Return how many are through: Bedrock counts the padding, too."""
    return None if chunk["processed"] is None else min(chunk["processed"], chunk["records"])


def _share(chunk: Mapping[str, Any]) -> str | None:
    through = _processed(chunk)
    return None if through is None or not chunk["records"] else f"{100 * through // chunk['records']}%"


def _sums(chunks: Sequence[Mapping[str, Any]], now: datetime) -> Iterator[str]:
    files, records = (sum(chunk[name] for chunk in chunks) for name in ("files", "records"))
    processed = sum(_processed(chunk) or 0 for chunk in chunks)
    yield f"{counted(len(chunks), 'job')}, {counted(files, 'file')}"
    yield f"{processed} of {records} records processed"
    submitted = [moment for chunk in chunks if (moment := _time(chunk["submitted_at"]))]
    if submitted:
        yield f"the oldest is {age(now, min(submitted))} old"


def _tell_ended(document: Document) -> None:
    """Say which jobs have ended at Bedrock while no event has told so yet."""
    from consumers.core.lifecycle import JOB_ENDS

    ended = [chunk["chunk_id"] for chunk in document["chunks"] if chunk["status"] in JOB_ENDS]
    if ended:
        told = f"{counted(len(ended), 'job')} ended, and no event told so yet"
        click.echo(f"note: {told}; `novabatch reconcile` looks for them now", err=True)


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
