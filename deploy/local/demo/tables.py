"""The demo's tables; they fit 80 columns."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from deploy.local.demo.findings import Answer

SHOWN_COPIES = 12
NAME, COPY = 24, 38
FIXED = 61  # columns that the words of an answer do not have


def show_answers(console: Console, found: Sequence[Answer]) -> None:
    """Show each analysed file with the first words of its answer."""
    table = _table("What came of each file", "file", "outcome", "tokens", "USD", "begins")
    table.columns[2].justify = table.columns[3].justify = "right"
    for each in found:
        if each.outcome != "REFUSED":
            line = each.line or {}
            tokens = f"{line.get('input_tokens') or 0}+{line.get('output_tokens') or 0}"
            name, words = cut(each.original.name, NAME), cut(each.words, console.width - FIXED)
            table.add_row(name, each.outcome, tokens, _usd(line), words)
    console.print(table)
    console.print()


def show_refused(console: Console, found: Sequence[Answer]) -> None:
    """Show the files that never reached a job, with the reasons."""
    refused = [each for each in found if each.outcome == "REFUSED"]
    if not refused:
        return
    table = _table("Refused, and the rest went on", "file", "code", "reason")
    table.columns[2].no_wrap = False
    for each in refused:
        code, why = each.error
        table.add_row(cut(each.original.name, NAME), code, escape(why))
    console.print(table)
    console.print()


def show_chunks(console: Console, chunks: Sequence[Mapping[str, Any]]) -> None:
    """Show each chunk with its Bedrock job."""
    table = _table("Chunks and their Bedrock jobs", "chunk", "state", "files", "records", "bytes", "job")
    table.columns[5].no_wrap = False
    for chunk in chunks:
        records = f"{chunk['records']}+{chunk['padding']}"
        job = f"{chunk['job_name']} {str(chunk['job_arn']).rpartition('/')[2]}"
        size = f"{chunk['bytes']:,}"
        table.add_row(str(chunk["index"]), chunk["state"], str(chunk["files"]), records, size, job)
    table.caption = "records: ours + padding up to Bedrock's minimum"
    console.print(table)
    console.print()


def show_copies(console: Console, chunks: Sequence[Mapping[str, Any]]) -> None:
    """Show under which names Bedrock read the files, and that the folders are gone."""
    table = _table("What was copied, and cleaned up", "original", "copy in files/")
    placed = [each for chunk in chunks for each in chunk["placed"] if not each["refused"]]
    for each in placed[:SHOWN_COPIES]:
        table.add_row(cut(each["s3_key"].rpartition("/")[2], COPY), cut(each["safe_name"], COPY))
    if len(placed) > SHOWN_COPIES:
        table.add_row(f"and {len(placed) - SHOWN_COPIES} more", "")
    console.print(table)
    console.print()
    for chunk in chunks:
        size = f"{chunk['cleaned_objects']} objects, {chunk['cleaned_bytes']:,} bytes"
        console.print(f"  cleaned: nova_batch/{chunk['folder']}/ and its output: {size}", soft_wrap=True)


def show_troubles(console: Console, struck: Sequence[tuple[str, int]]) -> None:
    """Show what went wrong on purpose, and how often."""
    table = _table("What went wrong on purpose", "trouble", "times")
    table.columns[1].justify = "right"
    for what, times in struck:
        table.add_row(what, str(times))
    console.print(table)
    console.print()


def show_bill(console: Console, status: Mapping[str, Any]) -> None:
    """Show what the batch cost."""
    on_demand = status["cost_on_demand_usd"] or "unknown"
    console.print(
        f"\nThe bill: {status['cost_usd']} USD, of it {status['cost_padding_usd']} for padding; "
        f"the files on demand would have cost {on_demand} USD."
    )


def show_places(console: Console, places: Mapping[str, str]) -> None:
    """Show where everything is, one place a line, never broken so that it can be copied."""
    console.print("\n[bold]Where things are[/bold]")
    for name, place in places.items():
        console.print(f"  {name:<13}{place}", soft_wrap=True, markup=False, highlight=False)


def _table(title: str, *columns: str) -> Table:
    table = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        caption_justify="left",
        box=SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
    )
    for column in columns:
        table.add_column(column, no_wrap=True, overflow="fold")
    return table


def cut(text: str, width: int) -> str:
    """Cut a text to so many columns of a terminal, for a cell."""
    shown = Text(text)
    shown.truncate(max(width, 10), overflow="ellipsis")
    return escape(shown.plain)


def _usd(line: Mapping[str, Any]) -> str:
    cost = line.get("cost_usd")
    return f"{Decimal(cost):.5f}" if cost else "reused" if line.get("reused_from") else "unknown"
