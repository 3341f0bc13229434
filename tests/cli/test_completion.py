"""Completion in a shell: its script, and what is offered for verbs, options and names."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner

from consumers.core import layout
from daemon.adapters.store import SqlStore
from daemon.cli import main
from daemon.cli.program import VERBS
from tests.cli.command_line import CommandLine
from tests.contracts.planting import plant

PROGRAM = "import sys; sys.argv[0] = 'novabatch'; from daemon.cli import main; main()"
ASKED = "_NOVABATCH_COMPLETE"
COMPLETE = """
eval "$(_NOVABATCH_COMPLETE=bash_source novabatch)"
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
_novabatch_completion novabatch
printf '%s\\n' "${COMPREPLY[@]}"
"""


def ask(cli: CommandLine, instruction: str, words: str = "") -> str:
    """Ask as the script of a shell does."""
    asked = {ASKED: instruction, "COMP_WORDS": words, "COMP_CWORD": str(len(words.split(" ")) - 1)}
    done = CliRunner().invoke(main, [], env={**cli.environment, **asked}, prog_name="novabatch")
    assert (done.exit_code, done.stderr) == (0, "")
    return done.stdout


def offered(cli: CommandLine, words: str) -> list[str]:
    """Return what bash would offer; an empty answer is an empty line."""
    return [line.partition(",")[2] for line in ask(cli, "bash_complete", words).splitlines() if line]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_a_script_that_asks_for_answers(cli: CommandLine, shell: str) -> None:
    script = ask(cli, f"{shell}_source")
    assert f"{ASKED}={shell}_complete" in script


def test_bash_itself_completes_with_it(cli: CommandLine) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("no bash")
    program = cli.folder / "novabatch"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{PROGRAM}" "$@"\n')
    program.chmod(0o755)
    means = {"PATH": f"{cli.folder}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        [bash, "-c", COMPLETE, "bash", "novabatch", "re"],
        env={**os.environ, **cli.environment, **means},
        capture_output=True,
        text=True,
        check=True,
    )
    found = done.stdout.split()
    assert found == [verb for verb in VERBS if verb.startswith("re")]


def test_verbs_options_and_choices_are_offered(cli: CommandLine) -> None:
    assert offered(cli, "novabatch ") == list(VERBS)
    assert offered(cli, "novabatch dlq ") == ["list", "redrive"]
    assert "--dry-run" in offered(cli, "novabatch dlq redrive --")
    assert offered(cli, "novabatch run ") == ["submit", "job_state", "cleanup", "all"]
    assert offered(cli, "novabatch dlq list --queue s") == ["submit", "state"]
    assert "nova-2-lite" in offered(cli, "novabatch pause submit --model nova")


@pytest.mark.parametrize("verb", ["status", "show", "results", "cancel", "retry", "reparse", "cleanup"])
def test_batches_are_offered_by_either_name(cli: CommandLine, sqlite_store: SqlStore, verb: str) -> None:
    plant(sqlite_store, "catalog-1")
    batch_id = layout.batch_id("catalog-1")
    assert offered(cli, f"novabatch {verb} cat") == ["catalog-1"]
    assert offered(cli, f"novabatch {verb} {batch_id[:4]}") == [batch_id]
    assert offered(cli, f"novabatch {verb} cat_") == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"NOVABATCH_DATABASE_URL": "sqlite:////nowhere/novabatch.db"},
        {"NOVABATCH_DATABASE_URL": "postgresql://u:p@127.0.0.1:9/n"},
        {"NOVABATCH_SLOTS": "many"},
    ],
)
def test_where_nothing_can_be_offered_nothing_is_said(cli: CommandLine, wrong: Mapping[str, str]) -> None:
    cli.settings |= wrong
    assert offered(cli, "novabatch status ") == []
    assert not Path("/nowhere").exists()
