"""What a preview comes to: counted and priced, with what had to be assumed on the way."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from math import ceil

from consumers.core.cost import money, on_demand_cost
from consumers.core.forecast import expected_end, is_assumed
from consumers.core.gate import Room
from consumers.core.rows import NewFile
from consumers.core.stops import BUDGET_EXCEEDED, over_budget, used_up
from consumers.core.tokens import BYTES_PER_SECOND, IMAGE_TOKENS
from consumers.submit.preview import Judged, PlannedChunk, Preview
from consumers.submit.problems import Problem


@dataclass
class Outlook:
    """The sums over the pages and chunks of a preview that were added so far.

    ``reused`` and ``records`` count records. ``cost_usd`` is the most that they and the padding may cost at
    the batch rate, ``on_demand_usd`` the most that they would cost on demand, where nobody needs padding;
    None is unknown. ``dearest_usd`` is the most that one chunk may cost.
    """

    preview: Preview
    room: Room
    files: int = 0
    refused: int = 0
    reused: int = 0
    chunks: int = 0
    records: int = 0
    padding: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: Decimal | None = Decimal(0)
    dearest_usd: Decimal | None = Decimal(0)
    on_demand_usd: Decimal | None = Decimal(0)
    guessed: Counter[str] = field(default_factory=Counter)

    def add(self, part: Judged | PlannedChunk) -> None:
        """Count one page or one chunk."""
        if isinstance(part, PlannedChunk):
            self._add_chunk(part)
            return
        for file in part.files:
            self._add_file(file)

    def assumed(self) -> Iterator[str]:
        """Say what is not known and was guessed."""
        if videos := self.guessed["video"]:
            yield (
                f"length of videos without context.duration_seconds ({videos} files): guessed from their "
                f"bytes, {BYTES_PER_SECOND} a second"
            )
        if images := self.guessed["image"]:
            yield f"tokens of images ({images} files): the most that is usual, {IMAGE_TOKENS} each"
        if self.preview.unasked:
            yield f"reuse: no earlier result is counted, for it could not be asked ({self.preview.unasked})"

    def duration(self) -> timedelta:
        """Return how long the slots take for the chunks, behind those that wait or run now."""
        now = self.preview.now
        return expected_end(now, self.preview.backlog, self.chunks, self.room.slots) - now

    def refusal(self) -> Problem | None:
        """Say why the batch would be refused for what it may cost."""
        why = over_budget(self.preview.batch, self.cost_usd)
        return None if why is None else (BUDGET_EXCEEDED, why)

    def day_budget(self) -> str | None:
        """Say what the budget of a day does to the batch, if it does anything by itself."""
        day = self.room.day_budget_usd
        if day is None or self.cost_usd is None or self.dearest_usd is None or self.cost_usd <= day:
            return None
        if self.dearest_usd > day:
            return used_up(self.preview.batch, self.dearest_usd, self.room)
        days = ceil(self.cost_usd / day)
        return f"BUDGET_USD_PER_DAY is {money(day)} USD: the batch takes {days} days (UTC) or more"

    def _add_file(self, file: NewFile) -> None:
        self.files += 1
        if file.code:
            self.refused += 1
            return
        self.reused += len(file.reused)
        if len(file.reused) < len(file.analysis_types):
            self.guessed[file.kind] += is_assumed(file.kind, file.context)

    def _add_chunk(self, part: PlannedChunk) -> None:
        self.chunks += 1
        self.records += len(part.chunk.records)
        self.padding += part.chunk.padding
        self.input_tokens += part.tokens.input
        self.output_tokens += part.tokens.output
        estimate = part.chunk.estimate_usd
        self.cost_usd = _sum(self.cost_usd, estimate)
        if self.dearest_usd is not None:
            self.dearest_usd = None if estimate is None else max(self.dearest_usd, estimate)
        on_demand = on_demand_cost(self.preview.model, *part.useful, self.preview.now.date())
        self.on_demand_usd = _sum(self.on_demand_usd, on_demand)


def _sum(total: Decimal | None, part: Decimal | None) -> Decimal | None:
    return None if total is None or part is None else total + part
