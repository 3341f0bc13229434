"""Where a chunk's output lies: in its own folder, or where others had it written."""

from collections.abc import Iterator

from consumers.core import layout
from consumers.core.layout import S3Place
from consumers.core.objects import ObjectInfo
from consumers.core.rows import Chunk
from consumers.core.world import World


def output_place(chunk: Chunk, world: World) -> S3Place:
    """Return the folder of a chunk's output, or the one object that was taken in."""
    if chunk.output_uri:
        return layout.parse_s3_uri(chunk.output_uri)
    return S3Place(world.policy.bucket, layout.output_prefix(chunk.folder))


def output_objects(place: S3Place, world: World) -> Iterator[ObjectInfo]:
    """List what lies at a place; beside a single object of records also the summary of its job."""
    if not layout.is_output_records(place.key):
        yield from world.objects.list(place.key, place.bucket)
        return
    stem = place.key.removesuffix(layout.OUTPUT_SUFFIX)
    mine = {place.key, stem + layout.SUMMARY_SUFFIX}
    yield from (info for info in world.objects.list(stem + ".json", place.bucket) if info.key in mine)
