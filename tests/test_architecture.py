"""The walls between the rooms, read from the syntax trees."""

import ast
import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from consumers.core.world import World
from schemas.facts import FINDING_KINDS

ROOT = Path(__file__).resolve().parent.parent
EFFECTS = {
    "boto3",
    "botocore",
    "sqlalchemy",
    "alembic",
    "psycopg",
    "sqlite3",
    "os",
    "time",
    "socket",
    "subprocess",
    "pathlib",
    "shutil",
    "tempfile",
    "random",
    "secrets",
    "uuid",
    "threading",
    "logging",
    "structlog",
    "prometheus_client",
    "pydantic_settings",
    "click",
    "rich",
}
CLOCKS = {"now", "utcnow", "today"}


def modules(package: str) -> list[Path]:
    return sorted(path for path in (ROOT / package).rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module or ""


def roots(path: Path) -> set[str]:
    return {name.partition(".")[0] for name in imports(path)}


def test_the_three_packages_are_there() -> None:
    assert all(len(modules(package)) > 5 for package in ("schemas", "consumers", "daemon"))


@pytest.mark.parametrize("path", modules("schemas"), ids=str)
def test_what_is_said_knows_nobody_else(path: Path) -> None:
    assert not roots(path) & {"consumers", "daemon", "deploy", "tests"}


@pytest.mark.parametrize("path", modules("consumers"), ids=str)
def test_what_is_decided_knows_only_what_is_said(path: Path) -> None:
    assert not roots(path) & {"daemon", "deploy", "tests"}


@pytest.mark.parametrize("path", modules("daemon"), ids=str)
def test_the_daemon_knows_neither_the_local_aws_nor_the_tests(path: Path) -> None:
    assert not roots(path) & {"deploy", "tests", "moto"}


@pytest.mark.parametrize("path", modules("deploy"), ids=str)
def test_the_local_aws_shares_no_code_with_the_product(path: Path) -> None:
    assert not roots(path) & {"schemas", "consumers", "daemon", "tests"}


@pytest.mark.parametrize("path", modules("schemas") + modules("consumers"), ids=str)
def test_values_and_decisions_load_nothing_that_acts(path: Path) -> None:
    assert not roots(path) & EFFECTS


@pytest.mark.parametrize("path", modules("schemas") + modules("consumers"), ids=str)
def test_values_and_decisions_never_ask_a_clock_or_open_a_file(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            assert name not in CLOCKS | {"open", "print", "input"}, f"{path}:{node.lineno} calls {name}"


@pytest.mark.parametrize("path", modules("daemon"), ids=str)
def test_the_environment_is_read_by_the_settings_only(path: Path) -> None:
    reads = any(
        isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv"}
        for node in ast.walk(ast.parse(path.read_text()))
    )
    assert not reads or path.name == "settings.py"


@pytest.mark.parametrize("path", modules("schemas") + modules("consumers") + modules("daemon"), ids=str)
def test_only_the_layout_spells_the_folders_of_the_bucket(path: Path) -> None:
    if path.name == "layout.py":
        return
    tree = ast.parse(path.read_text())
    spoken = {id(node) for node in _docstrings(tree)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in spoken:
            assert not any(root in node.value for root in ("nova_batch/", "nova/batch/", "nova_results/"))


def _docstrings(tree: ast.AST) -> Iterator[ast.Constant]:
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr):
            value = body[0].value
            if isinstance(value, ast.Constant):
                yield value


def test_only_the_worker_and_the_loader_of_files_catch_everything() -> None:
    """A message may end in any error of ours, a file of a team's own analyses in any of theirs."""
    catchers = {
        path.relative_to(ROOT).as_posix()
        for package in ("schemas", "consumers", "daemon")
        for path in modules(package)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or {"Exception", "BaseException"} & names(node.type))
    }
    assert catchers == {"daemon/loop/attempt.py", "daemon/analysis_files.py"}


def test_findings_are_stored_and_told_in_one_place_and_their_kinds_are_known() -> None:
    callers, kinds = set(), set()
    for path in modules("consumers"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "find" and _on_store(node):
                callers.add(path.name)
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in {"find", "attempt"}:
                kinds |= set(_kinds(node))
    assert callers == {"findings.py"}
    assert {"plan_failed", "store_failing"} <= kinds
    assert kinds <= set(FINDING_KINDS)


def _on_store(call: ast.Call) -> bool:
    on = getattr(call.func, "value", None)
    return isinstance(on, ast.Attribute) and on.attr == "store"


def _kinds(call: ast.Call) -> Iterator[str]:
    """Return the kinds that are written out: of a finding, and of an attempt that nobody gives up."""
    if getattr(call.func, "id", "") == "find":
        yield from (str(each.value) for each in call.args[:1] if isinstance(each, ast.Constant))
    elif len(call.args) == 4:
        yield from (f"{each.value!s}_failing" for each in call.args[1:2] if isinstance(each, ast.Constant))


def names(node: ast.AST) -> set[str]:
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}


def test_only_one_module_moves_a_state() -> None:
    """Invariant 2: beside the first value of a new row, a state is written in one place."""
    writers = {
        path.name
        for path in modules("daemon")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and getattr(node.func, "attr", "") == "values"
        and any(keyword.arg == "state" for keyword in node.keywords)
    }
    assert writers == {"moves.py"}


def test_a_stage_has_nothing_to_settle_a_message_with() -> None:
    """Invariant 3: of all ports, the world of a stage holds none of the queues."""
    assert {field.name for field in dataclasses.fields(World)} == {
        "now",
        "policy",
        "models",
        "analyses",
        "store",
        "objects",
        "jobs",
        "local",
        "hold",
        "checkpoint",
    }
