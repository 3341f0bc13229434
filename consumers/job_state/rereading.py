"""Reading raw lines again: a chunk's own, and those behind results that are linked from elsewhere."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from consumers.core import layout
from consumers.core.faults import Missing
from consumers.core.layout import RecordName
from consumers.core.results import BrokenLine, OutputLine, read_line
from consumers.core.rows import Chunk, Held, JudgedRecord, Link, SentAs
from consumers.core.world import World
from consumers.job_state.best import Best, Rank, rank_of
from consumers.job_state.judged import analysis_of, judged_record
from schemas.outcomes import Outcome

LINES_AT_ONCE = 300

Page = Sequence[tuple[RecordName, OutputLine]]
Ask = Callable[[Sequence[RecordName]], Mapping[RecordName, SentAs]]
Save = Callable[[Sequence[JudgedRecord]], object]


@dataclass(slots=True)
class Reread:
    """How many records were read again, how many changed, and what stays as it was, with the reason."""

    records: int = 0
    changed: int = 0
    left: list[str] = field(default_factory=list)


def reread_chunk(chunk: Chunk, held: Held, world: World) -> Reread:
    """Judge a chunk's records again by its raw lines; ``held`` is the lease of its ended batch."""
    read = Reread()

    def save(records: Sequence[JudgedRecord]) -> None:
        read.changed += world.store.rejudge(held, records, chunk.chunk_id)
        read.records += len(records)

    try:
        _read(chunk, lambda names: world.store.sent_as(chunk.chunk_id, names), save, world)
    except Missing:
        read.left.append(f"chunk {chunk.chunk_id}: {_raw_key(chunk)} is gone")
    return read


def reread_links(batch_id: str, held: Held, world: World) -> Reread:
    """Judge what a batch took over from others again, by the raw lines of those who bought it."""
    read, after = Reread(), -1
    while page := world.store.links(batch_id, after):
        for links in _by_chunk(page):
            _reread_links(links, read, held, world)
        after = page[-1].record.position
    return read


def _by_chunk(links: Sequence[Link]) -> Collection[Sequence[Link]]:
    """Group links by the chunk whose raw lines they need; each group takes over a record once."""
    found: dict[tuple[str | None, int], list[Link]] = {}
    before: Counter[str] = Counter()
    for link in links:
        found.setdefault((link.chunk_id, before[link.reused_from]), []).append(link)
        before[link.reused_from] += 1
    return found.values()


def _reread_links(links: Sequence[Link], read: Reread, held: Held, world: World) -> None:
    """Take over what the records of one chunk come to now; a link that would lose its result keeps it."""
    wanted = {link.name: link.record for link in links}
    whole: set[RecordName] = set()

    def save(records: Sequence[JudgedRecord]) -> None:
        good = [record for record in records if record.outcome is Outcome.SUCCEEDED]
        whole.update(_names(good, wanted))
        read.changed += world.store.rejudge(held, good) if good else 0

    chunk_id = links[0].chunk_id
    chunk = world.store.chunk(chunk_id) if chunk_id else None
    why = "the record it was taken from is gone"
    if chunk is not None:
        try:
            _read(chunk, lambda names: {name: wanted[name] for name in names if name in wanted}, save, world)
            why = "its raw line gives no result now"
        except Missing:
            why = f"{_raw_key(chunk)} is gone"
    read.records += len(whole)
    read.left += [f"result of {link.reused_from}: {why}" for link in links if link.name not in whole]


def _names(records: Sequence[JudgedRecord], wanted: Mapping[RecordName, SentAs]) -> Iterator[RecordName]:
    places = {(record.position, record.analysis_type) for record in records}
    for name, record in wanted.items():
        if (record.position, record.analysis_type) in places:
            yield name


def _read(chunk: Chunk, ask: Ask, save: Save, world: World) -> None:
    """Judge a chunk's raw lines a page at a time; ``ask`` says which records they are."""
    lines, best = _lines(_raw_key(chunk), world), Best()
    while page := list(islice(lines, LINES_AT_ONCE)):
        world.checkpoint()
        sent = ask([name for name, _ in page])
        if judged := dict(_judge(page, sent, best, world)):
            save(list(judged.values()))


def _judge(
    page: Page, sent: Mapping[RecordName, SentAs], best: Best, world: World
) -> Iterator[tuple[RecordName, JudgedRecord]]:
    """Judge the lines of a page, and give those that are their record's best so far."""
    for name, line in page:
        record = sent.get(name)
        if record is None or (before := best.rank(record)) is Rank.WHOLE:
            continue
        judged = judged_record(line, record, analysis_of(record, world))
        if best.rise(record, before, rank_of(judged)):
            yield name, judged


def _lines(key: str, world: World) -> Iterator[tuple[RecordName, OutputLine]]:
    for _, line in world.objects.lines(key):
        told = read_line(line)
        if not isinstance(told, BrokenLine) and told.name is not None:
            yield told.name, told


def _raw_key(chunk: Chunk) -> str:
    return layout.raw_key(chunk.batch_id, chunk.index)
