"""Looking for what is left of a file: in the folders of its chunks, in all that is stored of its batch."""

import json
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any

from consumers.cleanup.emptying import contents, lying_at
from consumers.core import layout
from consumers.core.rows import Batch, Leaving
from consumers.core.world import World
from consumers.forgetting.rewriting import PLANS, kept, plan_line, raw_line


def traces(batch: Batch, leaving: Sequence[Leaving], world: World) -> Iterator[str]:
    """Name each place where something of these files is found, or may be.

    Other files of the batch may have the same name in another chunk or bucket: whose a line is its file's id
    or its place in the plan says, never a name.
    """
    yield from _folders(leaving, world)
    numbers = {layout.parse_chunk_id(each).number for one in leaving for each in one.chunk_ids}
    for key, name in kept(batch.batch_id, world):
        world.checkpoint()
        if next(islice(lying_at(key, world.objects), 1, None), None) is not None:
            yield f"older versions of {key}"
        tells = _telling(name.kind, batch.batch_id, leaving)
        if name.kind in {"part", "raw"} and name.number not in numbers:
            continue
        if any(tells(line) for _, line in world.objects.lines(key)):
            yield key
    listed = json.loads(world.store.request_of(batch.batch_id) or "{}").get("files") or ()
    if any(_is_one_of(file, leaving) for file in listed):
        yield f"the request of batch {batch.batch_id} in the database"


def _telling(kind: str, batch_id: str, leaving: Sequence[Leaving]) -> Callable[[bytes], bool]:
    """Return what tells whether a line of such an object is of one of these files."""
    if kind in PLANS:
        return lambda line: plan_line(line, batch_id, leaving) != line
    if kind == "raw":
        ids = {each.file_id for each in leaving}
        return lambda line: raw_line(line, ids) is None
    signs = [b'"file_id":%b' % each.echo.encode() for each in leaving]
    return lambda line: any(sign in line for sign in signs) and _is_one_of(json.loads(line), leaving)


def _is_one_of(told: dict[str, Any], leaving: Sequence[Leaving]) -> bool:
    return any(json.dumps(told.get("file_id")) == each.echo for each in leaving)


def _folders(leaving: Sequence[Leaving], world: World) -> Iterator[str]:
    for chunk_id in sorted({chunk_id for each in leaving for chunk_id in each.chunk_ids}):
        chunk = world.store.chunk(chunk_id)
        if chunk is not None and layout.is_folder_of(chunk.folder, chunk_id):
            for version in islice(contents(layout.temporary_prefixes(chunk.folder), world), 1):
                yield version.key
