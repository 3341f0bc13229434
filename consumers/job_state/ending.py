"""How a batch ends, by what it came to."""

from consumers.core.lifecycle import BatchState, end_of
from consumers.core.rows import Batch, BatchCount
from consumers.resubmission import never_planned


def end_of_batch(batch: Batch, count: BatchCount) -> tuple[BatchState, str]:
    """Return the end of a batch, and the reason in one line where it is not simply COMPLETED."""
    total = count.records + count.refused + bool(never_planned(batch))
    state = end_of(total, count.good, cancelled=batch.cancelled)
    return state, "" if state is BatchState.COMPLETED else _reason(batch, count)


def _reason(batch: Batch, count: BatchCount) -> str:
    bad = [f"{n} {outcome}" for outcome, n in count.outcomes.items() if n and outcome != "SUCCEEDED"]
    refused = [f"{count.refused} files refused"] if count.refused else []
    first = [why for why in (never_planned(batch), batch.stopped) if why]
    return "; ".join([*first, *refused, *bad]) or "no file in the request could be analysed"
