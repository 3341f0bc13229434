"""The documents say what the code does: commands, settings, paths and states."""

import ast
import re
from pathlib import Path

import pytest

from consumers.core.lifecycle import BatchState, ChunkState
from daemon import event_list, metric_list
from daemon.cli.program import VERBS
from daemon.settings import Settings
from schemas.facts import Fact
from schemas.outcomes import Outcome

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()
SCALING = (ROOT / "docs/scaling.md").read_text()
ARCHITECTURE = (ROOT / "ARCHITECTURE.md").read_text()
RUNBOOK = (ROOT / "docs/runbook.md").read_text()
RECOVERY = (ROOT / "docs/recovery.md").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()


def test_every_command_in_the_readme_exists() -> None:
    said = set(re.findall(r"(?:^|`|\n)novabatch ([a-z]+)", README))
    assert said
    assert said <= set(VERBS)


def test_every_command_in_the_runbook_exists() -> None:
    said = set(re.findall(r"`novabatch ([a-z]+)", RUNBOOK))
    assert said
    assert said <= set(VERBS)


def test_every_command_in_the_page_of_recovery_exists() -> None:
    said = set(re.findall(r"(?:`|\n|bin/)novabatch ([a-z]+)", RECOVERY))
    assert said
    assert said <= set(VERBS)


@pytest.mark.parametrize("page", [RUNBOOK, RECOVERY], ids=["runbook", "recovery"])
def test_every_setting_in_a_page_for_operators_exists(page: str) -> None:
    said = {name.lower() for name in re.findall(r"NOVABATCH_([A-Z_]+)", page)}
    assert said
    assert said <= set(Settings.model_fields)


def test_every_make_target_in_the_readme_exists() -> None:
    said = set(re.findall(r"(?:^|`|\n)make ([a-z]+)", README))
    targets = set(re.findall(r"^([a-z]+):", MAKEFILE, re.MULTILINE))
    assert said
    assert said <= targets


def test_every_setting_in_the_readme_exists() -> None:
    said = {name.lower() for name in re.findall(r"(?<!_)NOVABATCH_([A-Z_]+)", README)}
    assert said
    assert said <= set(Settings.model_fields)


@pytest.mark.parametrize(
    "document",
    [
        "README.md",
        "ARCHITECTURE.md",
        "CHANGELOG.md",
        "docs/results.md",
        "docs/runbook.md",
        "docs/recovery.md",
        "docs/scaling.md",
        "docs/licences.md",
        "deploy/cloudformation/README.md",
        "deploy/postgresql/README.md",
        "deploy/systemd/README.md",
        "docs/contract/README.md",
    ],
)
def test_links_between_documents_lead_somewhere(document: str) -> None:
    path = ROOT / document
    for target in re.findall(r"\]\(([^)#]+)\)", path.read_text()):
        assert (path.parent / target).exists(), target


def test_every_path_in_the_architecture_page_exists() -> None:
    said = re.findall(r"`((?:tests|consumers|daemon|schemas|deploy)/[\w./*]*)`", ARCHITECTURE)
    assert said
    for path in said:
        assert list(ROOT.glob(path.rstrip("/"))), path


def test_the_architecture_page_names_every_state() -> None:
    for name in (*BatchState, *ChunkState, *Outcome):
        assert re.search(rf"\b{name}\b", ARCHITECTURE), name


def test_every_invariant_has_a_test_that_holds_it() -> None:
    rows = re.findall(r"^\| [0-9]+ \| .* \| (.*) \|$", ARCHITECTURE, re.MULTILINE)
    assert len(rows) == 8
    assert all("tests/" in row for row in rows)


def test_the_page_of_metrics_is_what_the_code_declares() -> None:
    assert (ROOT / "docs/metrics.md").read_text() == metric_list.page(), "write it anew: make pages"


def test_the_page_of_events_is_what_the_code_declares() -> None:
    assert (ROOT / "docs/events.md").read_text() == event_list.page(), "write it anew: make pages"


def test_every_log_line_is_named_after_a_declared_event_and_every_event_is_used() -> None:
    assert {call.event for call in event_list.calls()} == event_list.EVENTS.keys()


def test_a_logger_is_only_ever_called_so_that_no_line_escapes_the_page_of_events() -> None:
    """Facts are told by name and level of their own; everything else is ``_log.<level>("event", …)``."""
    ways = {f"_log.{level}" for level in event_list.LEVELS}
    for path in (ROOT / "daemon").rglob("*.py"):
        tree = ast.parse(path.read_text())
        called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign) and "get_logger" in ast.unparse(node.value):
                assert ast.unparse(node.targets[0]) == "_log", path
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "_log":
                assert ast.unparse(node) in ways, path
                assert id(node) in called or path.name == "facts.py", path


def test_no_two_events_share_a_name() -> None:
    names = [kind.event for kind in event_list.facts()]
    assert {kind.__name__ for kind in event_list.facts()} == {kind.__name__ for kind in Fact.__subclasses__()}
    assert len(names) == len(set(names))
    assert not event_list.EVENTS.keys() & set(names)


def test_the_arithmetic_of_the_scaling_page_is_right() -> None:
    rows = re.findall(r"^\| (\d+) \| ([\d,]+) \| (\d+) \| ([\d,]+) \|$", SCALING, re.MULTILINE)
    assert len(rows) > 3
    for slots, files, minutes, told in rows:
        number = int(slots) * int(files.replace(",", "")) * 24 * 60 / int(minutes)
        assert number == int(told.replace(",", "")), (slots, files, minutes)
