"""What a stage is given, and what it answers."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from pydantic import BaseModel

from consumers.core import rows
from consumers.core.jobs import Jobs
from consumers.core.local import LocalMedia
from consumers.core.objects import Objects
from consumers.core.store import Store
from schemas.analyses import Registry
from schemas.facts import Fact
from schemas.models import ModelTable

# ── outcomes ───────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Done:
    """The message is dealt with: tell ``facts``, publish ``then``, delete it."""

    facts: tuple[Fact, ...] = ()
    then: tuple[BaseModel, ...] = ()


@dataclass(frozen=True, slots=True)
class Later:
    """A passing fault: give the message back for ``after`` seconds."""

    after: float
    why: str
    facts: tuple[Fact, ...] = ()


@dataclass(frozen=True, slots=True)
class Refuse:
    """This can never work: to the dead-letter queue with ``code`` and ``why``; ``then`` is still sent."""

    code: str
    why: str
    then: tuple[BaseModel, ...] = ()


Outcome = Done | Later | Refuse


# ── the world of one message ───────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Policy:
    """The settings that decisions depend on."""

    bucket: str
    allowed_buckets: frozenset[str]
    role_arn: str
    region: str
    job_name_prefix: str = "novabatch"
    max_files_per_chunk: int = 150
    max_chunk_bytes: int = 4_500_000_000
    max_file_bytes: int = 1_000_000_000
    min_records: int = 100
    stage_ahead: int = 20
    max_attempts: int = 3
    job_timeout_hours: int = 24
    check_interval: int = 30
    overdue_seconds: int = 120
    fetch_max_retries: int = 3
    cleanup_after_success: bool = True
    retention_days: int = 7
    raw_retention_days: int = 90
    result_retention_days: int | None = None
    row_retention_days: int | None = None
    budget_usd_per_day: Decimal | None = None
    canary_chunks: int = 0
    min_success_ratio: float = 0.8


@dataclass(frozen=True, slots=True)
class World:
    """What one stage run may touch, and the time it is.

    ``hold`` takes a lease for as long as the message is worked on, or returns None if somebody
    else has it; the worker renews it and lets it go. ``checkpoint`` raises LeaseLost once the message or
    a lease is lost: long loops call it between steps.
    """

    now: datetime
    policy: Policy
    models: ModelTable
    analyses: Registry
    store: Store
    objects: Objects
    jobs: Jobs
    local: LocalMedia
    hold: Callable[[rows.Leased, str], rows.Held | None]
    checkpoint: Callable[[], None]


Stage = Callable[[Any, World], Outcome]


def done(facts: Iterable[Fact] = (), then: Iterable[BaseModel] = ()) -> Done:
    """Make a Done from any iterables."""
    return Done(tuple(facts), tuple(then))
