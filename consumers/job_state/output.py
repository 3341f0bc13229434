"""Reading a job's output: every line once, taken in and kept as it came."""

from collections.abc import Sequence
from dataclasses import dataclass

from consumers.core import layout
from consumers.core.layout import S3Place
from consumers.core.objects import ObjectInfo, Writer
from consumers.core.results import raw_without_echo
from consumers.core.rows import Chunk, Held
from consumers.core.world import World
from consumers.job_state.intake import Intake, Tally
from consumers.job_state.places import output_objects, output_place

LONGEST_SUMMARY = 1_000_000


@dataclass(frozen=True, slots=True)
class Output:
    """What was met beside the records that were stored, and the summaries that lie beside the records."""

    tally: Tally
    bucket: str
    summaries: Sequence[ObjectInfo]


def read_output(chunk: Chunk, held: Held, world: World) -> Output | None:
    """Store the outcome of every line of a job's output, and its raw lines; None if there is none.

    A line that is of no use costs itself only. Reading again stores the same.
    """
    place = output_place(chunk, world)
    found = list(output_objects(place, world))
    keys = [info.key for info in found if layout.is_output_records(info.key)]
    if not keys:
        return None
    summaries = [info for info in found if layout.is_output_summary(info.key)]
    tally = _take_in([S3Place(place.bucket, key) for key in keys], chunk, held, world)
    world.store.save_padding(held, tally.padding)
    small = [info for info in summaries if info.bytes <= LONGEST_SUMMARY]
    return Output(tally, place.bucket, small)


def _take_in(objects: Sequence[S3Place], chunk: Chunk, held: Held, world: World) -> Tally:
    """Store the outcomes of all lines, and beside them the lines; nothing is kept unless all was read."""
    raw = layout.raw_key(chunk.batch_id, chunk.index)
    with (
        world.objects.writer(raw, content_type="application/gzip") as out,
        world.store.saving(held, world.now) as save,
    ):
        intake = Intake(chunk, save, world)
        for each in objects:
            _read(each, intake, out, world)
        return intake.finish()


def _read(object: S3Place, intake: Intake, raw: Writer, world: World) -> None:
    """Take in the lines of one output object as they are kept in ``raw``: without the echoed prompts."""
    for _, line in world.objects.lines(object.key, object.bucket):
        if line.strip():
            kept = raw_without_echo(line)
            raw.write(kept + b"\n")
            intake.add(kept)
