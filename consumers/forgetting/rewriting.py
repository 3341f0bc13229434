"""What a batch stored, written anew without files that are forgotten; no older version of it stays."""

import json
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import islice
from typing import Any

import msgspec

from consumers.auditing import audited
from consumers.cleanup.emptying import DELETE_AT_ONCE, lying_at
from consumers.core import layout
from consumers.core.faults import Missing, PassingFault
from consumers.core.layout import KeptName
from consumers.core.objects import Version
from consumers.core.results import BrokenLine, read_line
from consumers.core.rows import Deed, Held, Leaving, Verb
from consumers.core.world import World
from consumers.parts import write_part

PLANS = frozenset({"plan", "round", "split"})
ENDS = frozenset({"results", "superseded", "forgotten", "manifest"})

Change = Callable[[bytes], bytes | None]


def rewrite(batch_id: str, leaving: Sequence[Leaving], held: Held, world: World) -> None:
    """Write plans, and raw lines and parts of their chunks, as the store has them now."""
    there = dict(kept(batch_id, world))
    for key, name in there.items():
        if name.kind in PLANS:
            _rewrite(key, lambda line: plan_line(line, batch_id, leaving), world)
    ids = {each.file_id for each in leaving}
    for chunk_id in sorted({chunk_id for each in leaving for chunk_id in each.chunk_ids}):
        number = layout.parse_chunk_id(chunk_id).number
        if (raw := layout.raw_key(batch_id, number)) in there:
            _rewrite(raw, lambda line: raw_line(line, ids), world)
        chunk = world.store.chunk(chunk_id)
        if chunk is not None and layout.part_key(batch_id, number) in there:
            write_part(chunk, held, world)


def has_report(batch_id: str, world: World) -> bool:
    """Tell whether a batch left results at an end that are still there."""
    return any(name.kind in ENDS for _, name in kept(batch_id, world))


def drop_older(batch_id: str, world: World) -> None:
    """Delete what a bucket with versioning keeps of all this beside the newest version."""
    for key, _ in kept(batch_id, world):
        _drop_older(key, batch_id, world)


def kept(batch_id: str, world: World) -> Iterator[tuple[str, KeptName]]:
    """List what is stored of a batch."""
    for info in world.objects.list(layout.results_prefix(batch_id)):
        name = layout.parse_kept(info.key)
        if name is not None:
            yield info.key, name


def _rewrite(key: str, change: Change, world: World) -> None:
    """Change an object line by line; one that is gone by now is none of our care."""
    try:
        lines = world.objects.lines(key)
        with world.objects.writer(key, content_type=_type(key)) as out:
            for _, line in lines:
                if (anew := change(line)) is not None:
                    out.write(anew + b"\n")
    except Missing:
        return
    world.checkpoint()


def _type(key: str) -> str:
    return "application/gzip" if key.endswith(".gz") else "application/jsonl"


def raw_line(line: bytes, ids: Collection[str]) -> bytes | None:
    """Keep a raw line unless it is of a file that is forgotten; a broken one may be of anybody."""
    told = read_line(line)
    if isinstance(told, BrokenLine):
        return None
    return None if told.name is not None and told.name.file_id in ids else line


def plan_line(line: bytes, batch_id: str, leaving: Sequence[Leaving]) -> bytes:
    """Name the files in a line of a plan by their places alone; any other line stays as it is.

    A line written by this stays as it is, too.
    """
    told: dict[str, Any] = json.loads(line) if line else {}
    names = {each.position: layout.forgotten_name(batch_id, each.position) for each in leaving}
    if "request" in told:
        echoes = {each.echo: names[each.position] for each in leaving}
        listed = told["request"].get("files") or ()
        anew = [_blank(echoes.get(json.dumps(file.get("file_id"))), file) for file in listed]
        return (
            line if anew == list(listed) else _text({**told, "request": {**told["request"], "files": anew}})
        )
    if "file" in told:
        name = names.get(told["file"]["position"])
        return line if name is None else _text({"file": _tombstone(told["file"], name)})
    placed = {int(place): name for place, name in (told.get("files") or {}).items()}
    if not placed.keys() & names.keys():
        return line
    return _text({**told, "files": {str(place): names.get(place, name) for place, name in placed.items()}})


def _blank(name: str | None, file: dict[str, Any]) -> dict[str, Any]:
    return file if name is None else {"file_id": name, "s3_key": name}


def _tombstone(file: dict[str, Any], name: str) -> dict[str, Any]:
    """Return what a plan says of a file that is forgotten: its place, what was asked, whether it was sent."""
    stays = ("position", "kind", "analysis_types", "code", "reused")
    known = {field: file[field] for field in stays if field in file}
    return {**known, "file_id": name, "s3_key": "", "size_bytes": 0, "forgotten": True}


def _text(value: object) -> bytes:
    return msgspec.json.encode(value)


def _drop_older(key: str, batch_id: str, world: World) -> None:
    """Delete the versions of an object behind the first that is listed: that is the newest (AWS: S3)."""
    older = islice(lying_at(key, world.objects), 1, None)
    deed = Deed(Verb.FORGET, key, batch_id, "older versions")
    while page := list(islice(older, DELETE_AT_ONCE)):
        _delete(page, deed, world)


def _delete(page: Sequence[Version], deed: Deed, world: World) -> None:
    with audited(deed, world) as told:
        stayed = world.objects.delete(page)
        gone = [version.bytes for version in page if version not in stayed]
        told.objects, told.bytes = len(gone), sum(gone)
    if stayed:
        raise PassingFault(f"{len(stayed)} older versions stayed: {next(iter(stayed.values()))}")
