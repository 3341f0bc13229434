"""What a panel and a dashboard say, before they become Grafana's JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

Kind = Literal["stat", "timeseries", "table"]
Color = Literal["green", "yellow", "red"]
Step = tuple[Color, float]
NOTHING = "none"


@dataclass(frozen=True, slots=True)
class Query:
    """One PromQL expression and what its series are called."""

    expr: str
    legend: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """One picture. Width and height in grid units, of which a row has 24; unit by Grafana's name.

    ``base`` is the colour below the first of ``steps``; ``words`` are shown for values, ``blank`` where there
    is no series. ``alerts`` are those whose runbook entries the panel leads to. ``drill`` is the label by
    whose value a series leads to the detail page.
    """

    title: str
    unit: str
    queries: Sequence[Query]
    about: str
    kind: Kind = "timeseries"
    width: int = 8
    height: int = 7
    steps: Sequence[Step] = ()
    base: Color = "green"
    words: Mapping[float, tuple[str, Color]] = field(default_factory=dict)
    blank: str = ""
    columns: Sequence[str] = ()
    stacked: float = 0
    alerts: Sequence[str] = ()
    drill: str = ""

    def to(self, *alerts: str) -> "Panel":
        """Lead to the runbook entries of alerts, named without their common prefix."""
        return replace(self, alerts=[f"Novabatch{name}" for name in alerts])

    def reading(self, *entries: str) -> "Panel":
        """Lead to further entries of the runbook, for what has no alert of its own."""
        return replace(self, alerts=[*self.alerts, *entries])

    def into(self, label: str) -> "Panel":
        """Lead from a series to the detail page of what its label names."""
        return replace(self, drill=label)

    def wide(self, width: int) -> "Panel":
        """Take another width."""
        return replace(self, width=width)

    def saying(self, blank: str) -> "Panel":
        """Say something where there is no series."""
        return replace(self, blank=blank)


@dataclass(frozen=True, slots=True)
class Row:
    """A heading and the panels below it, from left to right."""

    title: str
    panels: Sequence[Panel]


@dataclass(frozen=True, slots=True)
class Variable:
    """A choice at the top of a dashboard, made from a label's values."""

    name: str
    metric: str


@dataclass(frozen=True, slots=True)
class Dashboard:
    """One page."""

    uid: str
    title: str
    rows: Sequence[Row]
    variables: Sequence[Variable] = ()


def tile(title: str, unit: str, expr: str, about: str, *steps: Step, legend: str = "") -> Panel:
    """Return one number, or one for each legend, of a row of six; green below the first step."""
    return Panel(title, unit, (Query(expr, legend),), about, "stat", 4, 4, steps)


def table(title: str, unit: str, about: str, expr: str, *columns: str) -> Panel:
    """Return a list of what is not well: labels and a value named by the last column."""
    return Panel(title, unit, (Query(expr),), about, "table", blank=NOTHING, columns=columns)


def graph(title: str, unit: str, about: str, *queries: tuple[str, str], width: int = 8) -> Panel:
    """Return lines over time, a third of the width, from pairs of expression and legend."""
    return Panel(title, unit, [Query(*each) for each in queries], about, width=width)


def stack(title: str, unit: str, about: str, *queries: tuple[str, str], width: int = 8) -> Panel:
    """Return areas over time that lie on each other."""
    return replace(graph(title, unit, about, *queries, width=width), stacked=40)


def quantile(share: float, bucket: str, by: str = "", window: str = "$__rate_interval") -> str:
    """Return the expression of a histogram's quantile; ``by`` begins with a comma."""
    return f"histogram_quantile({share}, sum by (le{by}) (rate({bucket}[{window}])))"
