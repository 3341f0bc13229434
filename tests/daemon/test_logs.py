"""What a process logs: one JSON object a line, a name for each, ids to find it by, and nothing secret."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from consumers.core.faults import Rejected
from daemon import event_list
from daemon.adapters.store import make_engine
from tests.daemon.bench import BATCH_ID
from tests.daemon.telling import MARK

ROOT = Path(__file__).parents[2]
Line = dict[str, Any]
Tell = Callable[[str, str], str]


@pytest.fixture
def tell(tmp_path: Path) -> Tell:
    """Let a process log, and return what it wrote."""

    def run(level: str, form: str) -> str:
        words = ["-m", "tests.daemon.telling", level, form, str(tmp_path / "x.db")]
        done = subprocess.run([sys.executable, *words], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stderr

    return run


def test_every_line_is_an_object_with_a_name_of_the_page_and_the_ids_of_its_message(tell: Tell) -> None:
    lines: list[Line] = [json.loads(line) for line in tell("info", "json").splitlines()]
    for line in lines:
        assert {"timestamp", "level", "event"} <= line.keys()
        assert line["event"] in event_list.EVENTS
    named = {line["event"] for line in lines}
    assert named >= {"stage_broke", "message_retried", "message_refused", "library_said"}
    for line in lines:
        if line["event"] in {"stage_broke", "message_retried"}:
            ids = (line["queue"], line["type"], line["batch_id"])
            assert ids == ("submit", "PlanBatch", BATCH_ID)
            assert line["message_id"]
        if line["event"] == "message_refused":
            assert line["message_id"]
    assert [line["word"] for line in lines if line["event"] == "systemd_not_told"] == ["READY=1"]


@pytest.mark.parametrize("form", ["json", "console"])
def test_what_an_error_says_of_the_data_it_met_stays_out_of_the_lines_above_debug(
    tell: Tell, form: str
) -> None:
    told = tell("info", form)
    assert "stage_broke" in told
    assert MARK not in told
    assert "KeyError" in told and "ValueError" in told
    assert "in breaks" in told
    assert "SQS is busy" in told


def test_at_debug_an_error_is_told_in_its_own_words(tell: Tell) -> None:
    told = tell("debug", "json")
    assert f"ValueError: cannot read local {MARK}" in told


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://user:p:S3cr@S3cr@host/db",
        "postgresql+psycopg://user:S3cr@host:S3cr/db",
        "S3cr://user:S3cr",
        "postgresql+psycopg//user:S3cr@host/db",
    ],
)
def test_a_database_url_that_cannot_be_read_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(Rejected) as refused:
        make_engine(url)
    assert "S3cr" not in refused.value.message
