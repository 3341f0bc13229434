"""Every setting, its default, and what to do when it is wrong; the only module that reads the environment."""

import difflib
import os
from collections.abc import Mapping
from dataclasses import fields
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

import platformdirs
from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from consumers.core.world import Policy
from schemas.messages import LARGEST_BUDGET
from schemas.queues import Queue

PREFIX = "NOVABATCH_"
LONGEST_POLL = 20  # AWS: WaitTimeSeconds
LONGEST_HOLD = 43_200  # AWS: VisibilityTimeout

Names = Annotated[tuple[str, ...], NoDecode]
Whole = Annotated[int, Field(ge=0)]
Count = Annotated[int, Field(ge=1)]


class BadSettings(ValueError):
    """The settings cannot be used; the message names each one and what to write there."""


class Role(StrEnum):
    """What a process does; ``run all`` is all of them."""

    SUBMIT = "submit"
    JOB_STATE = "job_state"
    CLEANUP = "cleanup"


QUEUE_OF: Mapping[Role, Queue] = {
    Role.SUBMIT: Queue.SUBMIT,
    Role.JOB_STATE: Queue.STATE,
    Role.CLEANUP: Queue.CLEANUP,
}
_PORTS = {Role.SUBMIT: 9100, Role.JOB_STATE: 9101, Role.CLEANUP: 9102}


def _own_database() -> str:
    return f"sqlite:///{Path(platformdirs.user_data_dir('novabatch')) / 'novabatch.db'}"


