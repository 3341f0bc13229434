"""Bodies that no sender should send: each with its code and the field that the answer must name."""

import json
from typing import Any, NamedTuple

MIB = 1_048_576
FILE: dict[str, Any] = {"file_id": 1, "s3_key": "proxy_video/Video, 1.mov"}
REQUEST: dict[str, Any] = {"type": "submit_batch", "request_id": "r", "model": "nova-2-lite", "files": [FILE]}


class Hostile(NamedTuple):
    """A body, the code it is refused with, and words the reason must hold."""

    body: str
    code: str
    words: tuple[str, ...]


def request(code: str, *words: str, **changes: Any) -> Hostile:
    """Change a good request; ``...`` leaves a field out."""
    fields = {name: value for name, value in {**REQUEST, **changes}.items() if value is not ...}
    return Hostile(json.dumps(fields), code, words)


def file(code: str, *words: str, **changes: Any) -> Hostile:
    """Change the only file of a good request."""
    return request(code, *words, files=[{**FILE, **changes}])


def source(code: str, *words: str, **fields: Any) -> Hostile:
    """Name the files of a request by their source."""
    return request(code, *words, files=..., files_from=fields)


def raw(code: str, *words: str, fields: str) -> Hostile:
    """Write fields behind those of a good request as no JSON library would."""
    return Hostile(json.dumps(REQUEST)[:-1] + f", {fields}}}", code, words)


def body(code: str, *words: str, text: str) -> Hostile:
    """Send something else altogether."""
    return Hostile(text, code, words)


