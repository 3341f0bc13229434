"""What a chunk was estimated to take, against what the local AWS charges for the same records."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from consumers.core.chunks import Cut
from consumers.core.context import context_of
from consumers.core.cost import cost
from consumers.core.cutting import Cutter, Item
from consumers.core.forecast import file_tokens
from consumers.core.lifecycle import BatchState
from consumers.core.manifest import padding_line, record_line
from consumers.core.media import media_of
from consumers.core.rows import Batch, NewRecord
from schemas.analyses import REGISTRY
from schemas.messages import Terms
from schemas.models import load_models
from schemas.options import Options
from tests.contracts.local_aws import FOLDER, LocalAws

pytest_plugins = ("tests.contracts.local_aws_fixtures",)

DAY = date(2026, 11, 20)
BYTES_PER_SECOND = 1_200_000
"""How long the local AWS takes a video to be that it cannot read."""
PADDING = 3


@dataclass(frozen=True)
class Original:
    """A file to ask about; ``duration`` is told to the product where it is known."""

    key: str
    seconds: int = 0
    duration: int | None = None

    @property
    def context(self) -> dict[str, Any]:
        told = {} if self.duration is None else {"duration_seconds": self.duration}
        return {"path": "Smith/pool, north side", **told}


KNOWN = [Original(f"proxy/Video, {n}.mov", n, n) for n in (1, 61, 400, 800)]
GUESSED = [Original("proxy/Video without a length.mp4", 250), Original("proxy/Photo.png")]


def asked(original: Original, analysis_type: str, number: int, emulator: LocalAws) -> tuple[Item, bytes]:
    """Put a file into the job's folder; returns what the splitting knows of it, and its manifest line."""
    media = media_of(original.key)
    assert media is not None
    analysis = REGISTRY.find(analysis_type, media.kind)
    assert analysis is not None
    size = max(1, original.seconds * BYTES_PER_SECOND)
    uri = emulator.put(f"{FOLDER}files/{number}.{media.format}", kind=media.content_type, size=size)
    tokens, assumed = file_tokens(media.kind, original.context, size)
    assert assumed is (original.duration is None)
    inference = analysis.inference_for(Options())
    prompt = analysis.prompt(Options(), context_of(original.key, original.context))
    record = NewRecord(number, analysis_type, 1, inference.max_tokens)
    item = Item(number, str(number), original.key, size, (record,), tokens)
    return item, record_line(f"file-{number}:{analysis_type}", uri, media, [prompt], inference)


def test_an_estimate_is_close_to_what_is_charged_and_never_below(emulator: LocalAws) -> None:
    emulator.control.set(min_records=1)
    model = load_models().find("nova-2-lite")
    assert model is not None
    terms = Terms(request_id="r", model=model.id)
    now = datetime(2026, 11, 20, tzinfo=UTC)
    batch = Batch("b" * 21, "r", terms, model.id, "media", BatchState.PLANNING, "", 1, 0, {}, False, now)
    cutter = Cutter(batch, model, REGISTRY, DAY)
    made = [
        asked(original, analysis_type, number, emulator)
        for number, (original, analysis_type) in enumerate(
            (original, name) for original in (*KNOWN, *GUESSED) for name in ("combined", "search_metadata")
        )
    ]
    items = [item for item, _ in made]
    lines = [*(line for _, line in made), *(padding_line(number) for number in range(PADDING))]
    emulator.put(FOLDER + "manifest.jsonl", b"".join(lines), "application/jsonl")
    charged = {
        line["recordId"]: line["modelOutput"]["usage"]
        for line in emulator.lines(emulator.ended(emulator.create()))
    }
    for item in items:
        [record] = item.records
        told = cutter.tokens([item], 0)
        truly = charged[f"file-{item.file_id}:{record.analysis_type}"]
        assert truly["inputTokens"] <= told.input
        assert truly["outputTokens"] <= told.output
        if item.position < 2 * len(KNOWN):
            assert told.input <= 1.1 * truly["inputTokens"]
    chunk = cutter.chunk(items, Cut(0, len(items), 1, len(items), PADDING), 0, 0, now)
    read, written = (sum(each[way] for each in charged.values()) for way in ("inputTokens", "outputTokens"))
    bill = cost(model, read, written, DAY)
    assert len(charged) == len(items) + PADDING
    assert bill is not None
    assert chunk.estimate_usd is not None
    assert bill <= chunk.estimate_usd
