"""How the verbs write: JSON documents, lines and tables that fit 80 columns."""

import re
import sys
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

import click

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

WIDTH = 80
_STEERING = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")

as_json: Callable[[Any], Any] = click.option(
    "--json", "as_json", is_flag=True, help="One JSON document on stdout, nothing else."
)


def write_json(document: object) -> None:
    """Write one JSON document."""
    import msgspec

    click.echo(msgspec.json.format(msgspec.json.encode(document), indent=2).decode())


def console() -> "Console":
    """Return where tables go: 80 columns unless a terminal is wider."""
    from rich.console import Console

    return Console(highlight=False) if sys.stdout.isatty() else Console(width=WIDTH, highlight=False)


def table(*columns: str, title: str = "") -> "Table":
    """Return a plain table: a column whose name ends with `>` is set to the right, one with `~` may fold."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    made = Table(
        box=SIMPLE_HEAD,
        show_edge=False,
        title=title or None,
        title_justify="left",
        pad_edge=False,
        collapse_padding=True,
    )
    for name in columns:
        side: Literal["left", "right"] = "right" if name.endswith(">") else "left"
        made.add_column(name.rstrip(">~"), justify=side, overflow="fold", no_wrap=not name.endswith("~"))
    return made


def show(made: "Table", *, otherwise: str = "") -> None:
    """Print a table, or say that there is nothing to print."""
    if made.row_count or not otherwise:
        console().print(made)
    else:
        click.echo(otherwise)


def wrapped(text: str, *, indent: int = 0) -> None:
    """Write a sentence over as many lines as it takes; words longer than a line stay whole for copying."""
    click.echo(filled(text, indent=indent))


def filled(text: str, *, indent: int) -> str:
    """Break a sentence into lines as `wrapped` does."""
    import textwrap

    wrap = textwrap.TextWrapper(
        console().width, subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False
    )
    return wrap.fill(text)


def more(count: int, what: str) -> None:
    """Say how much is not shown, if anything."""
    if count > 0:
        click.echo(f"and {count} {what} more: see --json")


def cell(value: object) -> str:
    """Write a value for a table: nothing for what is unknown, and no markup of the value's own."""
    from rich.markup import escape

    return "-" if value is None else escape(printable(str(value)))


def printable(text: str) -> str:
    r"""Write what would steer a terminal as ``\xNN`` or ``\uNNNN``: names and messages come from anywhere."""
    return _STEERING.sub(lambda found: found.group().encode("unicode_escape").decode(), text)


def counted(number: int, what: str) -> str:
    """Write a number with what is counted: one batch, two batches."""
    plural = f"{what}es" if what.endswith(("ch", "s")) else f"{what}s"
    return f"{number} {what if number == 1 else plural}"


def moment(text: str | None) -> str:
    """Shorten a time to seconds."""
    return "-" if text is None else text[:19].replace("T", " ")


def short(text: str | None) -> str:
    """Shorten a time for a table to month, day and minute."""
    return "-" if text is None else text[5:16].replace("T", " ")


def age(now: datetime, then: datetime | None) -> str:
    """Write how long ago a moment was, by its two largest units: 3h12m."""
    return "-" if then is None else duration((now - then).total_seconds())


def duration(seconds: float) -> str:
    """Write a number of seconds by its two largest units: 45s, 3h12m, 2d4h."""
    left = max(0, int(seconds))
    told: list[str] = []
    for unit, length in (("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)):
        if left >= length or (unit == "s" and not told):
            told.append(f"{left // length}{unit}")
            left %= length
    return "".join(told[:2])


def cents(amount: str | None) -> str:
    """Shorten money for a table to a hundredth of a cent; the whole amount stands in the documents."""
    return "unknown" if amount is None else f"{Decimal(amount):.4f}"


def size(count: int) -> str:
    """Write a number of bytes for people."""
    amount, unit = float(count), "B"
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if amount < 1000 or unit == "TB":
            break
        amount /= 1000
    return f"{count} B" if unit == "B" else f"{amount:.1f} {unit}"