class Settings(BaseSettings):
    """All of NOVABATCH_*; AWS is reached through the standard AWS variables."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, frozen=True, extra="ignore")

    # where things are
    database_url: str = Field(default_factory=_own_database)
    bucket: str = ""
    allowed_buckets: Names = ()
    submit_queue: str = "submit-requests"
    state_queue: str = "job-state-changes"
    cleanup_queue: str = "cleanup-requests"
    events_queue: str = ""
    event_bus: str = ""
    role_arn: Annotated[str, Field(pattern=r"^(arn:aws[^:]*:iam::[0-9]{12}:role/.+)?$")] = ""
    job_name_prefix: Annotated[str, Field(pattern=r"^[A-Za-z0-9](-?[A-Za-z0-9])*$", max_length=32)] = (
        "novabatch"
    )

    # what is decided
    max_files_per_chunk: Count = 150
    max_chunk_bytes: Annotated[int, Field(ge=1, le=5_000_000_000)] = 4_500_000_000
    max_file_bytes: Count = 1_000_000_000
    min_records: Count = 100
    slots: Count = 20
    stage_ahead: Whole | None = None
    models_file: Path | None = None
    analyses_dir: Path | None = None
    max_attempts: Count = 3
    job_timeout_hours: Annotated[int, Field(ge=24, le=168)] = 24
    budget_usd_per_day: Annotated[Decimal, Field(ge=0, le=LARGEST_BUDGET, allow_inf_nan=False)] | None = None
    canary_chunks: Whole = 0
    min_success_ratio: Annotated[float, Field(ge=0, le=1)] = 0.8
    media_roots: Names = ()
    check_interval: Count = 30
    overdue_seconds: Count = 120
    fetch_max_retries: Whole = 3
    cleanup_after_success: bool = True
    retention_days: Whole = 7
    raw_retention_days: Whole = 90
    result_retention_days: Whole | None = None
    row_retention_days: Whole | None = None

    # how it runs
    concurrency: Annotated[int, Field(ge=1, le=256)] = 8
    copy_concurrency: Annotated[int, Field(ge=1, le=512)] = 32
    visibility_timeout: Annotated[int, Field(ge=2, le=LONGEST_HOLD)] = 120
    receive_wait: Annotated[int, Field(ge=1, le=LONGEST_POLL)] = LONGEST_POLL
    drain_seconds: Annotated[float, Field(ge=0, le=3600)] = 60
    reconcile_interval: Annotated[float, Field(gt=0)] = 60
    http_host: str = "127.0.0.1"
    http_port: Annotated[int, Field(ge=0, le=65_535)] | None = None
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "console"] = "json"

    needed: ClassVar[Mapping[str, str]] = {
        "bucket": "the name of the S3 bucket that holds the originals and takes folders and results",
        "role_arn": "the ARN of the service role Bedrock takes on, arn:aws:iam::<account>:role/<name>",
    }

    @field_validator("allowed_buckets", "media_roots", mode="before")
    @classmethod
    def _listed(cls, value: object) -> object:
        """Read names between commas."""
        return tuple(filter(None, map(str.strip, value.split(",")))) if isinstance(value, str) else value

    @field_validator("log_level", "log_format", mode="before")
    @classmethod
    def _lower(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value

    @model_validator(mode="after")
    def _rows_last(self) -> Self:
        """Rows know what lies in S3: they go after it, or not at all."""
        results, rows = self.result_retention_days, self.row_retention_days
        if rows is not None and (results is None or results > rows):
            raise ValueError(
                f"{variable('row_retention_days')} is {rows}: rows go only after results. Write a "
                f"{variable('result_retention_days')} of at most {rows}"
            )
        return self

    @field_validator("database_url")
    @classmethod
    def _file_named(cls, value: str) -> str:
        if value.startswith("sqlite") and "///" not in value:
            raise ValueError("write sqlite:////path/to/file.db")
        return value

    def queue_name(self, queue: Queue) -> str:
        """Return the name or URL of one of the three queues."""
        return str(getattr(self, f"{queue.value}_queue"))

    def port(self, role: Role) -> int:
        """Return the HTTP port of a process whose first role this is."""
        return _PORTS[role] if self.http_port is None else self.http_port

    @property
    def poll_wait(self) -> int:
        """Return how long a poll may stay open: a stop waits for it, and must not outlast the drain."""
        return max(1, min(self.receive_wait, int(self.drain_seconds)))

    def policy(self, region: str) -> Policy:
        """Return what decisions depend on."""
        own = type(self).model_fields
        values = {field.name: getattr(self, field.name) for field in fields(Policy) if field.name in own}
        values["allowed_buckets"] = frozenset({self.bucket, *self.allowed_buckets})
        values["stage_ahead"] = self.slots if self.stage_ahead is None else self.stage_ahead
        return Policy(**values, region=region)

    def require(self, *names: str) -> None:
        """Raise BadSettings for settings without a default that are not set."""
        missing = [name for name in names if not getattr(self, name)]
        if missing:
            raise BadSettings(
                "; ".join(f"{variable(name)} is not set: write {self.needed[name]}" for name in missing)
            )


def variable(name: str) -> str:
    """Return the environment variable of a setting."""
    return f"{PREFIX}{name.upper()}"


def load(**given: Any) -> Settings:
    """Read the settings from the environment; raises BadSettings."""
    try:
        return Settings(**given)
    except ValidationError as error:
        raise BadSettings("; ".join(map(_remedy, error.errors(include_url=False)))) from None


def load_in_part() -> tuple[Settings, Mapping[str, str]]:
    """Read the settings; one that is bad has its default, and what to write stands by its name.

    Raises BadSettings where several do not go together.
    """
    try:
        return Settings(), {}
    except ValidationError as error:
        bad = {str(each["loc"][0]): _remedy(each) for each in error.errors(include_url=False) if each["loc"]}
    own = Settings.model_fields
    return load(**{name: own[name].get_default(call_default_factory=True) for name in bad}), bad


def unknown_variables() -> tuple[str, ...]:
    """Say which NOVABATCH_* variables no setting answers to, with the name that was perhaps meant."""
    known = [variable(name) for name in Settings.model_fields]
    strange = sorted(
        name for name in os.environ if name.upper().startswith(PREFIX) and name.upper() not in known
    )
    return tuple(_guess(name, known) for name in strange)


def source_of(name: str) -> Literal["environment", "default"]:
    """Tell where a setting's value comes from."""
    wanted = variable(name)
    return (
        "environment"
        if any(each.upper() == wanted and os.environ[each] for each in os.environ)
        else "default"
    )


def aws_region() -> str:
    """Return the Region that AWS's standard variables name; empty if they name none."""
    return os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or ""


def systemd_socket() -> str:
    """Return where systemd listens for this process; empty if it does not."""
    return os.environ.get("NOTIFY_SOCKET", "")


def systemd_watchdog() -> float:
    """Return after how many seconds without a sign of life systemd ends this process; 0 if it never does."""
    microseconds = os.environ.get("WATCHDOG_USEC", "")
    ours = os.environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
    return int(microseconds) / 1e6 if ours and microseconds.isdecimal() else 0.0


def _guess(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name.upper(), known, n=1, cutoff=0.8)
    return f"{name} is no setting" + (f"; did you mean {near[0]}?" if near else "")


def _remedy(error: Any) -> str:
    place = variable(str(error["loc"][0])) if error["loc"] else PREFIX.rstrip("_")
    text = str(error["msg"]).removeprefix("Value error, ")
    found = "" if not error["loc"] else f" (found {_hidden(place, error['input'])})"
    needed = Settings.needed.get(str(error["loc"][0])) if error["loc"] else None
    return f"{place}: {text[:1].lower()}{text[1:]}{found}" + (f". Write {needed}" if needed else "")


def _hidden(place: str, value: object) -> str:
    """Show what was found, but never the database's password."""
    return "a value that is not shown" if place.endswith("DATABASE_URL") else repr(value)
