"""What belongs to no chunk: folders of nobody, and what an earlier system left. It goes only by its name.

Everything is looked at again when it is to be deleted: after a loss of the database all folders look like
nobody's.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from consumers.cleanup.emptying import empty
from consumers.core import layout
from consumers.core.jobs import Jobs
from consumers.core.objects import Objects
from consumers.core.rows import Deed, Verb
from consumers.core.store import Store
from consumers.core.world import Outcome, Refuse, World, done
from schemas.facts import StrangerRemoved
from schemas.messages import CleanupLegacy, CleanupUnowned

REBUILD = "run `novabatch reconcile --rebuild` first"


@dataclass(frozen=True, slots=True)
class Stranger:
    """What a person named, and where it lies; ``folder`` is set where it could be a chunk's."""

    name: str
    places: Sequence[str]
    folder: str | None = None


@dataclass(frozen=True, slots=True)
class Witnesses:
    """Whoever may know of an owner."""

    store: Store
    objects: Objects
    jobs: Jobs
    bucket: str


def unowned(folder: str) -> Stranger:
    """Take a folder by its bare name. ValueError for any other name."""
    return Stranger(folder, layout.unowned_prefixes(folder), folder)


def legacy(place: str) -> Stranger:
    """Take what an earlier system left by its exact name. ValueError for any other name."""
    return Stranger(place, (layout.checked_legacy(place),))


def cleanup_unowned(message: CleanupUnowned, world: World) -> Outcome:
    """Delete a folder that belongs to nobody."""
    return _clean(lambda: unowned(message.folder), world)


def cleanup_legacy(message: CleanupLegacy, world: World) -> Outcome:
    """Delete what an earlier system left."""
    return _clean(lambda: legacy(message.place), world)


def _clean(named: Callable[[], Stranger], world: World) -> Outcome:
    """Empty what was named, if the name is one and nobody objects."""
    try:
        stranger = named()
    except ValueError as error:
        return Refuse("bad_name", str(error))
    witnesses = Witnesses(world.store, world.objects, world.jobs, world.policy.bucket)
    if why := next(objections(stranger, witnesses), ""):
        return Refuse("not_unowned", why)
    emptied = empty(stranger.places, Deed(Verb.REMOVE_STRANGER, stranger.name), world)
    gone = StrangerRemoved(stranger.name, emptied.objects, emptied.bytes)
    return done([gone] if emptied.objects else ())


def objections(stranger: Stranger, witnesses: Witnesses) -> Iterator[str]:
    """Say why it must not be deleted: a chunk, an open job of anybody, or the plan of a batch names it."""
    if stranger.folder is not None:
        if (chunk_id := witnesses.store.owner_of(stranger.folder)) is not None:
            yield f"{stranger.name} belongs to chunk {chunk_id}: clean its batch"
        yield from _planned(stranger.folder, witnesses)
    uris = [layout.s3_uri(witnesses.bucket, place) for place in stranger.places]
    for uri in uris:
        if (chunk_id := witnesses.store.reader_of(uri)) is not None:
            yield f"{stranger.name} holds output of chunk {chunk_id} that is not read yet"
    for job in witnesses.jobs.open_anywhere():
        if any(_meet(uri, used) for uri in uris for used in (job.input_uri, job.output_uri)):
            yield f"{stranger.name} is used by job {job.name}, which is {job.status}"


def _planned(folder: str, witnesses: Witnesses) -> Iterator[str]:
    """Look for batches whose results lie there and that may have planned the folder."""
    start = layout.results_of(folder)
    for batch_id in _batches(start, witnesses.objects) if start is not None else ():
        if witnesses.store.batch(batch_id) is None:
            if witnesses.objects.exists(layout.plan_key(batch_id)):
                yield f"{folder} may be of batch {batch_id}, which has a plan and no row: {REBUILD}"
        elif _names(batch_id, folder, witnesses.objects):
            yield f"{folder} is in a plan of batch {batch_id}, and no chunk has it: {REBUILD}"


def _batches(start: str, objects: Objects) -> Iterator[str]:
    """Name the batches whose results begin so, each by one look into the listing."""
    after = ""
    while (info := next(iter(objects.list(start, after=after)), None)) is not None:
        if (batch_id := layout.batch_of_result(info.key)) is None:
            after = info.key
            continue
        yield batch_id
        after = layout.results_prefix(batch_id) + "\U0010ffff"


def _names(batch_id: str, folder: str, objects: Objects) -> bool:
    """Tell whether a plan of a batch names the folder."""
    wanted = folder.encode()
    plans = objects.list(layout.results_prefix(batch_id) + "plan")
    return any(wanted in line for info in plans for _, line in objects.lines(info.key))


def _meet(uri: str, used: str) -> bool:
    """Tell whether one place lies within the other."""
    return bool(used) and (uri.startswith(used) or used.startswith(uri))
