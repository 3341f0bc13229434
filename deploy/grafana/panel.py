"""What a panel and a dashboard say, before they become Grafana's JSON."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["stat", "timeseries"]
Color = Literal["green", "yellow", "red"]


@dataclass(frozen=True, slots=True)
class Query:
    """One PromQL expression and what its series are called."""

    expr: str
    legend: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """One picture. Width and height in grid units, of which a row has 24; unit by Grafana's name."""

    title: str
    unit: str
    queries: Sequence[Query]
    about: str
    kind: Kind = "timeseries"
    width: int = 8
    height: int = 7
    steps: Sequence[tuple[Color, float]] = ()
    stacked: float = 0


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


def tile(title: str, unit: str, expr: str, about: str, *steps: tuple[Color, float]) -> Panel:
    """Return one number of a row of six, green below the first step."""
    return Panel(title, unit, (Query(expr),), about, "stat", 4, 4, steps)


def graph(title: str, unit: str, about: str, *queries: tuple[str, str]) -> Panel:
    """Return lines over time, a third of the width, from pairs of expression and legend."""
    return Panel(title, unit, [Query(*each) for each in queries], about)


def stack(title: str, unit: str, about: str, *queries: tuple[str, str]) -> Panel:
    """Return areas over time that lie on each other."""
    return Panel(title, unit, [Query(*each) for each in queries], about, stacked=40)


def quantile(share: float, bucket: str, by: str = "", window: str = "$__rate_interval") -> str:
    """Return the expression of a histogram's quantile; ``by`` begins with a comma."""
    return f"histogram_quantile({share}, sum by (le{by}) (rate({bucket}[{window}])))"
