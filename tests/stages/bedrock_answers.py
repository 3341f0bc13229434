"""What Bedrock writes for a finished job, made from the manifest it was given."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

from consumers.core import layout
from consumers.core.jobs import JobRequest
from tests.fakes.objects import FakeObjects

Line = dict[str, Any]
Answer = Callable[[str], Line | None]

TEXTS = {
    "combined": {
        "summary": {"text": "A pool with a waterfall.", "depth": "standard", "language": "en"},
        "description": {"description": {"overview": "A pool.", "detailed": "A pool with a waterfall."}},
    },
    "summary": {"text": "A pool with a waterfall.", "depth": "standard", "language": "en"},
    "chapters": {"chapters": [{"index": 1, "title": "The pool", "start_time": "00:00", "end_time": "00:10"}]},
}


def usage(inputs: int = 1000, outputs: int = 100) -> dict[str, int]:
    return {"inputTokens": inputs, "outputTokens": outputs, "totalTokens": inputs + outputs}


def answer(text: str, stop_reason: str = "end_turn") -> Line:
    message = {"content": [{"text": text}], "role": "assistant"}
    return {"modelOutput": {"output": {"message": message}, "stopReason": stop_reason, "usage": usage()}}


def success(record_id: str) -> Line:
    kind = record_id.rpartition(":")[2]
    return answer(json.dumps(TEXTS.get(kind, TEXTS["combined"])))


def error(code: int, message: str = "Internal error", *, retryable: bool = False) -> Line:
    told = {"errorCode": code, "errorMessage": message, "expired": False, "retryable": retryable}
    return {"error": told}


class Answers:
    """Answers by record id, one after another; a record nobody speaks of succeeds. None leaves it out."""

    def __init__(self) -> None:
        self.planned: dict[str, list[Line | None]] = defaultdict(list)
        self.bought: dict[str, int] = defaultdict(int)

    def plan(self, record_id: str, *answers: Line | None) -> None:
        self.planned[record_id] += answers

    def next(self, record_id: str) -> Line | None:
        self.bought[record_id] += 1
        waiting = self.planned[record_id]
        return waiting.pop(0) if waiting else success(record_id)

    def write_output(self, objects: FakeObjects, request: JobRequest, arn: str) -> None:
        """Write the output of a job that finishes now: other order, prompts echoed, a summary beside it."""
        folder = layout.parse_s3_uri(request.input_uri).key
        lines = [json.loads(line) for line in objects.text(folder + layout.MANIFEST_NAME).splitlines()]
        told = [(line, self._line(line["recordId"])) for line in reversed(lines)]
        written = [json.dumps({**line, **what}) for line, what in told if what is not None]
        target = layout.parse_s3_uri(request.output_uri).key + arn.rpartition("/")[2]
        objects.put(f"{target}/manifest.jsonl.out", "\n".join(written) + "\n")
        objects.put(f"{target}/manifest.json.out", json.dumps({"totalRecordCount": len(lines)}))

    def _line(self, record_id: str) -> Line | None:
        if layout.is_padding(record_id):
            return answer("y", "max_tokens")
        return self.next(record_id)

    def bought_once(self, record_ids: Iterable[str]) -> bool:
        return all(self.bought[record_id] == 1 for record_id in record_ids)
