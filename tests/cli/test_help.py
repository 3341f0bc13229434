"""What the command line says about itself, and what it loads to say it."""

import subprocess
import sys

import pytest

from daemon.cli.program import VERBS
from tests.cli.command_line import CommandLine


def test_help_names_every_verb_with_a_whole_sentence(cli: CommandLine) -> None:
    lines = {line.split()[0]: line for line in cli.ok("--help").splitlines() if line.startswith("  ")}
    for verb in VERBS:
        assert lines[verb].rstrip().endswith("."), lines[verb]
        assert not lines[verb].endswith("...")


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_has_its_own_help(cli: CommandLine, verb: str) -> None:
    assert "Usage: novabatch" in cli.ok(verb, "--help")


def test_help_loads_neither_aws_nor_a_database() -> None:
    program = (
        "import sys\nfrom daemon.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "print(sorted({'boto3', 'botocore', 'sqlalchemy', 'alembic', 'pydantic'} & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert out.splitlines()[-1] == "[]"


def test_the_package_can_be_run_by_its_name() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "daemon", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("novabatch ")


def test_an_unknown_verb_is_wrong_usage(cli: CommandLine) -> None:
    assert "No such command 'statsu'" in cli.refused("statsu", code=2)


READING = (
    "plan",
    "status",
    "pending",
    "show",
    "results",
    "cleanup",
    "audit",
    "storage",
    "doctor",
    "reconcile",
)


@pytest.mark.parametrize("words", [*([verb] for verb in READING), ["dlq", "list"], ["dlq", "redrive"]])
def test_every_verb_that_tells_something_does_so_in_json_too(cli: CommandLine, words: list[str]) -> None:
    assert "--json" in cli.ok(*words, "--help")
