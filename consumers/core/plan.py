"""What a plan file says: the request, then a line a chunk with everything needed to find its job again.

`plan.jsonl` holds the first chunks, `plan-r<round>.jsonl` those of a later round, and `plan-s<NNN>.jsonl`
those that took the place of chunk NNN, which was too large and never had a job.
"""

from collections.abc import Iterable, Iterator

import msgspec

from consumers.core import layout
from consumers.core.rows import NewChunk


def plan_lines(
    request: str, chunks: Iterable[NewChunk], job_name_prefix: str, batch_id: str
) -> Iterator[bytes]:
    r"""Write a plan, line by line, each with its ``\n``; the same plan gives the same bytes."""
    yield b'{"request":' + request.encode() + b"}\n"
    for chunk in chunks:
        yield msgspec.json.encode(_line(chunk, job_name_prefix, batch_id)) + b"\n"


def _line(chunk: NewChunk, prefix: str, batch_id: str) -> dict[str, object]:
    return {
        "chunk_id": chunk.chunk_id,
        "index": chunk.index,
        "round": chunk.round,
        "folder": chunk.folder,
        "job_name": layout.job_name(prefix, batch_id, chunk.index),
        "padding": chunk.padding,
        "files": {str(position): name for position, name in chunk.safe_names.items()},
        "records": [[r.position, r.analysis_type, r.attempt, r.max_tokens] for r in chunk.records],
    }
