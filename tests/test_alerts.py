"""Alerts: each fires on what it is for and on nothing near it, and says what to do."""

import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from daemon.metric_list import DECLARED, PREFIX
from schemas.facts import FINDING_KINDS
from tests.alert_cases import ALSO_FIRES, ALSO_QUIET, CASES
from tests.alert_series import Case, Series

ROOT = Path(__file__).resolve().parent.parent
RULES = ROOT / "deploy/prometheus"
RUNBOOK = (ROOT / "docs/runbook.md").read_text()
SEVERITIES = {"critical", "warning", "info"}
FIRES: list[Mapping[str, Any]] = [{"labels": "{}", "value": 1}]
EVALUATED = {"1m": "5m", "30m": "30m"}
"""How often rules are evaluated where a case is scraped so often: what lasts days is costly to evaluate."""
HISTOGRAM = r"_(?:bucket|count|sum)$"


def rules(file: str) -> list[dict[str, Any]]:
    groups = yaml.safe_load((RULES / file).read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


ALERTS = {rule["alert"].removeprefix("Novabatch"): rule for rule in rules("alerts.yml")}


def test_every_alert_has_its_cases_and_every_case_its_alert() -> None:
    assert CASES.keys() == ALERTS.keys()
    assert ALSO_QUIET.keys() | ALSO_FIRES.keys() <= ALERTS.keys()


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_says_how_bad_it_is_what_it_is_and_where_to_read_on(name: str) -> None:
    rule = ALERTS[name]
    assert rule["alert"] == f"Novabatch{name}"
    assert rule["labels"]["severity"] in SEVERITIES
    told = rule["annotations"]
    assert re.fullmatch(r"[A-Z][^{}]*\.", told["summary"])
    assert told["description"]
    assert told["runbook_url"] == f"docs/runbook.md#novabatch{name.lower()}"


def test_the_runbook_has_an_entry_for_every_alert_and_no_other() -> None:
    assert re.findall(r"^## Novabatch(\w+)$", RUNBOOK, re.MULTILINE) == sorted(
        ALERTS, key=lambda name: RUNBOOK.index(f"## Novabatch{name}\n")
    )


def test_rules_ask_only_for_metrics_that_are_declared() -> None:
    known = {PREFIX + each.name for each in DECLARED}
    known |= {f"{name}_{part}" for name in known for part in ("bucket", "count", "sum")}
    for rule in (*rules("alerts.yml"), *rules("recording.yml")):
        said = set(re.findall(r"(?<![\w:])novabatch_\w+(?!\w*:)", rule["expr"]))
        assert said <= known, rule


def test_every_finding_makes_some_alert_fire() -> None:
    asked = [re.findall(r'kind=~"([^"]+)"', rule["expr"]) for rule in ALERTS.values()]
    patterns = [pattern for found in asked for pattern in found]
    for kind in FINDING_KINDS:
        assert any(re.fullmatch(pattern, kind) for pattern in patterns), kind


def test_the_rules_are_valid(promtool: Path) -> None:
    check(promtool, "check", "config", RULES / "prometheus.yml")


def test_alerts_fire_on_what_they_are_for_and_on_nothing_near_it(promtool: Path, tmp_path: Path) -> None:
    files = [tmp_path / f"cases-{every}.yml" for every in EVALUATED]
    for file, (every, evaluated) in zip(files, EVALUATED.items(), strict=True):
        body = {
            "rule_files": [str(RULES / "recording.yml"), str(RULES / "alerts.yml")],
            "evaluation_interval": evaluated,
            "group_eval_order": ["novabatch-recording", "novabatch"],
            "tests": [each for each in cases() if each["interval"] == every],
        }
        file.write_text(yaml.safe_dump(body))
    assert {each["interval"] for each in cases()} == EVALUATED.keys()
    check(promtool, "test", "rules", *files)


def cases() -> Iterator[Mapping[str, Any]]:
    """Write the cases as promtool wants them: does the alert fire or not."""
    for name, case in CASES.items():
        yield one(name, case, case.fires, FIRES)
        yield one(name, case, case.quiet, [])
    for name, several in ALSO_QUIET.items():
        for series in several:
            yield one(name, CASES[name], series, [])
    for name, series in ALSO_FIRES.items():
        yield one(name, CASES[name], series, FIRES)


def one(name: str, case: Case, series: Series, expected: list[Mapping[str, Any]]) -> Mapping[str, Any]:
    firing = f'count(ALERTS{{alertname="Novabatch{name}", alertstate="firing"}})'
    return {
        "name": f"{name} {'fires' if expected else 'is quiet'}",
        "interval": case.every,
        "input_series": [{"series": each, "values": values} for each, values in series.items()],
        "promql_expr_test": [{"expr": firing, "eval_time": case.at, "exp_samples": expected}],
    }


def check(promtool: Path, *command: str | Path) -> None:
    ran = subprocess.run([promtool, *command], capture_output=True, text=True, check=False, timeout=120)
    assert ran.returncode == 0, ran.stdout + ran.stderr
