"""Batches, chunks and jobs as tables of 80 columns."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

import click

from consumers.core.cost import money
from daemon.cli.output import cell, cents, console, moment, more, printable, short, show, size, table, wrapped

Document = Mapping[str, Any]
CHUNKS_SHOWN = 40
BATCH_ID, GAP = 21, 2


def show_overview(document: Document, resting: Sequence[Document]) -> None:
    """Show a line for each batch, and the last errors."""
    columns = {name: list(map(tell, document["batches"])) for name, tell in _OVERVIEW.items()}
    for name in _DISPENSABLE:
        if _room(columns) < BATCH_ID:
            del columns[name]
    room = _room(columns)
    names = [_name(batch, room) for batch in document["batches"]]
    made = table("batch~", *columns)
    for row in zip(names, *columns.values(), strict=True):
        made.add_row(*map(cell, row))
    show(made, otherwise="No batch yet: post one with `novabatch send FILE`.")
    if document["last_errors"]:
        _show_errors(document["last_errors"])
    show_resting(resting)


def _room(columns: Mapping[str, Sequence[str]]) -> int:
    """Return how wide a name may be beside these columns."""
    return console().width - sum(max(map(len, (name, *cells))) + GAP for name, cells in columns.items())


def _name(batch: Document, room: int) -> str:
    """Name a batch so that it can be copied: by its request_id, or by its batch_id where that is too long."""
    return str(batch["request_id"] if len(batch["request_id"]) <= room else batch["batch_id"])


def show_batch(document: Document, resting: Sequence[Document]) -> None:
    """Show a batch and its chunks."""
    for line in batch_lines(document):
        wrapped(line, indent=10)
    chunks = document["chunks"]
    made = table("chunk", "state", "files>", "records>", "bytes>", "job ended", "cleaned")
    for chunk in chunks[:CHUNKS_SHOWN]:
        records = f"{chunk['records']}+{chunk['padding']}" if chunk["padding"] else chunk["records"]
        made.add_row(
            f"{chunk['index']:03}",
            *map(cell, (chunk["state"], chunk["files"], records, size(chunk["bytes"]))),
            short(chunk["ended_at"]),
            short(chunk["cleaned_at"]),
        )
    if chunks:
        click.echo(f"chunks    {document['batch_id']}-NNN")
        show(made)
    more(len(chunks) - CHUNKS_SHOWN, "chunks")
    for chunk in chunks:
        if chunk["last_error"]:
            wrapped(printable(f"{chunk['chunk_id']}: {chunk['last_error']}"), indent=2)
    show_resting(resting)


def batch_lines(document: Document) -> list[str]:
    """Say in a few lines where a batch stands and what it costs."""
    records, files, tokens = document["records"], document["files"], document["tokens"]
    told = [f"{count} {name}" for name, count in records.items() if count and name != "total"]
    reason = f" ({document['reason']})" if document["reason"] else ""
    unknown = "unknown"
    return [
        f"batch     {document['batch_id']}  request {document['request_id']}",
        f"state     {document['state']}{reason}, revision {document['revision']}",
        f"model     {document['model']}",
        f"files     {files['total']}, of them refused {files['refused']}",
        f"records   {records['total']}" + (f": {', '.join(told)}" if told else ""),
        f"tokens    {tokens['input']} in, {tokens['output']} out",
        *_bill(document),
        f"estimate  at most {document['estimate_usd'] or unknown} USD, committed {_committed(document)}",
        *_held_back(document),
        f"times     created {moment(document['created_at'])}, finished {moment(document['finished_at'])}",
    ]


def _bill(document: Document) -> Iterator[str]:
    """Say what was paid and for what, and what the same records would have cost on demand."""
    names = ("cost_usd", "cost_padding_usd", "cost_superseded_usd", "cost_on_demand_usd")
    cost, padding, retries, on_demand = (_amount(document[name]) for name in names)
    files = None if cost is None or padding is None or retries is None else cost - padding - retries
    saved = None if cost is None or on_demand is None else on_demand - cost
    parts = {"files": files, "padding": padding, "retries": retries}
    yield f"cost      {_told(cost)} USD: " + ", ".join(f"{name} {_told(usd)}" for name, usd in parts.items())
    yield f"on demand {_told(on_demand)} USD for the same records, without padding: saved {_told(saved)}"


def _amount(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _told(amount: Decimal | None) -> str:
    return money(amount) or "unknown"


def _committed(document: Document) -> str:
    budget = f" of a budget of {document['budget_usd']}" if document["budget_usd"] else ""
    return f"{document['committed_usd']}{budget}"


def _held_back(document: Document) -> Iterator[str]:
    """Say what keeps chunks of a batch from being bought, now or for good."""
    if document["canary"] is not None:
        yield f"canary    the others wait until the first {document['canary']} chunks have done well enough"
    if document["stopped"] and document["stopped"] not in (document["reason"] or ""):
        yield f"stopped   {document['stopped']}"


def show_resting(resting: Sequence[Document]) -> None:
    """Tell which models are paused, and which Bedrock has asked to wait."""
    for model in resting:
        everything = model["model"] == "*"
        name = "submit" if everything else f"submit for {model['model']}"
        if model["paused_at"]:
            click.echo(f"PAUSED {name} since {moment(model['paused_at'])}: {model['paused_reason']}")
            only = "" if everything else f" --model {model['model']}"
            click.echo(f"It goes on with `novabatch resume submit{only}`.")
        elif model["blocked_until"]:
            click.echo(f"{name}: Bedrock's quota was full; tried again at {moment(model['blocked_until'])}")


def show_day(committed: Decimal | None, budget: Decimal) -> None:
    """Tell what of the day's budget is committed."""
    click.echo(
        f"BUDGET_USD_PER_DAY: {money(committed)} of {money(budget)} USD are committed today (UTC); "
        "a chunk that would exceed it waits for midnight."
    )


def _show_errors(errors: Sequence[Document]) -> None:
    made = table("time", "chunk", "last errors~")
    for error in errors:
        made.add_row(short(error["time"]), cell(error["chunk_id"]), cell(error["message"]))
    console().print(made)


_OVERVIEW: Mapping[str, Callable[[Document], str]] = {
    "state": lambda batch: str(batch["state"]),
    "files>": lambda batch: str(batch["files"]["total"]),
    "good>": lambda batch: f"{_good(batch)}/{batch['records']['total']}",
    "USD>": lambda batch: cents(batch["cost_usd"]),
    "created": lambda batch: short(batch["created_at"]),
}
_DISPENSABLE = ("files>", "created")


def _good(batch: Document) -> int:
    return int(batch["records"]["SUCCEEDED"]) + int(batch["records"]["reused"])
