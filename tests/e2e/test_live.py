"""`doctor --live` over real consumers, with no more permission than the template gives an operator."""

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from consumers.core.layout import REHEARSAL_ROOT
from daemon.cli.live_files import pictures
from deploy.local import processes
from tests.cli.command_line import CommandLine
from tests.e2e.machine import Machine, machine, refused

STEPS = ["files", "accepted", "planned", "copied", "job", "end", "results", "cleaned"]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    folder = tmp_path_factory.mktemp("live")
    settings = {"NOVABATCH_MIN_RECORDS": "100", "NOVABATCH_MAX_FILES_PER_CHUNK": "150"}
    with machine(folder, step_seconds=0.1, **settings) as made:
        yield made


def operator(running: Machine, folder: Path) -> CommandLine:
    settings = {**running.local.environment, "AWS_ACCESS_KEY_ID": "operator"}
    return CommandLine(folder, running.local.server.url, settings)


def live(person: CommandLine, *words: str) -> tuple[int, dict[str, dict[str, Any]]]:
    done = person.run("doctor", "--live", "--yes", "--json", *words)
    checks = {each["name"]: each for each in json.loads(done.stdout)["checks"]}
    return done.exit_code, {name[5:]: each for name, each in checks.items() if name.startswith("live ")}


def batches(running: Machine, folder: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = operator(running, folder).document("status")["batches"]
    return found


def put(running: Machine) -> list[str]:
    return [key for key in running.keys("") if key.startswith(REHEARSAL_ROOT)]


@pytest.mark.timeout(120)
def test_five_oddly_named_files_go_all_the_way_and_each_step_is_told(
    running: Machine, tmp_path: Path
) -> None:
    code, told = live(operator(running, tmp_path))
    assert (code, list(told)) == (0, STEPS), told
    assert {each["level"] for each in told.values()} == {"ok"}, told
    assert "5 files and 95 records of padding" in told["planned"]["detail"]
    assert "model-invocation-job/" in told["job"]["detail"]
    assert "5 of 5 SUCCEEDED" in told["results"]["detail"]
    assert sorted(put(running)) == sorted(pictures())
    assert refused(running) == []
    (batch,) = batches(running, tmp_path)
    assert 0 < Decimal(batch["cost_usd"]) <= Decimal(batch["estimate_usd"]) < Decimal("0.10")


def test_who_says_no_buys_nothing(running: Machine, tmp_path: Path) -> None:
    before = batches(running, tmp_path)
    done = operator(running, tmp_path).run("doctor", "--live", stdin="n\n")
    assert done.exit_code == 1
    assert "at most 0.0" in done.stdout
    assert "nothing was put or bought" in done.stderr
    assert batches(running, tmp_path) == before


def test_a_consumer_that_does_not_run_is_named_and_what_was_sent_goes_on_when_it_does(
    running: Machine, tmp_path: Path
) -> None:
    running.kill("submit")
    before = len(batches(running, tmp_path))
    code, told = live(operator(running, tmp_path), "--patience", "1")
    assert (code, list(told), told["accepted"]["level"]) == (1, ["files", "accepted"], "fault")
    assert "`novabatch run submit`" in told["accepted"]["advice"]
    running.start("submit")
    assert processes.wait_until(lambda: len(batches(running, tmp_path)) == before + 1, 30)


def test_a_permission_that_a_consumer_lacks_is_named_at_the_step_that_needs_it(
    running: Machine, tmp_path: Path
) -> None:
    running.local.server.control.deny("submit", "bedrock:CreateModelInvocationJob")
    code, told = live(operator(running, tmp_path), "--patience", "3")
    running.local.server.control.deny("submit")
    assert (code, list(told)[-1], told["job"]["level"]) == (1, "job", "fault")
    assert "allow bedrock:CreateModelInvocationJob" in told["job"]["detail"]


def test_what_may_not_be_put_is_told_with_the_permission(running: Machine, tmp_path: Path) -> None:
    running.local.server.control.deny("operator", "s3:PutObject")
    done = operator(running, tmp_path).run("doctor", "--live", "--yes")
    running.local.server.control.deny("operator")
    assert done.exit_code == 1
    assert "allow s3:PutObject" in " ".join(done.stdout.split())
    assert "nothing was put or bought" in " ".join(done.stderr.split())
