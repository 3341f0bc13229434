"""The bill: what the lines say, padding and superseded attempts add up to what the tokens cost, exactly."""

import json
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from consumers.core import layout
from consumers.core.faults import PassingFault
from consumers.core.lifecycle import BatchState, ChunkState
from consumers.core.lines import lines_of
from daemon.adapters.store import SqlStore
from schemas.analyses import REGISTRY, Registry
from schemas.messages import CancelBatch, ReparseBatch, RetryBatch
from schemas.shapes import Notes
from tests.cli.command_line import CommandLine
from tests.contracts.planting import prove
from tests.stages.bedrock_answers import Line, answer, error, success, usage
from tests.stages.simulation import Simulation

PRICE_IN, PRICE_OUT = Decimal("0.165e-6"), Decimal("1.375e-6")
CUT = '{"summary": {"text": "A po'


@pytest.fixture
def cli(database_url: str, tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path, settings={"NOVABATCH_DATABASE_URL": database_url})


@pytest.fixture
def sim(store: SqlStore) -> Simulation:
    prove(store)
    sim = Simulation(store, min_records=5)
    sim.small_chunks(3)
    return sim


def used(line: Line, inputs: int, outputs: int) -> Line:
    """Give an answer token counts of its own."""
    line["modelOutput"]["usage"] = usage(inputs, outputs)
    return line


def everything(sim: Simulation) -> str:
    """Let a batch meet all that can happen to its money, as far as its first end."""
    files = sim.media(8)
    sim.submit(files[6:7], "before")
    sim.finish_all()
    del sim.objects.buckets["media"][files[7]["s3_key"]]
    plan = sim.answers.plan
    plan("file-1:combined", used(answer("no JSON at all"), 1001, 7), used(success("x:combined"), 1003, 11))
    plan("file-2:combined", *(used(answer(CUT, "max_tokens"), 1013, 17 * n) for n in (1, 2)))
    plan("file-3:combined", *(used(answer("never any JSON"), 1019, 23 * n) for n in (1, 2)))
    plan("file-4:combined", error(503), used(success("x:combined"), 1031, 29))
    batch_id = sim.submit(files)
    chunk = sim.store.chunk(layout.chunk_id(batch_id, 1))
    assert chunk is not None
    output = layout.output_prefix(chunk.folder)
    sim.objects.fail_next("list", PassingFault("broken pipe"), subject=output, times=4)
    sim.finish_jobs()
    for _ in range(5):
        sim.pass_time(200)
    sim.finish_all()
    return batch_id


def read_late(sim: Simulation) -> None:
    sim.pass_time(3600)
    sim.reconcile()
    sim.finish_all()


def retry_and_cancel(sim: Simulation, batch_id: str) -> None:
    """Ask for what failed again, and change one's mind before Bedrock has begun."""
    sim.store.pause("*", "nobody starts", sim.now)
    sim.post(RetryBatch(batch_id=batch_id))
    sim.run()
    sim.post(CancelBatch(batch_id=batch_id))
    sim.run()


def billed(sim: Simulation, batch_id: str) -> tuple[int, int]:
    """Sum the tokens in the raw lines: whatever Bedrock has written for the batch."""
    tokens = [0, 0]
    for key in sim.objects.keys(layout.results_prefix(batch_id) + "raw/"):
        for line in sim.objects.text(key).splitlines():
            told = json.loads(line).get("modelOutput", {}).get("usage", {})
            tokens[0] += told.get("inputTokens", 0)
            tokens[1] += told.get("outputTokens", 0)
    return tokens[0], tokens[1]


def said(cli: CommandLine, sim: Simulation, batch_id: str) -> bytes:
    """Return the batch's lines, the same from the command line, the file and the store."""
    printed = cli.run("results", batch_id).stdout_bytes
    assert printed == sim.objects.read(layout.results_key(batch_id))
    stored = (line for row in sim.store.result_rows(batch_id) for line in lines_of(row, REGISTRY))
    assert printed == b"".join(msgspec.json.encode(line) + b"\n" for line in stored)
    return printed


def lines(printed: bytes) -> Iterator[dict[str, Any]]:
    yield from map(json.loads, printed.splitlines())


def usd(amount: str | None) -> Decimal:
    assert amount is not None
    return Decimal(amount)


def check_bill(cli: CommandLine, sim: Simulation, batch_id: str) -> None:
    """Compare every place that tells money with the tokens and the price."""
    status = cli.document("status", batch_id)
    manifest = json.loads(sim.objects.text(layout.manifest_json_key(batch_id)))
    cost, padding, superseded = (
        usd(status[name]) for name in ("cost_usd", "cost_padding_usd", "cost_superseded_usd")
    )
    told = sum(
        (usd(line["cost_usd"]) for line in lines(said(cli, sim, batch_id)) if line["cost_usd"]), Decimal(0)
    )
    tokens_in, tokens_out = billed(sim, batch_id)
    assert told + padding + superseded == cost == tokens_in * PRICE_IN + tokens_out * PRICE_OUT
    assert status["tokens"] == {"input": tokens_in, "output": tokens_out} == manifest["tokens"]
    assert [manifest[name] for name in ("cost_usd", "padding_usd", "superseded_usd")] == [
        status[name] for name in ("cost_usd", "cost_padding_usd", "cost_superseded_usd")
    ]
    again = [json.loads(line) for line in sim.objects.text(manifest["superseded"]["key"]).splitlines()]
    assert sum(usd(line["cost_usd"]) for line in again if line["cost_usd"]) == superseded
    assert padding > 0 < superseded
    assert (cost - padding) * 2 == usd(status["cost_on_demand_usd"])


def test_a_batch_that_meets_everything_is_billed_to_the_last_digit(sim: Simulation, cli: CommandLine) -> None:
    batch_id = everything(sim)
    assert sim.outcomes(batch_id)["5:combined"] == "MISSING"
    assert (cli.document("status", batch_id)["cost_usd"], sim.batch(batch_id).revision) == (None, 1)
    said(cli, sim, batch_id)
    read_late(sim)
    assert sim.batch(batch_id).revision == 2
    check_bill(cli, sim, batch_id)
    retry_and_cancel(sim, batch_id)
    assert (sim.batch(batch_id).state, sim.batch(batch_id).revision) == (BatchState.CANCELLED, 3)
    assert ChunkState.CANCELLED in dict(sim.store.chunk_ids(batch_id)).values()
    check_bill(cli, sim, batch_id)
    found = {(line["file_id"], line["outcome"]): line for line in lines(said(cli, sim, batch_id))}
    assert found[2, "TRUNCATED"]["repaired"]
    assert found[7, "SUCCEEDED"]["reused_from"]
    assert {outcome for _, outcome in found} == {"SUCCEEDED", "TRUNCATED", "CANCELLED", "REFUSED"}
    sim.analyses = Registry(replace(each, rules=(*each.rules, without_summary)) for each in REGISTRY)
    sim.post(ReparseBatch(batch_id=batch_id))
    sim.run()
    assert sim.batch(batch_id).revision == 4
    check_bill(cli, sim, batch_id)


def without_summary(result: dict[str, Any], _: Notes) -> None:
    """Read an answer otherwise than it was read when it was bought."""
    result.get("summary", {})["text"] = ""
