"""Settings: defaults that work, and errors that say what to write."""

import json
from decimal import Decimal
from pathlib import Path

import pytest

from daemon.settings import (
    BadSettings,
    Role,
    Settings,
    load,
    source_of,
    unknown_variables,
    variable,
)

DESIGN = set(
    """
    DATABASE_URL BUCKET ALLOWED_BUCKETS SUBMIT_QUEUE STATE_QUEUE CLEANUP_QUEUE EVENTS_QUEUE
    EVENT_BUS ROLE_ARN JOB_NAME_PREFIX MAX_FILES_PER_CHUNK MAX_CHUNK_BYTES MAX_FILE_BYTES
    MIN_RECORDS SLOTS STAGE_AHEAD MODELS_FILE ANALYSES_DIR MAX_ATTEMPTS JOB_TIMEOUT_HOURS
    BUDGET_USD_PER_DAY CANARY_CHUNKS MIN_SUCCESS_RATIO MEDIA_ROOTS CONCURRENCY COPY_CONCURRENCY
    VISIBILITY_TIMEOUT RECEIVE_WAIT DRAIN_SECONDS RECONCILE_INTERVAL CHECK_INTERVAL OVERDUE_SECONDS
    FETCH_MAX_RETRIES CLEANUP_AFTER_SUCCESS RETENTION_DAYS RAW_RETENTION_DAYS HTTP_HOST HTTP_PORT
    LOG_LEVEL LOG_FORMAT
    """.split()  # noqa: SIM905
)
BESIDE = {"RESULT_RETENTION_DAYS", "ROW_RETENTION_DAYS"}
"""What was added to the design since: without a value nothing is removed."""
ROLE = "arn:aws:iam::123456789012:role/batch"


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in list(os.environ):
        if name.startswith("NOVABATCH_"):
            monkeypatch.delenv(name)


def test_the_settings_are_those_of_the_design() -> None:
    known = {variable(name) for name in Settings.model_fields}
    assert known == {f"NOVABATCH_{name}" for name in DESIGN | BESIDE}
    assert (load().result_retention_days, load().row_retention_days) == (None, None)


def test_every_setting_has_a_default() -> None:
    settings = load()
    assert settings.database_url.startswith("sqlite:///")
    assert settings.database_url.endswith("novabatch.db")
    assert [settings.port(role) for role in Role] == [9100, 9101, 9102]
    assert settings.concurrency == 8


def test_values_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOVABATCH_ALLOWED_BUCKETS", "one, two,")
    monkeypatch.setenv("NOVABATCH_BUDGET_USD_PER_DAY", "12.50")
    monkeypatch.setenv("NOVABATCH_HTTP_PORT", "0")
    monkeypatch.setenv("NOVABATCH_LOG_LEVEL", "WARNING")
    monkeypatch.setenv("NOVABATCH_MODELS_FILE", "/x/models.json")
    settings = load()
    assert settings.allowed_buckets == ("one", "two")
    assert settings.budget_usd_per_day == Decimal("12.50")
    assert settings.port(Role.CLEANUP) == 0
    assert settings.log_level == "warning"
    assert settings.models_file == Path("/x/models.json")
    assert source_of("http_port") == "environment"
    assert source_of("http_host") == "default"


def test_an_empty_variable_is_no_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOVABATCH_CONCURRENCY", "")
    assert load().concurrency == 8


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("VISIBILITY_TIMEOUT", "1"),
        ("VISIBILITY_TIMEOUT", "50000"),
        ("CONCURRENCY", "0"),
        ("CONCURRENCY", "many"),
        ("RECEIVE_WAIT", "21"),
        ("ROLE_ARN", "batch"),
        ("LOG_FORMAT", "xml"),
        ("JOB_NAME_PREFIX", "-x"),
        ("DATABASE_URL", "sqlite:x.db"),
        ("MAX_CHUNK_BYTES", "6000000000"),
        ("BUDGET_USD_PER_DAY", "-1"),
        ("BUDGET_USD_PER_DAY", "1000001"),
    ],
)
def test_a_value_that_cannot_be_names_its_setting(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"NOVABATCH_{name}", value)
    with pytest.raises(BadSettings, match=f"(?i){name}"):
        load()


@pytest.mark.parametrize("results", ["", "31"])
def test_rows_cannot_go_before_the_results_they_tell_of(
    monkeypatch: pytest.MonkeyPatch, results: str
) -> None:
    monkeypatch.setenv("NOVABATCH_ROW_RETENTION_DAYS", "30")
    monkeypatch.setenv("NOVABATCH_RESULT_RETENTION_DAYS", results)
    with pytest.raises(BadSettings, match="Write a NOVABATCH_RESULT_RETENTION_DAYS of at most 30"):
        load()
    monkeypatch.setenv("NOVABATCH_RESULT_RETENTION_DAYS", "30")
    assert load().row_retention_days == 30


def test_a_password_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOVABATCH_DATABASE_URL", "sqlite:secret")
    with pytest.raises(BadSettings) as caught:
        load()
    assert "secret" not in str(caught.value)


def test_what_is_needed_is_asked_for_with_what_to_write() -> None:
    with pytest.raises(BadSettings, match=r"NOVABATCH_BUCKET is not set: write the name.*NOVABATCH_ROLE_ARN"):
        load().require("bucket", "role_arn")


def test_an_unknown_variable_is_reported_with_what_was_perhaps_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOVABATCH_CONCURENCY", "4")
    assert unknown_variables() == ("NOVABATCH_CONCURENCY is no setting; did you mean NOVABATCH_CONCURRENCY?",)


def test_the_policy_holds_what_decisions_depend_on() -> None:
    settings = load(bucket="media", allowed_buckets="other", role_arn=ROLE, slots=7, max_attempts=5)
    policy = settings.policy("eu-west-1")
    assert policy.allowed_buckets == {"media", "other"}
    assert (policy.stage_ahead, policy.max_attempts) == (7, 5)
    assert (policy.region, policy.role_arn) == ("eu-west-1", ROLE)


def test_a_poll_does_not_outlast_the_drain() -> None:
    assert load(drain_seconds=5).poll_wait == 5
    assert load(drain_seconds=0).poll_wait == 1
    assert load().poll_wait == 20


def test_settings_can_be_shown_as_json() -> None:
    assert json.loads(load().model_dump_json())["receive_wait"] == 20
