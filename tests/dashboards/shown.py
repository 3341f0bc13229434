"""What the panels show, asked of a Prometheus as Grafana asks."""

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

from deploy.grafana.panel import Dashboard, Panel
from tests.prometheus import Prometheus

STEP = 1.0
VARIABLES = {"$__rate_interval": "10s", "$queue": ".*", "$model": ".*", "$area": ".*"}
LABEL = re.compile(r"\{\{(\w+)\}\}")


@dataclass(frozen=True, slots=True)
class Shown:
    """What one panel shows at the end, and over the whole time, by the names of its series."""

    last: Mapping[str, float]
    lines: Mapping[str, Sequence[float]]

    @property
    def highest(self) -> float:
        """The highest value of all lines."""
        return max((value for line in self.lines.values() for value in line), default=0.0)

    @property
    def names(self) -> set[str]:
        """The names of what was ever above zero."""
        return {name for name, line in self.lines.items() if any(value > 0 for value in line)}

    def peaks(self) -> Mapping[str, float]:
        """Return the highest value of each line."""
        return {name: max(line) for name, line in self.lines.items()}

    def areas(self) -> Mapping[str, float]:
        """Return what lies below each line, by seconds."""
        return {name: sum(filter(math.isfinite, line)) * STEP for name, line in self.lines.items()}


def panels(dashboard: Dashboard) -> Iterator[Panel]:
    """Return the panels of a dashboard."""
    for row in dashboard.rows:
        yield from row.panels


def show(server: Prometheus, panel: Panel, begin: float, end: float) -> Shown:
    """Return what a panel shows of a time (Unix seconds)."""
    last: dict[str, float] = {}
    lines: dict[str, list[float]] = {}
    for query in panel.queries:
        expression = _written(query.expr)
        for series in _ask(server, "query", query=expression, time=end):
            if not math.isnan(value := float(series["value"][1])):
                last[_name(panel, query.legend, series["metric"])] = value
        for series in _ask(server, "query_range", query=expression, start=begin, end=end, step=STEP):
            values = [float(value) for _, value in series["values"]]
            line = lines.setdefault(_name(panel, query.legend, series["metric"]), [])
            line.extend(value for value in values if not math.isnan(value))
    return Shown(last, {name: line for name, line in lines.items() if line})


def _name(panel: Panel, legend: str, labels: Mapping[str, str]) -> str:
    if panel.kind == "table":
        return " ".join(filter(None, (labels.get(column, "") for column in panel.columns)))
    return LABEL.sub(lambda found: labels.get(found[1], ""), legend).strip()


def _written(expression: str) -> str:
    for name, value in VARIABLES.items():
        expression = expression.replace(name, value)
    return expression


def _ask(server: Prometheus, path: str, **asked: Any) -> list[dict[str, Any]]:
    with urlopen(f"{server.url}/api/v1/{path}?{urlencode(asked)}", timeout=30) as answer:
        found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
    return found
