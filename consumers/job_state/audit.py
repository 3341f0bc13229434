"""Holding what was stored of a chunk against what others counted; what does not agree becomes a finding."""

from collections.abc import Iterable, Iterator

from consumers.core.agreement import (
    COST_MISMATCH,
    COUNT_MISMATCH,
    TOKEN_MISMATCH,
    Counts,
    differences,
    read_summary,
)
from consumers.core.cost import cost, money
from consumers.core.faults import Fault
from consumers.core.lifecycle import JobStatus
from consumers.core.rows import Chunk, Spent
from consumers.core.world import World
from consumers.findings import find
from consumers.job_state.intake import Tally, day_of_price
from consumers.job_state.output import Output
from schemas.facts import FindingMade

STRANGE = "strange_lines"


def audit(chunk: Chunk, output: Output, world: World) -> tuple[FindingMade, ...]:
    """Find what is strange about a chunk's output; what an earlier reading found and is mended is settled."""
    spent = world.store.spent(chunk.chunk_id)
    ours = _stored(chunk, output.tally, spent, world)
    others = [*_summary(output, world), *_told_by_get(chunk)]
    whole = chunk.job is not None and chunk.job.status is JobStatus.COMPLETED
    found: dict[str, list[str]] = {
        STRANGE: [*_strange(output.tally)],
        COUNT_MISMATCH: [],
        TOKEN_MISMATCH: [],
        COST_MISMATCH: [*_mispriced(chunk, spent, world)],
    }
    for each in differences(ours, others, whole=whole):
        found[each.kind].append(each.sentence)
    return tuple(fact for kind, told in found.items() for fact in _noted(kind, chunk, told, world))


def audit_nothing(chunk: Chunk, world: World) -> tuple[FindingMade, ...]:
    """Find that a job left no output although Get counts records that were processed."""
    nothing = Counts("the output", processed=0, succeeded=0, failed=0)
    told = [each.sentence for each in differences(nothing, [*_told_by_get(chunk)], whole=False)]
    return tuple(_noted(COUNT_MISMATCH, chunk, told, world))


def _noted(kind: str, chunk: Chunk, sentences: Iterable[str], world: World) -> Iterator[FindingMade]:
    if detail := "; ".join(sentences):
        yield find(kind, chunk.chunk_id, detail, world)
    else:
        world.store.settled(kind, chunk.chunk_id)


def _strange(tally: Tally) -> Iterator[str]:
    """Say which lines were of no use."""
    for count, one, many in (
        (tally.broken, "line is broken", "lines are broken"),
        (tally.unknown, "line names no record of the chunk", "lines name no record of the chunk"),
        (
            tally.doubled,
            "line speaks again of a record that had its line",
            "lines speak again of a record that had its line",
        ),
    ):
        if count:
            yield f"{count} {one if count == 1 else many}"


def _mispriced(chunk: Chunk, spent: Spent, world: World) -> Iterator[str]:
    """Say that the stored money is not what the stored tokens cost; of what is unknown nothing is said."""
    model = world.models.find(chunk.model)
    if model is None or spent.cost_usd is None:
        return
    due = cost(model, spent.input_tokens, spent.output_tokens, day_of_price(chunk, world))
    if due is not None and due != spent.cost_usd:
        yield f"the tokens cost {money(due)} USD, the store says {money(spent.cost_usd)}"


def _stored(chunk: Chunk, tally: Tally, spent: Spent, world: World) -> Counts:
    """Count what the store has of the chunk's records, with the padding of this reading."""
    stored = world.store.answered(chunk.chunk_id)
    succeeded, failed = stored.answers + tally.padding_answers, stored.errors + tally.padding_errors
    return Counts(
        "the store",
        total=stored.sent + chunk.padding,
        processed=succeeded + failed,
        succeeded=succeeded,
        failed=failed,
        input_tokens=spent.input_tokens,
        output_tokens=spent.output_tokens,
    )


def _told_by_get(chunk: Chunk) -> Iterator[Counts]:
    if chunk.job is not None:
        told = chunk.job.counts
        yield Counts("Get", told.total, told.processed, told.succeeded, told.failed)


def _summary(output: Output, world: World) -> Iterator[Counts]:
    """Read the summary beside the output; one that is missing or cannot be read tells nothing."""
    if len(output.summaries) != 1:
        return
    (info,) = output.summaries
    try:
        data = b"\n".join(line for _, line in world.objects.lines(info.key, output.bucket))
    except Fault:
        return
    told = read_summary(data, info.key.rpartition("/")[2])
    if told is not None:
        yield told
