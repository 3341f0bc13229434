"""The processing of a job's records, and its output."""

import json
import random
from dataclasses import dataclass
from typing import Any

from deploy.local.bedrock import duration, inputs, media_checks, prompts, spoiling
from deploy.local.bedrock.answers import answer
from deploy.local.bedrock.jobs import Counts, Job
from deploy.local.bedrock.models import OUTPUT_TOKEN_LIMIT
from deploy.local.bedrock.storage import Storage, split
from deploy.local.faults import Faults, RecordFault
from deploy.local.knobs import Knobs

CHARACTERS_PER_TOKEN = 4
UNSET = (
    "image",
    "document",
    "video",
    "toolUse",
    "toolResult",
    "guardContent",
    "reasoningContent",
    "cachePoint",
)


@dataclass
class Usage:
    """Tokens of a job."""

    input: int = 0
    output: int = 0


@dataclass(frozen=True)
class Workshop:
    """What the processing of a record needs to know."""

    job: Job
    storage: Storage
    knobs: Knobs
    faults: Faults


def run(job: Job, storage: Storage, knobs: Knobs, faults: Faults, share: float) -> None:
    """Process a share of each file's records; write output and summary, set the job's counts."""
    shop, usage = Workshop(job, storage, knobs, faults), Usage()
    counts = Counts(total=len(job.record_ids))
    bucket, key = split(job.output_uri)
    folder = f"{key.rstrip('/')}/{job.id}/".lstrip("/")
    for file in inputs.read(job, storage, knobs):
        taken = file.records[: round(len(file.records) * share)]
        written = [line for record in taken if (line := _line(shop, record, counts, usage)) is not None]
        random.Random(job.id).shuffle(written)
        body = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in written)
        storage.put(bucket, f"{folder}{file.name}.out", body.encode())
    job.counts = counts
    storage.put(bucket, folder + "manifest.json.out", json.dumps(_summary(counts, usage)).encode())


def _summary(counts: Counts, usage: Usage) -> dict[str, int]:
    shown = {f"{name}RecordCount": number for name, number in vars(counts).items()}
    return shown | {"inputTokenCount": usage.input, "outputTokenCount": usage.output}


def _line(shop: Workshop, record: dict[str, Any], counts: Counts, usage: Usage) -> dict[str, Any] | None:
    """Return a record's line of the output, or None when it is to be missing."""
    fault = shop.faults.for_record(record["recordId"])
    if fault and fault.action == "missing":
        return None
    outcome = _outcome(shop, record, fault)
    counts.processed += 1
    if "error" in outcome:
        counts.error += 1
    else:
        counts.success += 1
        shop.job.bought.append(record["recordId"])
        spent = outcome["modelOutput"]["usage"]
        usage.input += spent["inputTokens"]
        usage.output += spent["outputTokens"]
    echoed = {"recordId": record["recordId"], "modelInput": record.get("modelInput")}
    members = list((echoed | outcome).items())
    random.Random(record["recordId"]).shuffle(members)
    return dict(members)


def _outcome(shop: Workshop, record: dict[str, Any], fault: RecordFault | None) -> dict[str, Any]:
    if fault and fault.action == "error":
        return {"error": spoiling.error(fault.code, fault.message, retryable=fault.retryable)}
    try:
        prompt = prompts.read(record.get("modelInput"), OUTPUT_TOKEN_LIMIT[shop.job.base_model])
        objects = [
            (each, media_checks.find(each, shop.job.input_uri, shop.storage, shop.knobs))
            for each in prompt.media
        ]
    except prompts.RecordRefusedError as refusal:
        return {"error": spoiling.error(refusal.code, refusal.message, retryable=refusal.retryable)}
    spent = len(prompt.text) // CHARACTERS_PER_TOKEN + sum(
        duration.tokens(each.kind, key) for each, key in objects
    )
    text, reason = _text(prompt, objects, record["recordId"])
    if fault:
        text, reason = spoiling.spoil(fault.action, text)
    return {"modelOutput": _output(shop.job, text, reason, max(1, spent))}


def _text(
    prompt: prompts.Prompt, objects: list[tuple[prompts.Media, Any]], record_id: str
) -> tuple[str, str]:
    kind, seed, seconds = "text", record_id, 0.0
    if objects:
        media, key = objects[0]
        kind, seed = media.kind, key.name.rsplit("/", 1)[-1] + record_id.partition(":")[2]
        seconds = duration.seconds(key) if kind == "video" else 0.0
    text = answer(prompt.text, kind, seed, seconds)
    room = prompt.max_tokens * CHARACTERS_PER_TOKEN
    return (text, "end_turn") if len(text) <= room else (text[:room], "max_tokens")


def _output(job: Job, text: str, reason: str, spent: int) -> dict[str, Any]:
    made = -(-len(text) // CHARACTERS_PER_TOKEN)
    part: dict[str, Any] = {"text": text}
    if job.request.get("modelInvocationType") == "Converse":
        part |= dict.fromkeys(UNSET)
    usage: dict[str, Any] = {"inputTokens": spent, "outputTokens": made, "totalTokens": spent + made}
    if spent % 9 == 0:
        usage |= {"cacheReadInputTokenCount": None, "cacheWriteInputTokenCount": None}
    return {
        "output": {"message": {"content": [part], "role": "assistant"}},
        "stopReason": reason,
        "usage": usage,
    }
