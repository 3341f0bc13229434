"""Looking for what is left of a file: in the folders of its chunks, in all that is stored of its batch."""

import json
from collections.abc import Iterator, Sequence
from itertools import islice

import msgspec

from consumers.cleanup.emptying import contents, lying_at
from consumers.core import layout
from consumers.core.objects import Objects
from consumers.core.rows import Batch, Leaving
from consumers.core.world import World
from consumers.forgetting.rewriting import kept


def traces(batch: Batch, leaving: Sequence[Leaving], world: World) -> Iterator[str]:
    """Name each place where something of these files is found, or may be."""
    yield from _folders(leaving, world)
    signs = [sign for each in leaving for sign in signs_of(each)]
    numbers = {layout.parse_chunk_id(each).number for one in leaving for each in one.chunk_ids}
    for key, name in kept(batch.batch_id, world):
        world.checkpoint()
        if next(islice(lying_at(key, world.objects), 1, None), None) is not None:
            yield f"older versions of {key}"
        if name.kind not in {"part", "raw"} or name.number in numbers:
            yield from find_in(key, signs, world.objects)
    request = world.store.request_of(batch.batch_id).encode(errors="replace")
    if any(sign in request for sign in signs):
        yield f"the request of batch {batch.batch_id} in the database"


def signs_of(leaving: Leaving) -> Iterator[bytes]:
    """Return what a line that tells of a file holds: its id, a record's name, its key, or its copy's."""
    yield from (b'"file_id":%b%b' % (leaving.echo.encode(), end) for end in (b",", b"}"))
    yield b'"file-%b:' % leaving.file_id.encode()
    for name in (leaving.s3_key, *leaving.safe_names):
        if name:
            yield msgspec.json.encode(name)
            yield json.dumps(name).encode()


def find_in(key: str, signs: Sequence[bytes], objects: Objects) -> Iterator[str]:
    """Name an object if a line of it has one of the signs."""
    for _, line in objects.lines(key):
        if any(sign in line for sign in signs):
            yield key
            return


def _folders(leaving: Sequence[Leaving], world: World) -> Iterator[str]:
    for chunk_id in sorted({chunk_id for each in leaving for chunk_id in each.chunk_ids}):
        chunk = world.store.chunk(chunk_id)
        if chunk is not None and layout.is_folder_of(chunk.folder, chunk_id):
            for version in islice(contents(layout.temporary_prefixes(chunk.folder), world), 1):
                yield version.key
