"""Taking in output lines: joined by name to what was asked, judged, and stored, a page at a time."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from consumers.core.cost import cost
from consumers.core.layout import RecordName
from consumers.core.results import BrokenLine, OutputLine, read_line
from consumers.core.rows import Chunk, JudgedRecord, SentAs, Spent
from consumers.core.store import SavePage
from consumers.core.world import World
from consumers.job_state.best import Best, Rank, rank_of
from consumers.job_state.judged import analysis_of, judged_record

LINES_AT_ONCE = 300
BYTES_AT_ONCE = 8_000_000


@dataclass(slots=True)
class Tally:
    """What a pass met beside the records it stored: lines of padding, and lines that are of no use."""

    padding: Spent = field(default_factory=Spent)
    padding_answers: int = 0
    padding_errors: int = 0
    broken: int = 0
    unknown: int = 0
    doubled: int = 0


class Intake:
    """One pass over the lines of a chunk; the same lines again store the same.

    Of several lines of one record the best counts, of equals the first. Memory is flat: a page of lines, and
    a byte for each file of the batch.
    """

    def __init__(self, chunk: Chunk, save: SavePage, world: World) -> None:
        self.chunk, self.world = chunk, world
        self.tally = Tally()
        self._day = day_of_price(chunk, world)
        self._model = world.models.find(chunk.model)
        self._best = Best()
        self._save = save
        self._padded: set[str] = set()
        self._page: list[tuple[RecordName, OutputLine]] = []
        self._bytes = 0

    def add(self, line: bytes) -> None:
        """Take one line, without its line end."""
        told = read_line(line)
        if isinstance(told, BrokenLine):
            self.tally.broken += 1
        elif told.name is None:
            self._pad(told)
        else:
            self._page.append((told.name, told))
            self._bytes += len(line)
            if len(self._page) == LINES_AT_ONCE or self._bytes >= BYTES_AT_ONCE:
                self._store()

    def finish(self) -> Tally:
        """Store what is left."""
        self._store()
        return self.tally

    def _store(self) -> None:
        self.world.checkpoint()
        if not self._page:
            return
        asked = self.world.store.sent_as(self.chunk.chunk_id, [name for name, _ in self._page])
        if judged := dict(self._judge(asked)):
            self._save(list(judged.values()))
        self._page, self._bytes = [], 0

    def _judge(self, asked: Mapping[RecordName, SentAs]) -> Iterator[tuple[RecordName, JudgedRecord]]:
        """Judge the lines of the page, and give those that are their record's best so far."""
        for name, line in self._page:
            record = asked.get(name)
            if record is None:
                self.tally.unknown += 1
                continue
            before = self._best.rank(record)
            self.tally.doubled += before is not Rank.NONE
            if before is Rank.WHOLE:
                continue
            judged = self._judged(line, record)
            if self._best.rise(record, before, rank_of(judged)):
                yield name, judged

    def _judged(self, line: OutputLine, record: SentAs) -> JudgedRecord:
        asked = analysis_of(record, self.world)
        version = "" if self.chunk.output_uri else asked.prompt_version
        return judged_record(line, record, asked, self._cost(line.input_tokens, line.output_tokens), version)

    def _pad(self, line: OutputLine) -> None:
        """Count a line of padding, once, and add what it cost."""
        if line.record_id in self._padded:
            self.tally.doubled += 1
            return
        self._padded.add(line.record_id)
        self.tally.padding_errors += line.error is not None
        self.tally.padding_answers += line.error is None
        old = self.tally.padding
        tokens_in = old.input_tokens + (line.input_tokens or 0)
        tokens_out = old.output_tokens + (line.output_tokens or 0)
        known = old.cost_usd is not None and (line.error is not None or line.tells_usage)
        self.tally.padding = Spent(
            tokens_in, tokens_out, self._cost(tokens_in, tokens_out) if known else None
        )

    def _cost(self, tokens_in: int | None, tokens_out: int | None) -> Decimal | None:
        """Return what tokens cost; unknown where the model has no price or Bedrock reports no usage."""
        return cost(self._model, tokens_in, tokens_out, self._day) if self._model else None


def day_of_price(chunk: Chunk, world: World) -> date:
    """Return the day (UTC) whose price counts: that of the job's end, whenever its output is read."""
    ended_at = chunk.job.ended_at if chunk.job else None
    return (ended_at or world.now).date()
