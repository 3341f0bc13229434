"""What a batch leaves behind at its end: results.jsonl, manifest.json, and the event that names them."""

from typing import Any

import msgspec

from consumers.core import layout
from consumers.core.cost import money
from consumers.core.lifecycle import BatchState, ChunkState
from consumers.core.rows import Batch, BatchCount, Spent
from consumers.core.world import World
from consumers.endings import stamp
from consumers.parts import Written, write_lines
from schemas.events import Event, EventName
from schemas.outcomes import Outcome


def write_report(batch: Batch, count: BatchCount, state: BatchState, reason: str, world: World) -> None:
    """Write one current line per file and type, then the manifest that tells what lies beside it."""
    results = write_lines(layout.results_key(batch.batch_id), world.store.result_rows(batch.batch_id), world)
    manifest = {
        **_summary(batch, count, state, reason),
        "results": _written(results),
        "superseded_usd": money(count.superseded.cost_usd),
        "padding_usd": money(count.padding.cost_usd),
        "parts": [
            layout.part_key(batch.batch_id, layout.parse_chunk_id(chunk_id).number)
            for chunk_id, chunk_state in world.store.chunk_ids(batch.batch_id)
            if chunk_state is ChunkState.COMPLETED
        ],
    }
    key = layout.manifest_json_key(batch.batch_id)
    with world.objects.writer(key, content_type="application/json") as out:
        out.write(msgspec.json.format(msgspec.json.encode(manifest), indent=2))


def finished_event(batch: Batch, count: BatchCount, world: World) -> Event:
    """Tell the sender that a batch has ended; the same again for the same revision."""
    detail = {
        **_summary(batch, count, batch.state, batch.reason),
        "manifest_uri": layout.s3_uri(world.policy.bucket, layout.manifest_json_key(batch.batch_id)),
    }
    return Event(name=EventName.BATCH_FINISHED, time=stamp(world), detail=detail)


def _summary(batch: Batch, count: BatchCount, state: BatchState, reason: str) -> dict[str, Any]:
    total = _sum(count.spent, count.padding, count.superseded)
    return {
        "version": 1,
        "batch_id": batch.batch_id,
        "request_id": batch.request_id,
        "revision": batch.revision,
        "state": state.value,
        "reason": reason or None,
        "counts": {
            "files": count.files,
            "refused": count.refused,
            "records": count.records,
            "reused": count.reused,
            **{outcome.value: count.outcomes.get(outcome, 0) for outcome in Outcome},
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


def _written(results: Written) -> dict[str, Any]:
    return {"key": results.key, "lines": results.lines, "bytes": results.bytes, "sha256": results.sha256}
