"""Figures that make alerts fire, or nearly, written as promtool reads them.

``1+2x60`` is 1, 3, 5 … over sixty minutes, ``_`` a scrape without the series.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

AT = "60m"
AGE = 'queue_oldest_message_age_seconds{queue="submit", source="received"}'
RETENTION = 'novabatch_queue_retention_seconds{queue="submit"}'
Series = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Case:
    """What makes an alert fire, what does not, and after how long to look."""

    fires: Series
    quiet: Series
    at: str = AT
    every: str = "1m"


def wait(*parts: tuple[float, int], count: float = 60) -> Series:
    """Messages that come, ``count`` a scrape; each part: the share that waits over 300 s, scrapes."""
    waited = "novabatch_consumer_queue_wait_seconds"
    return {
        f'{waited}_bucket{{queue="submit", le="300.0"}}': grown((count * (1 - late), n) for late, n in parts),
        f'{waited}_count{{queue="submit"}}': grown((count, n) for _, n in parts),
    }


def grown(parts: Iterable[tuple[float, int]]) -> str:
    """Write a counter that grows by so much a scrape for so many scrapes, then by so much."""
    said, value = [], 0.0
    for step, scrapes in parts:
        said.append(f"{value}+{step}x{scrapes - 1}")
        value += step * scrapes
    return " ".join(said)


def finding(kind: str) -> Case:
    fires = {f'novabatch_findings{{kind="{kind}"}}': "1x60"}
    return Case(fires, {f'novabatch_findings{{kind="{kind}"}}': "0x60"})


def process(
    polled: str, instance: str = "a", paused: int = 0, free: int = 8, stops: int = 0, received: int = 0
) -> Series:
    """One of the processes of a queue; it received so many messages a minute."""
    who = f'queue="submit", instance="{instance}"'
    return {
        f"novabatch_consumer_last_poll_timestamp_seconds{{{who}}}": polled,
        f"novabatch_consumer_paused{{{who}}}": f"{paused}x60",
        f'novabatch_consumer_slots{{{who}, state="free"}}': f"{free}x60",
        f"novabatch_consumer_messages_received_total{{{who}}}": f"0+{received}x60",
        f'novabatch_consumer_shutdown_seconds{{instance="{instance}"}}': f"{stops}x60",
    }


def waiting(count: int) -> Series:
    return {'novabatch_queue_messages{queue="submit", dlq="false", state="visible"}': f"{count}x60"}


def expiring(age: int, days: int) -> Series:
    return {f"novabatch_{AGE}": f"{age}x60", RETENTION: f"{days * 86400}x60"}


def overdue(age: int, hours: int) -> Series:
    return {
        'novabatch_job_oldest_seconds{model="m"}': f"{age}x60",
        'novabatch_job_timeout_seconds{instance="a"}': f"{hours * 3600}x60",
    }


def messages(failed: int, handled: int) -> Series:
    return {
        'novabatch_consumer_messages_total{queue="submit", outcome="success"}': f"0+{handled - failed}x60",
        'novabatch_consumer_messages_total{queue="submit", outcome="poison"}': f"0+{failed}x60",
    }


def slots(used: int, waiting: str) -> Series:
    return {
        'novabatch_slots_used{model="m"}': f"{used}x200",
        'novabatch_slots_limit{model="m"}': "20x200",
        'novabatch_chunks{model="m", state="READY"}': "20x200",
        'novabatch_chunks{model="m", state="PLANNED"}': waiting,
    }


def changes(found: int, told: int) -> Series:
    """Changes of jobs, so many a minute found by the reconciler and so many told by events."""
    return {
        'novabatch_reconcile_actions_total{action="event_missed"}': f"0+{found}x90",
        'novabatch_reconcile_actions_total{action="job_missed"}': "0+9x90",
        'novabatch_jobs_total{status="Completed"}': f"0+{found + told}x90",
        'novabatch_jobs_total{status="Submitted"}': "0+100x90",
    }


def polls(errors: int) -> Series:
    return {
        'novabatch_consumer_receives_total{queue="state", result="error"}': f"0+{errors}x60",
        'novabatch_consumer_receives_total{queue="state", result="empty"}': f"0+{10 - errors}x60",
    }


def gauge(name: str, over: str, under: str, at: str = AT) -> Case:
    return Case({f"novabatch_{name}": over}, {f"novabatch_{name}": under}, at)


def storage(before: float, now: float) -> Series:
    return {'novabatch_storage_bytes{area="output"}': f"{before}x1440 {now}x300"}


def moved(series: str, value: int, minute: int, end: int) -> Series:
    """Tell a gauge by one process until a minute, then by another: an alert must not begin anew."""
    name, labels = series.rstrip("}").split("{")
    return {
        f'{name}{{{labels}, instance="a"}}': f"{value}x{minute - 1} stale",
        f'{name}{{{labels}, instance="b"}}': f"_x{minute} {value}x{end - minute}",
    }


def acks(failed: int, done: int) -> Series:
    """Deletions of a queue: so many a minute that fail, and that do not."""
    return {
        'novabatch_consumer_acks_total{queue="submit", result="failed"}': f"0+{failed}x60",
        'novabatch_consumer_acks_total{queue="submit", result="ok"}': f"0+{done}x60",
    }


def extensions(failed: int, error: int, done: int) -> Series:
    """Extensions of a queue by result, so many a minute."""
    told = {"failed": failed, "error": error, "ok": done}
    name = "novabatch_consumer_visibility_extensions_total"
    return {f'{name}{{queue="state", result="{result}"}}': f"0+{n}x60" for result, n in told.items()}


def draining(waiting: int, handled: str) -> Series:
    """A backlog, and what was handled so far."""
    return {
        'novabatch_queue_messages{queue="submit", dlq="false", state="visible"}': f"{waiting}x60",
        'novabatch_consumer_messages_total{queue="submit", outcome="success"}': handled,
    }


def in_flight(count: int, dlq: str = "false") -> Series:
    """Messages of a queue that somebody has received."""
    return {f'novabatch_queue_messages{{queue="state", dlq="{dlq}", state="in_flight"}}': f"{count}x60"}


def versions(**since: str) -> Series:
    """Processes of versions, named after the letter of their instance."""
    return {
        f'novabatch_build_info{{instance="{name}", version="{name[0]}", commit="", python="3.11"}}': values
        for name, values in since.items()
    }


def duplicates(again: int, first: int) -> Series:
    """Messages of a queue: so many a minute that were done already, and that were not."""
    return {
        'novabatch_consumer_messages_total{queue="state", outcome="duplicate"}': f"0+{again}x60",
        'novabatch_consumer_messages_total{queue="state", outcome="success"}': f"0+{first}x60",
    }


def in_vain(*each: int) -> Series:
    """Polls a minute that brought nothing, for each process of a queue."""
    name = "novabatch_consumer_receives_total"
    return {
        f'{name}{{queue="state", result="empty", instance="{i}"}}': f"0+{n}x60" for i, n in enumerate(each)
    }


def stopped(*parts: tuple[int, int], reason: str = "budget") -> Series:
    """Batches that were stopped; each part: how many there are, for so many minutes."""
    values = " ".join(f"{count}x{minutes - 1}" for count, minutes in parts)
    return {f'novabatch_batches{{state="FAILED", stopped="{reason}"}}': values}
