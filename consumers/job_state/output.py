"""Reading a job's output: one pass over its lines, joined by record id, stored in batches."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal

import msgspec

from consumers.core import layout
from consumers.core.cost import cost
from consumers.core.objects import Writer
from consumers.core.planned import planned_analysis
from consumers.core.results import BrokenLine, OutputLine, judge, raw_without_echo, read_line
from consumers.core.rows import Chunk, Held, JudgedRecord, Spent
from consumers.core.world import World
from schemas.models import Model
from schemas.shapes.analysis import Analysis

ROWS_AT_ONCE = 200


@dataclass(slots=True)
class Tally:
    """What a pass has gathered and not yet stored."""

    records: list[JudgedRecord] = field(default_factory=list)
    padding: Spent = field(default_factory=Spent)
    strange: int = 0


def read_output(chunk: Chunk, held: Held, world: World) -> bool:
    """Store the outcome of every line of a job's output, and its raw lines; False if there is none.

    A broken or unknown line costs itself only and becomes a finding. Reading again stores the same.
    """
    prefix = layout.output_prefix(chunk.folder)
    keys = [info.key for info in world.objects.list(prefix) if layout.is_output_records(info.key)]
    if not keys:
        return False
    reader = _Reader(chunk, held, world)
    raw = layout.raw_key(chunk.batch_id, chunk.index)
    with world.objects.writer(raw, content_type="application/gzip") as out:
        for key in keys:
            reader.read(key, out)
    reader.finish()
    return True


class _Reader:
    """One pass over a chunk's output."""

    def __init__(self, chunk: Chunk, held: Held, world: World) -> None:
        self.chunk, self.held, self.world = chunk, held, world
        self.model = world.models.find(chunk.model)
        self.expected = dict(_expected(chunk, world))
        self.tally = Tally()

    def read(self, key: str, raw: Writer) -> None:
        """Read one output object and copy its lines, without the echoed prompts, into ``raw``."""
        for _, line in self.world.objects.lines(key):
            if line.strip():
                raw.write(raw_without_echo(line) + b"\n")
                self._take(read_line(line))
            if len(self.tally.records) >= ROWS_AT_ONCE:
                self._store()

    def finish(self) -> None:
        """Store what is left, the padding's cost, and a finding for lines nobody asked for."""
        self._store()
        self.world.store.save_padding(self.held, self.tally.padding)
        if self.tally.strange:
            detail = f"{self.tally.strange} output lines are broken or belong to no record of the chunk"
            self.world.store.find("strange_lines", self.chunk.chunk_id, detail, self.world.now)

    def _take(self, line: OutputLine | BrokenLine) -> None:
        if isinstance(line, BrokenLine):
            self.tally.strange += 1
        elif line.padding:
            self.tally.padding = self._padding(line)
        elif (asked := self.expected.get(line.record_id)) is not None:
            self.tally.records.append(self._judged(line, asked))
        else:
            self.tally.strange += 1

    def _store(self) -> None:
        self.world.checkpoint()
        if self.tally.records:
            self.world.store.save(self.held, self.tally.records, self.world.now)
            self.tally.records = []

    def _judged(self, line: OutputLine, asked: Analysis) -> JudgedRecord:
        judged = judge(line, asked)
        return JudgedRecord(
            file_id=line.name.file_id,
            analysis_type=line.name.analysis_type,
            outcome=judged.outcome,
            result=None if judged.result is None else msgspec.json.encode(judged.result).decode(),
            raw_text=judged.raw_text,
            error_code=judged.error_code,
            error_message=judged.error_message,
            retryable=judged.retryable,
            repaired=judged.repaired,
            stop_reason=judged.stop_reason,
            input_tokens=judged.input_tokens,
            output_tokens=judged.output_tokens,
            cost_usd=self._cost(judged.input_tokens, judged.output_tokens),
            prompt_version=asked.prompt_version,
        )

    def _padding(self, line: OutputLine) -> Spent:
        old, tokens_in, tokens_out = self.tally.padding, line.input_tokens or 0, line.output_tokens or 0
        price = self._cost(tokens_in, tokens_out)
        total = None if old.cost_usd is None or price is None else old.cost_usd + price
        return Spent(old.input_tokens + tokens_in, old.output_tokens + tokens_out, total)

    def _cost(self, tokens_in: int | None, tokens_out: int | None) -> Decimal | None:
        return _price(self.model, tokens_in, tokens_out, self.world)


def _price(
    model: Model | None, tokens_in: int | None, tokens_out: int | None, world: World
) -> Decimal | None:
    """Return what tokens cost; unknown where the model has no price or Bedrock reports no usage."""
    return cost(model, tokens_in, tokens_out, world.now.date()) if model else None


def _expected(chunk: Chunk, world: World) -> Iterator[tuple[str, Analysis]]:
    """Name the records the manifest asked for, with their analysis."""
    for file in world.store.chunk_files(chunk.chunk_id):
        for record in file.records:
            asked = planned_analysis(world.analyses, record.analysis_type, file.s3_key)
            yield layout.record_id(file.file_id, record.analysis_type), asked
