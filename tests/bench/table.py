"""What a bench tells: a table of figures taken in one run, and how they stand to their targets."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

Cell = str | float | None


class Scale(StrEnum):
    """How much a bench does: TINY only shows that it runs, FULL takes as long as it takes."""

    TINY = "tiny"
    SHORT = "short"
    FULL = "full"


@dataclass(frozen=True, slots=True)
class Target:
    """A ratio or a count, and its bound; ``known`` says why it is missed, where that is known and borne."""

    what: str
    found: float
    sense: Literal["≤", "≥"]
    bound: float
    known: str = ""

    @property
    def met(self) -> bool:
        """Tell whether the bound is kept."""
        return self.found <= self.bound if self.sense == "≤" else self.found >= self.bound

    @property
    def failed(self) -> bool:
        """Tell whether the bound is not kept and nobody knows why."""
        return not self.met and not self.known

    def line(self) -> str:
        """Return the target with what was found."""
        mark = "met   " if self.met else "MISSED"
        told = f"  {mark}  {self.what}: {written(self.found)} (target {self.sense} {written(self.bound)})"
        return told if self.met or not self.known else f"{told}\n          known: {self.known}"


@dataclass(frozen=True, slots=True)
class Table:
    """One table of a bench; the first column names who was measured."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    targets: Sequence[Target] = ()
    note: str = ""

    def lines(self) -> Iterable[str]:
        """Return the table as text."""
        cells = [list(self.columns), *([written(cell) for cell in row] for row in self.rows)]
        widths = [max(len(row[place]) for row in cells) for place in range(len(self.columns))]
        yield f"\n{self.title}"
        for number, row in enumerate(cells):
            first, *others = (
                text.ljust(width) if not place else text.rjust(width)
                for place, (text, width) in enumerate(zip(row, widths, strict=True))
            )
            yield "  " + "   ".join([first, *others])
            if not number:
                yield "  " + "   ".join("-" * width for width in widths)
        if self.note:
            yield f"  {self.note}"
        yield from (target.line() for target in self.targets)


def written(cell: Cell) -> str:
    """Write a figure with three digits that count; a dash where there is none."""
    if cell is None:
        return "–"
    if isinstance(cell, str):
        return cell
    return f"{cell:,.0f}" if abs(cell) >= 100 else f"{cell:.3g}"