def filling(text: str, size: int = MIB - 400) -> str:
    """Repeat a text up to a size that still leaves room for the attributes of a dead letter."""
    return ", ".join([text] * (size // (len(text) + 2)))


BAD = "invalid_message"
JSON = "invalid_json"

HOSTILE: dict[str, Hostile] = {
    # what is no JSON, or no object
    "empty body": body(JSON, "empty", text=""),
    "blank body": body(JSON, "empty", text=" \n\t "),
    "no JSON": body(JSON, "not JSON", text="please analyse my videos"),
    "half a JSON": body(JSON, "not JSON", text='{"request_id": "r", "files": ['),
    "XML": body(JSON, "not JSON", text="<request/>"),
    "single quotes": body(JSON, "not JSON", text="{'request_id': 'r'}"),
    "an array": body(JSON, "a list of 1", text=json.dumps([REQUEST])),
    "a number": body(JSON, "7", text="7"),
    "a string": body(JSON, "'r'", text='"r"'),
    "null": body(JSON, "null", text="null"),
    "two objects": body(JSON, "not JSON", text="{}{}"),
    "a byte-order mark": body(JSON, "byte-order mark", text="\ufeff" + json.dumps(REQUEST)),
    "nested arrays": body(JSON, "50 levels", text="[" * 500_000),
    "nested objects": body(JSON, "50 levels", text='{"a":' * 200_000),
    "deep metadata": raw(
        JSON, "metadata.x", "50 levels", fields=f'"metadata": {{"x": {"[" * 60}{"]" * 60}}}'
    ),
    "NaN": raw(JSON, "metadata.x", "NaN", fields='"metadata": {"x": NaN}'),
    "Infinity": raw(JSON, "budget_usd", "Infinity", fields='"budget_usd": Infinity'),
    "minus Infinity": raw(JSON, "options.temperature", fields='"options": {"temperature": -Infinity}'),
    "too great a number": raw(JSON, "metadata.x[1]", fields='"metadata": {"x": [0, 1e999]}'),
    "a million digits": raw(JSON, "priority", "1000000", fields=f'"priority": {"9" * 1_000_000}'),
    "a million decimals": raw(JSON, "budget_usd", fields=f'"budget_usd": 0.{"9" * 1_000_000}'),
    "a field twice": raw(JSON, "request_id", "twice", fields='"request_id": "s"'),
    "a field twice within": raw(
        JSON, "options.language", "twice", fields='"options": {"language":1,"language":2}'
    ),
    "a null byte": file("invalid_text", "files[0].s3_key", s3_key="a\x00b.mov"),
    "a null byte in a name": request("invalid_text", "metadata", metadata={"\x00": 1}),
    "half a character": request("invalid_text", "request_id", request_id="half \ud800"),
    # types and versions
    "an unknown type": request("unknown_type", "type", "submit_all", type="submit_all"),
    "a type of another queue": request("unknown_type", "type", "reconcile", type="reconcile"),
    "a type that is a number": request("unknown_type", "type", "7", type=7),
    "another version": request(BAD, "version", "2", version=2),
    "a version that is true": request(BAD, "version", "true", version=True),
    "a version in quotes": request(BAD, "version", "'1'", version="1"),
    "from a topic": body(BAD, "TopicArn", text=json.dumps({"Type": "Notification", "TopicArn": "arn"})),
    "an event": body(BAD, "detail-type", text=json.dumps({"detail-type": "EC2 Instance State-change"})),
    # fields of a request
    "no request_id": request(BAD, "request_id", "missing", request_id=...),
    "an empty request_id": request(BAD, "request_id", request_id=""),
    "a request_id with a line break": request(BAD, "request_id", "line break", request_id="a\nb"),
    "a request_id without end": request(BAD, "request_id", "256", request_id="x" * 1_000_000),
    "a request_id that is a number": request(BAD, "request_id", "7", request_id=7),
    "no model": request(BAD, "model", "missing", model=...),
    "an unknown model": request("unknown_model", "model", "gpt-9", "nova-2-lite", model="gpt-9"),
    "a model that is a list": request(BAD, "model", "a list of 1", model=["nova-2-lite"]),
    "an unknown field": request(BAD, "modell", modell="nova-2-lite"),
    "a hundred thousand unknown fields": body(
        BAD, "request_id", "more", text=json.dumps({f"f{n}": n for n in range(60_000)})
    ),
    "a field name without end": body(BAD, "xxx", text=json.dumps({**REQUEST, "x" * 1_000_000: 1})),
    "a bucket of somebody else": request("forbidden_bucket", "bucket", "others", "media", bucket="others"),
    "an empty bucket": request(BAD, "bucket", bucket=""),
    "a bucket without end": request(BAD, "bucket", "63", bucket="b" * 1_000_000),
    "no analysis types": request(BAD, "analysis_types", analysis_types=[]),
    "an unknown analysis type": request("unknown_analysis_type", "poetry", analysis_types=["poetry"]),
    "an analysis type twice": request(BAD, "analysis_types", analysis_types=["summary", "summary"]),
    "a part beside the whole": request(BAD, "analysis_types", analysis_types=["combined", "summary"]),
    "analysis types as text": request(BAD, "analysis_types", "list", analysis_types="summary"),
    "analysis types as numbers": request(BAD, "analysis_types[0]", analysis_types=[1] * 100_000),
    "too many analysis types": request(
        BAD, "analysis_types", "50", analysis_types=[f"t{n}" for n in range(60_000)]
    ),
    "options as a list": request(BAD, "options", "object", options=[]),
    "an unknown option": request(BAD, "options.summary_dept", options={"summary_dept": "brief"}),
    "an option of the wrong kind": request(
        BAD, "options.max_tokens", "'4096'", options={"max_tokens": "4096"}
    ),
    "more tokens than the model has": request(
        BAD, "options.max_tokens", "70000", options={"max_tokens": 70_000}
    ),
    "no tokens": request(BAD, "options.max_tokens", "0", options={"max_tokens": 0}),
    "an odd language": request(BAD, "options.language", options={"language": "de; drop"}),
    "a priority in words": request(BAD, "priority", "'high'", priority="high"),
    "a priority that is true": request(BAD, "priority", "true", priority=True),
    "a priority with a fraction": request(BAD, "priority", "1.5", priority=1.5),
    "too high a priority": request(BAD, "priority", "1000", "1001", priority=1001),
    "too low a priority": request(BAD, "priority", "-1000", "-1001", priority=-1001),
    "a negative budget": request(BAD, "budget_usd", "-1", budget_usd="-1"),
    "a budget in words": request(BAD, "budget_usd", "a lot", budget_usd="a lot"),
    "a budget without end": request(BAD, "budget_usd", budget_usd="9" * 1_000_000),
    "a budget beyond all means": request(BAD, "budget_usd", "1000000", budget_usd=1_000_001),
    "a budget with an exponent": request(BAD, "budget_usd", "1e3", budget_usd="1e3"),
    "a budget that is true": request(BAD, "budget_usd", "true", budget_usd=True),
    "metadata as text": request(BAD, "metadata", "object", metadata="catalog"),
    # files
    "no files": request(BAD, "files", files=...),
    "an empty list of files": request(BAD, "files", files=[]),
    "files as text": request(BAD, "files", "list", files="all"),
    "files and a source": request(BAD, "files_from", files_from={"prefix": "proxy_video/"}),
    "a file id twice": request(BAD, "files", "1", files=[FILE, {**FILE, "file_id": "1"}]),
    "a megabyte of the same file": body(
        BAD,
        "files",
        "times",
        text=f'{{"request_id": "r", "model": "m", "files": [{filling(json.dumps(FILE))}]}}',
    ),
    "a megabyte of zeros": body(
        BAD, "files[0]", text=f'{{"request_id": "r", "model": "m", "files": [{filling("0")}]}}'
    ),
    "a megabyte of empty files": body(
        BAD, "files[0]", text=f'{{"request_id": "r", "model": "m", "files": [{filling("{}")}]}}'
    ),
    "a megabyte of text": body(JSON, "not JSON", text="x" * (MIB - 400)),
    "a megabyte of quotes": body(JSON, "not JSON", text='"' * (MIB - 400)),
    "a file without an id": request(BAD, "files[0].file_id", "missing", files=[{"s3_key": "a.mov"}]),
    "a file without a key": request(BAD, "files[0].s3_key", "missing", files=[{"file_id": 1}]),
    "a file that is text": request(BAD, "files[0]", "object", files=["a.mov"]),
    "an unknown field of a file": file(BAD, "files[0].colour", colour="red"),
    "a file id with a slash": file(BAD, "files[0].file_id", "a/b", file_id="a/b"),
    "a file id that is true": file(BAD, "files[0].file_id", "true", file_id=True),
    "a file id with a fraction": file(BAD, "files[0].file_id", "1.5", file_id=1.5),
    "a file id of 65 digits": file(BAD, "files[0].file_id", "64", file_id=10**64),
    "an empty key": file(BAD, "files[0].s3_key", s3_key=""),
    "a key of 1,025 bytes": file(BAD, "files[0].s3_key", "1025", "1024", s3_key="a" * 1021 + ".mov"),
    "a key of 1,025 bytes in fewer characters": file(
        BAD, "files[0].s3_key", "1025", s3_key="é" * 510 + "x.mov"
    ),
    "a key that is a list": file(BAD, "files[0].s3_key", "text", s3_key=["a.mov"]),
    "a negative size": file(BAD, "files[0].size_bytes", "-1", size_bytes=-1),
    "a size in quotes": file(BAD, "files[0].size_bytes", "'73'", size_bytes="73"),
    "a size beyond S3": file(BAD, "files[0].size_bytes", str(5 * 1024**4), size_bytes=5 * 1024**4 + 1),
    "a file in the bucket of somebody else": file(
        "forbidden_bucket", "files[0].bucket", "others", bucket="others"
    ),
    "a context as a list": file(BAD, "files[0].context", "object", context=[1]),
    # sources
    "no source": source(BAD, "files_from"),
    "two sources": source(BAD, "files_from", list="s3://media/a.jsonl", prefix="a/"),
    "an empty prefix": source(BAD, "files_from.prefix", prefix=""),
    "a prefix of ours": source("own_folder", "files_from.prefix", "nova_batch/", prefix="nova_batch/"),
    "suffixes of a list": source(BAD, "files_from", "suffixes", list="s3://media/a.jsonl", suffixes=[".mov"]),
    "too many suffixes": source(
        BAD, "files_from.suffixes", "100", prefix="a/", suffixes=[f".{n}" for n in range(101)]
    ),
    "a source as text": request(BAD, "files_from", "object", files=..., files_from="s3://media/a.jsonl"),
    "a list behind http": source(BAD, "files_from.list", "http://", list="http://media/a.jsonl"),
    "a list without a key": source(BAD, "files_from.list", "s3://media", list="s3://media"),
    "a list that is a folder": source(BAD, "files_from.list", "s3://media/lists/", list="s3://media/lists/"),
    "a list in no bucket": source(BAD, "files_from.list", list="s3:///a.jsonl"),
    "a list in a bucket with odd letters": source(BAD, "files_from.list", list="s3://Me dia/a.jsonl"),
    "a list in the bucket of somebody else": source(
        "forbidden_bucket", "files_from.list", "others", list="s3://others/a.jsonl"
    ),
    # wishes about a batch
    "a retry of no batch": body(BAD, "batch_id", "request_id", text='{"type": "retry_batch"}'),
    "a cancel of two batches": body(
        BAD,
        "batch_id",
        text=json.dumps({"type": "cancel_batch", "request_id": "r", "batch_id": "b" + "0" * 20}),
    ),
    "a batch_id that is none": body(
        BAD, "batch_id", text='{"type": "cancel_batch", "batch_id": "../../etc"}'
    ),
    "an unknown batch": body(
        "unknown_batch", "request_id", "nobody", text='{"type": "retry_batch", "request_id": "nobody"}'
    ),
    "a revision in words": body(
        BAD, "revision", text='{"type": "retry_batch", "request_id": "r", "revision": "newest"}'
    ),
    "a chunk_id that is none": body(BAD, "chunk_id", text='{"type": "submit_chunk", "chunk_id": "b1"}'),
}
