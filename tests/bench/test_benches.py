"""Every bench runs, on next to nothing: its figures are not looked at."""

import re
from importlib import import_module

import pytest

from deploy.local.processes import ROOT
from tests.bench import NAMES, claim, claim_crowd
from tests.bench.__main__ import judge
from tests.bench.table import Scale, Table, Target
from tests.databases import Postgres


@pytest.mark.parametrize("name", NAMES)
def test_a_bench_runs_to_its_end_and_prints_what_it_found(name: str) -> None:
    for table in import_module(f"tests.bench.{name}").tables(Scale.TINY):
        assert all(len(row) == len(table.columns) for row in table.rows)
        text = "\n".join(table.lines())
        assert table.title in text
        assert all(target.what in text for target in table.targets)


def test_every_bench_stands_on_the_page_of_figures() -> None:
    said = re.findall(r"^\| `([a-z]+)` \|", (ROOT / "docs" / "performance.md").read_text(), re.MULTILINE)
    assert said == list(NAMES)


def test_claims_are_measured_on_postgresql_too(postgres: Postgres) -> None:
    assert claim.compared("PostgreSQL", postgres.database, Scale.TINY).rows
    assert len(claim_crowd.crowded(postgres, Scale.TINY).rows) == 4


def test_only_what_is_missed_without_a_reason_ends_a_run_with_1(
    capsys: pytest.CaptureFixture[str],
) -> None:
    met = Target("calls", 1, "≤", 2, "of no account while it is met")
    borne, missed = Target("rate", 1, "≥", 2, "it does more"), Target("memory", 3, "≤", 2)
    assert judge([table(met)]) == 0
    assert judge([table(met, borne)]) == 0
    assert "MISSED  rate: 1 (target ≥ 2)\n          known: it does more" in capsys.readouterr().out
    assert judge([table(met), table(borne, missed)]) == 1
    told = capsys.readouterr().out
    assert told.endswith("1 targets missed, 1 more for known reasons\n  a table: memory\n")
    assert "of no account" not in told


def table(*targets: Target) -> Table:
    return Table("a table", ("way", "found"), [("ours", 1.0)], targets)


def test_a_target_is_met_on_its_own_side_of_the_bound() -> None:
    assert Target("× naive", 36.0, "≥", 35).met
    assert not Target("× naive", 34.0, "≥", 35).met
    assert Target("requests a file", 1.05, "≤", 1.05).met
    assert "MISSED" in Target("requests a file", 1.1, "≤", 1.05).line()
