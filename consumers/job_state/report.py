"""What a batch leaves behind at its end: results.jsonl, manifest.json, and the event that names them."""

from collections.abc import Iterable
from itertools import chain
from typing import cast

import msgspec

from consumers.core import layout
from consumers.core.cost import money
from consumers.core.lifecycle import BatchState
from consumers.core.lines import ResultRow
from consumers.core.rows import Batch, BatchCount, Part, Spent, Written
from consumers.core.world import World
from consumers.endings import stamp
from consumers.parts import measure_lines, write_lines
from schemas.documents import BatchFinished, End, Manifest, Summary, WrittenPart, outcomes
from schemas.documents import Written as WrittenFile
from schemas.events import Event, EventName


def write_report(batch: Batch, count: BatchCount, state: BatchState, reason: str, world: World) -> None:
    """Write one current line per file and type, the superseded and forgotten ones, then what tells of all."""
    manifest: Manifest = {
        **_summary(batch, count, state, reason),
        "round": batch.round,
        "padding_usd": money(count.padding.cost_usd),
        "superseded_usd": money(count.superseded.cost_usd),
        "results": _write(layout.results_key(batch.batch_id), world.store.result_rows(batch.batch_id), world),
        "superseded": _write_superseded(batch, world),
        "forgotten": _write_forgotten(batch, world),
        "parts": [_part(part, batch, world) for part in world.store.parts(batch.batch_id)],
    }
    key = layout.manifest_json_key(batch.batch_id)
    with world.objects.writer(key, content_type="application/json") as out:
        out.write(msgspec.json.format(msgspec.json.encode(manifest), indent=2))


def finished_event(batch: Batch, count: BatchCount, world: World) -> Event:
    """Tell the sender that a batch has ended; the same again for the same revision."""
    detail: BatchFinished = {
        **_summary(batch, count, batch.state, batch.reason),
        "manifest_uri": layout.s3_uri(world.policy.bucket, layout.manifest_json_key(batch.batch_id)),
    }
    return Event(name=EventName.BATCH_FINISHED, time=stamp(world), detail=detail)


def _summary(batch: Batch, count: BatchCount, state: BatchState, reason: str) -> Summary:
    total = _sum(count.spent, count.padding, count.superseded)
    return {
        "version": 1,
        "batch_id": batch.batch_id,
        "request_id": batch.request_id,
        "revision": batch.revision,
        "state": cast(End, state.value),
        "reason": reason or None,
        "counts": {
            "files": count.files,
            "refused": count.refused,
            "records": count.records,
            "reused": count.reused,
            **outcomes(count.outcomes),
        },
        "tokens": {"input": total.input_tokens, "output": total.output_tokens},
        "cost_usd": money(total.cost_usd),
    }


def _sum(*parts: Spent) -> Spent:
    """Add what was spent; one unknown makes the sum unknown."""
    costs = [part.cost_usd for part in parts]
    known = [cost for cost in costs if cost is not None]
    return Spent(
        sum(part.input_tokens for part in parts),
        sum(part.output_tokens for part in parts),
        sum(known, start=known[0] * 0) if len(known) == len(costs) else None,
    )


def _write(key: str, rows: Iterable[ResultRow], world: World) -> WrittenFile:
    return _file(key, write_lines(key, rows, world))


def _write_superseded(batch: Batch, world: World) -> WrittenFile | None:
    """Write the attempts that count no more; a batch of one round has none."""
    if not batch.round:
        return None
    rows = world.store.superseded_rows(batch.batch_id)
    return _write(layout.superseded_key(batch.batch_id), rows, world)


def _write_forgotten(batch: Batch, world: World) -> WrittenFile | None:
    """Write the lines that keep the books of files that were forgotten; most batches have none."""
    rows = world.store.forgotten_rows(batch.batch_id)
    first = next(rows, None)
    if first is None:
        return None
    return _write(layout.forgotten_key(batch.batch_id), chain([first], rows), world)


def _part(part: Part, batch: Batch, world: World) -> WrittenPart:
    key = layout.part_key(batch.batch_id, part.index)
    written = measure_lines(key, world) if part.written is None else part.written
    return {"chunk_id": part.chunk_id, **_file(key, written)}


def _file(key: str, written: Written) -> WrittenFile:
    return {"key": key, "lines": written.lines, "bytes": written.bytes, "sha256": written.sha256}
