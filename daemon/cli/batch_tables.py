"""Batches, chunks and jobs as tables of 80 columns."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

import click

from consumers.core.cost import money
from daemon.cli.output import cell, cents, console, moment, more, short, show, size, table

Document = Mapping[str, Any]
CHUNKS_SHOWN = 40


def show_overview(document: Document, resting: Sequence[Document]) -> None:
    """Show a line for each batch, and the last errors."""
    made = table("request_id~", "state", "files>", "good>", "USD>", "created")
    for batch in document["batches"]:
        good = f"{_good(batch)}/{batch['records']['total']}"
        row = (batch["request_id"], batch["state"], batch["files"]["total"], good)
        made.add_row(*map(cell, row), cents(batch["cost_usd"]), short(batch["created_at"]))
    show(made, otherwise="No batch yet: post one with `novabatch send FILE`.")
    if document["last_errors"]:
        _show_errors(document["last_errors"])
    show_resting(resting)


def show_batch(document: Document, resting: Sequence[Document]) -> None:
    """Show a batch and its chunks."""
    for line in batch_lines(document):
        click.echo(line)
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
            click.echo(f"{chunk['chunk_id']}: {chunk['last_error']}")
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


def _good(batch: Document) -> int:
    return int(batch["records"]["SUCCEEDED"]) + int(batch["records"]["reused"])
