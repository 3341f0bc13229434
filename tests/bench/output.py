"""The output of a job, made up as it is read: it takes no memory, and no network answers slowly."""

import json
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from consumers.core.objects import ObjectInfo, Writer
from daemon.adapters.s3.reading import split
from schemas.analyses import REGISTRY
from schemas.options import Options
from tests.bench.planning import ManyObjects, Sink

RECORD_BYTES = 7500
TOKENS = {"inputTokens": 20_480, "outputTokens": 900, "totalTokens": 21_380}
BLOCK_LINES = 128
STEP = 7_919
"""The lines come in another order than the records were sent in: each the so-manieth after the last."""

_SPAN = {"start_time": "00:00", "end_time": "00:20"}
_WORDS = "A crew sets boulders around a pool and lets the water run over them for the first time. "
ANSWER = {
    "summary": {"text": _WORDS * 4, "depth": "standard", "language": "en"},
    "chapters": {
        "chapters": [
            {
                "index": number + 1,
                "title": "The boulders are set",
                **_SPAN,
                "summary": _WORDS,
                "detailed_summary": _WORDS * 2,
                "key_points": ["boulders", "a pump", "the first water"],
            }
            for number in range(3)
        ]
    },
    "elements": {
        "equipment": [
            {
                "name": name,
                "category": "machine",
                "time_ranges": ["00:00-00:12", "00:40-00:55"],
                "discussed": True,
                "confidence": "high",
            }
            for name in ("excavator", "pump")
        ],
        "topics_discussed": [
            {
                "topic": "setting boulders",
                "time_ranges": ["00:05-00:30"],
                "importance": "high",
                "description": _WORDS,
                "keywords": ["boulder", "pool", "crew"],
            }
        ],
        "people": {"max_count": 3, "multiple_speakers": False},
        "speakers": [
            {
                "speaker_id": "speaker_1",
                "role": "installer",
                "time_ranges": ["00:05-00:55"],
                "speaking_percentage": 100,
            }
        ],
    },
    "waterfall_classification": {
        "family": "Genesis Natural",
        "tier_level": "Classic (Small)",
        "functional_type": "Grotto",
        "sub_type": "One-Tier",
        "confidence": {
            "family": 0.9,
            "tier_level": 0.8,
            "functional_type": 0.85,
            "sub_type": 0.75,
            "overall": 0.75,
        },
        "evidence": ["boulders on both sides"],
        "unknown_reasons": {},
        "search_tags": ["grotto", "boulders"],
        "product_keywords": ["kit"],
        "content_type": "building_demonstration",
        "skill_level": "professional",
        "building_techniques": ["stacking"],
    },
    "search_metadata": {
        "recording_date": {"date": "2025-11-14", "date_source": "filename", "confidence": "high"},
        "project": {
            "customer_name": "Smith",
            "project_name": "Smith",
            "name_source": "path",
            "name_confidence": "high",
            "project_type": "residential pool",
        },
        "location": {
            "site_name": "",
            "city": "",
            "state_region": "",
            "country": "",
            "location_source": "unknown",
            "location_confidence": "low",
        },
        "water_feature": {
            "family": "Genesis Natural",
            "type_keywords": ["grotto"],
            "style_keywords": ["natural"],
        },
        "content": {"content_type": "building_demonstration", "skill_level": "professional"},
        "entities": [],
        "keywords": ["grotto", "pool", "boulders"],
    },
}


class Output(ManyObjects):
    """The port ``Objects`` over one finished job of ``count`` records; what is written is kept nowhere.

    Its files are named by numbers, from ``first`` on.
    """

    def __init__(self, count: int, first: int = 0) -> None:
        super().__init__(count)
        self.first = first

    def list(self, prefix: str, bucket: str | None = None, after: str = "") -> Iterator[ObjectInfo]:
        yield ObjectInfo(f"{prefix}job/manifest.jsonl.out", self.count * RECORD_BYTES)

    def lines(
        self, key: str, bucket: str | None = None, start: int = 0, etag: str = ""
    ) -> Iterator[tuple[int, bytes]]:
        return split(self.blocks(), start)

    def blocks(self) -> Iterator[bytes]:
        """Yield the output as it comes from S3, in blocks of about 1 MB."""
        head, tail = line_around_id()
        for first in range(0, self.count, BLOCK_LINES):
            ids = [
                b"%d" % (self.first + number * STEP % self.count)
                for number in range(first, min(first + BLOCK_LINES, self.count))
            ]
            yield b"".join([head + each + tail for each in ids])

    @contextmanager
    def writer(self, key: str, *, content_type: str, if_absent: bool = False) -> Iterator[Writer]:
        yield Sink()


@cache
def line_around_id() -> tuple[bytes, bytes]:
    """Return what stands before and behind a file's id in every line, RECORD_BYTES long together."""
    message = {"content": [{"text": json.dumps(ANSWER)}], "role": "assistant"}
    told = {"output": {"message": message}, "stopReason": "end_turn", "usage": TOKENS}
    asked = REGISTRY.find("combined", "video")
    assert asked is not None
    prompt = asked.prompt(Options(), {"path": "Smith/pool"})

    def line(length: int) -> str:
        content = [{"video": {"format": "mov"}}, {"text": prompt[:length]}]
        echo = {"messages": [{"role": "user", "content": content}]}
        return json.dumps({"modelInput": echo, "modelOutput": told, "recordId": "file-#:combined"})

    too_long = bisect_left(range(len(prompt) + 1), RECORD_BYTES, key=lambda length: len(line(length)))
    head, _, tail = line(too_long - 1).partition("file-#:")
    return head.encode() + b"file-", b":" + tail.encode() + b"\n"
