"""The verbs that only look: status, results."""

import sys
from datetime import UTC, datetime

import click

from daemon.cli import completion
from daemon.cli.access import open_access
from daemon.cli.output import as_json, write_json

SHOWN = 20


@click.command()
@click.argument("batch", required=False, shell_complete=completion.batches)
@click.option("--limit", type=click.IntRange(1), help="How many batches, newest first.")
@as_json
def status(batch: str | None, limit: int | None, as_json: bool) -> None:
    """Where a batch stands, or all of them."""
    from daemon.cli import batch_tables

    with open_access() as access:
        if batch is None:
            document = access.views.overview(limit or (None if as_json else SHOWN))
        else:
            document = access.views.status(access.batch_id_of(batch)) or {}
        resting = access.views.resting()
        budget = access.settings.budget_usd_per_day
        committed = access.views.committed_on(datetime.now(UTC).date()) if budget is not None else None
    if as_json:
        write_json(document)
        return
    if batch is None:
        batch_tables.show_overview(document, resting)
    else:
        batch_tables.show_batch(document, resting)
    if budget is not None:
        batch_tables.show_day(committed, budget)


@click.command()
@click.argument("batch", shell_complete=completion.batches)
@click.option(
    "--json", "as_json", is_flag=True, help="Accepted for symmetry: the output is JSON Lines anyway."
)
def results(batch: str, as_json: bool) -> None:
    """Print a batch's results as JSON Lines.

    One line for each file and analysis type, as in results.jsonl.
    """
    del as_json
    import msgspec

    from consumers.core.lines import lines_of

    out = sys.stdout.buffer
    with open_access() as access:
        batch_id = access.batch_id_of(batch)
        for row in access.store.result_rows(batch_id):
            for line in lines_of(row, access.analyses):
                out.write(msgspec.json.encode(line) + b"\n")
    out.flush()
