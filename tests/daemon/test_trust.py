"""The table of what the loop is trusted for: no number is missing, and every test that it names is there."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.daemon.trust import LAST, TRUST

TESTS = Path(__file__).parents[1]
NUMBERS = [f"{kind}{number}" for kind, last in LAST.items() for number in range(1, last + 1)]
TAGGED = re.compile(r"((?:[SLKPC]\d{1,2})(?:, [SLKPC]\d{1,2})*)[:.]")


@cache
def names(path: Path) -> dict[str, str]:
    """Return what a module defines, with its docstrings."""
    body = ast.parse(path.read_text()).body
    return {
        each.name: ast.get_docstring(each) or ""
        for each in body
        if isinstance(each, ast.FunctionDef | ast.ClassDef)
    }


def test_every_number_is_shown_by_a_test_or_has_a_reason_why_it_is_not_ours() -> None:
    assert list(TRUST) == NUMBERS
    assert [number for number, promise in TRUST.items() if not promise.tests and not promise.not_ours] == []


@pytest.mark.parametrize("number", TRUST)
def test_every_test_that_is_named_is_there(number: str) -> None:
    for test in TRUST[number].tests:
        path, _, name = test.partition("::")
        assert name in names(TESTS / path), test
        assert name.startswith("test_") or name.endswith("Machine")


def test_every_test_that_names_a_number_stands_in_the_table_under_it() -> None:
    assert [tag for tag in tags() if tag[1] not in TRUST[tag[0]].tests] == []


def tags() -> Iterator[tuple[str, str]]:
    """Return the numbers that docstrings begin with, and where."""
    for path in TESTS.rglob("test_*.py"):
        for name, said in names(path).items():
            found = TAGGED.match(said)
            for number in found[1].split(", ") if found and name.startswith("test_") else ():
                yield number, f"{path.relative_to(TESTS)}::{name}"
