"""The walls between the rooms, read from the syntax trees."""

import ast
import dataclasses
from collections.abc import Iterator
from functools import cache
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


def modules(*packages: str) -> list[Path]:
    return [path for package in packages for path in sorted((ROOT / package).rglob("*.py"))]


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module or ""


def loads(package: str, *others: str) -> dict[str, set[str]]:
    """Return which modules of a package load any of the others, and which of them."""
    found = {told(path): {name.partition(".")[0] for name in imports(path)} for path in modules(package)}
    return {path: roots & {*others} for path, roots in found.items() if roots & {*others}}


def told(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_the_packages_are_there() -> None:
    assert all(len(modules(package)) > 5 for package in ("schemas", "consumers", "daemon", "deploy"))


def test_what_is_said_knows_nobody_else() -> None:
    assert loads("schemas", "consumers", "daemon", "deploy", "tests") == {}


def test_what_is_decided_knows_only_what_is_said() -> None:
    assert loads("consumers", "daemon", "deploy", "tests") == {}


def test_the_daemon_knows_neither_the_local_aws_nor_the_tests() -> None:
    assert loads("daemon", "deploy", "tests", "moto") == {}


def test_the_local_aws_shares_no_code_with_the_product() -> None:
    assert loads("deploy", "schemas", "consumers", "daemon", "tests") == {}


@pytest.mark.parametrize("package", ["schemas", "consumers"])
def test_values_and_decisions_load_nothing_that_acts(package: str) -> None:
    assert loads(package, *EFFECTS) == {}


def test_values_and_decisions_never_ask_a_clock_or_open_a_file() -> None:
    calls = [
        f"{told(path)}:{node.lineno} calls {_called(node)}"
        for path in modules("schemas", "consumers")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and _called(node) in CLOCKS | {"open", "print", "input"}
    ]
    assert calls == []


def _called(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def test_the_environment_is_read_by_the_settings_only() -> None:
    readers = {
        path.name
        for path in modules("daemon")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv"}
    }
    assert readers <= {"settings.py"}


def test_only_the_layout_spells_the_folders_of_the_bucket() -> None:
    spelt = {
        f"{told(path)}: {text}"
        for path in modules("schemas", "consumers", "daemon")
        if path.name != "layout.py"
        for text in _texts(tree(path))
        if any(root in text for root in ("nova_batch/", "nova/batch/", "nova_results/", "novabatch-doctor/"))
    }
    assert spelt == set()


def _texts(tree: ast.AST) -> Iterator[str]:
    """Return what is written out, but for docstrings."""
    spoken = {id(node) for node in _docstrings(tree)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in spoken:
            yield node.value


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
        told(path)
        for path in modules("schemas", "consumers", "daemon")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or {"Exception", "BaseException"} & names(node.type))
    }
    assert catchers == {"daemon/loop/attempt.py", "daemon/analysis_files.py"}


def test_findings_are_stored_and_told_in_one_place_and_their_kinds_are_known() -> None:
    callers, kinds = set(), set()
    for path in modules("consumers"):
        for node in ast.walk(tree(path)):
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
        for node in ast.walk(tree(path))
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
