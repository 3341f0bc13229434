"""The steps that the files of `doctor --live` take, as `status` tells them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from consumers.core.layout import REHEARSAL_ROOT
from consumers.core.lifecycle import BATCH_ENDS, BatchState, ChunkState, JobStatus
from daemon.cli.access import Access
from daemon.cli.examination.check import Level

STALE = timedelta(minutes=5)
Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Told:
    """What a step came to."""

    detail: str
    level: Level = Level.OK
    advice: str | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One step: how it shows in `status`, and what to look at if it does not.

    One that is not ``patient`` should take seconds; one ``afterwards`` follows the batch's end.
    """

    name: str
    seen: Callable[[Document | None], Told | None]
    advice: str = ""
    patient: bool = False
    afterwards: bool = False


CONSUMER = "Does `novabatch run {0}` run, with these settings and this database? See `novabatch dlq list`."


def steps(access: Access) -> list[Step]:
    """Return the steps in their order."""
    found = [
        Step("live accepted", _accepted, CONSUMER.format("submit")),
        Step("live planned", _planned, CONSUMER.format("submit")),
        Step("live copied", _copied, CONSUMER.format("submit")),
        Step("live job", lambda now: _submitted(access, now), patient=True),
        Step("live end", lambda now: _ended(access, now), patient=True),
        Step("live results", _results, patient=True, afterwards=True),
    ]
    if access.settings.cleanup_after_success:
        found.append(Step("live cleaned", _cleaned, CONSUMER.format("cleanup"), afterwards=True))
    return found


def _accepted(now: Document | None) -> Told | None:
    return None if now is None else Told(f"batch {now['batch_id']}, by the submit consumer")


def _planned(now: Document | None) -> Told | None:
    if (chunk := _chunk(now)) is None or now is None:
        return None
    files = f"{chunk['files']} files and {chunk['padding']} records of padding"
    return Told(f"{files} in folder {chunk['folder']}, at most {now['estimate_usd']} USD")


def _copied(now: Document | None) -> Told | None:
    chunk = _chunk(now)
    if chunk is None or chunk["state"] in (ChunkState.PLANNED, ChunkState.PREPARING):
        return None
    return Told("copies and manifest lie in the folder")


def _submitted(access: Access, now: Document | None) -> Told | None:
    """Name the job, and how near the quota of open jobs is."""
    chunk = _chunk(now)
    if chunk is None or now is None or not chunk["job_arn"]:
        return None
    count = sum(1 for _ in access.parts.jobs.open_anywhere())
    slots = access.settings.slots
    told = f"{chunk['job_arn']} created; {count} jobs of all models are open in account and Region"
    if count <= slots:
        return Told(told)
    others = f"Others use slots too: lower NOVABATCH_SLOTS ({slots}), or ask AWS for more jobs."
    return Told(told, Level.WARN, others)


def _ended(access: Access, now: Document | None) -> Told | None:
    """Tell how soon the end became known: late means that no event came."""
    chunk = _chunk(now)
    if chunk is None or chunk["state"] in (ChunkState.READY, ChunkState.SUBMITTED, ChunkState.IN_PROGRESS):
        return None
    began = datetime.fromisoformat(chunk["submitted_at"]) - STALE
    report = next((each for each in access.parts.jobs.since(began) if each.arn == chunk["job_arn"]), None)
    if report is None:
        return None  # List follows later
    if report.status is not JobStatus.COMPLETED or report.ended_at is None:
        advice = "The words are Bedrock's; `novabatch pending` shows whether another job follows."
        return Told(f"Bedrock says {report.status}: {report.message or 'no more'}", Level.WARN, advice)
    late = max(datetime.now(UTC) - report.ended_at, timedelta())
    told = f"Bedrock says {report.status}, known within {late.total_seconds():.0f} s"
    if late <= STALE:
        return Told(told)
    rule = "Perhaps no event came and the reconciler found it: look at the EventBridge rule and its target."
    return Told(told, Level.WARN, rule)


def _results(now: Document | None) -> Told | None:
    if now is None or not over(now):
        return None
    good, cost = now["records"]["SUCCEEDED"], now["cost_usd"]
    tokens = f"{now['tokens']['input']} tokens in, {now['tokens']['output']} out, {cost} USD"
    told = f"{good} of {now['files']['total']} SUCCEEDED, {tokens}"
    if now["state"] == BatchState.COMPLETED:
        return Told(told)
    level = Level.WARN if good else Level.FAULT
    return Told(told, level, f"`novabatch results {now['batch_id']}` tells what came of each file.")


def _cleaned(now: Document | None) -> Told | None:
    chunk = _chunk(now)
    if chunk is None or chunk["cleaned_at"] is None:
        return None
    return Told(
        f"the temporary folders are empty; what lies below {REHEARSAL_ROOT} is yours to keep or delete"
    )


def _chunk(now: Document | None) -> Document | None:
    return now["chunks"][0] if now is not None and now["chunks"] else None


def over(now: Document | None) -> bool:
    """Tell whether the batch has ended."""
    return now is not None and now["state"] in BATCH_ENDS


def trouble(now: Document | None) -> str | None:
    """Return what keeps the chunk from its job, if anything does: AWS's words, with the permission."""
    chunk = _chunk(now)
    return None if chunk is None or chunk["job_arn"] else chunk["last_error"]


def why(now: Document | None) -> str:
    """Say why a batch ended before its time."""
    chunk = _chunk(now)
    reasons = [now["reason"] if now else None, chunk["last_error"] if chunk else None]
    state = now["state"] if now else "gone"
    return "; ".join([f"the batch ended as {state}", *filter(None, reasons)])
