"""Every S3 key, URI, job name and record id of the system; nothing else builds them.

Folders that may be deleted are only ever named through this module, and it refuses any folder name that
is not exactly of our own pattern.
"""

import hashlib
import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

INPUT_ROOT = "nova_batch/"
OUTPUT_ROOT = "nova/batch/output/"
RESULTS_ROOT = "nova_results/"
REHEARSAL_ROOT = "novabatch-doctor/"
"""Originals that `doctor --live` makes; like all originals they are never deleted."""
OWN_ROOTS = (INPUT_ROOT, "nova/batch/", RESULTS_ROOT)
LEGACY_ROOTS = ("nova/batch/input/", OUTPUT_ROOT, "nova/batch/")
MANIFEST_NAME = "manifest.jsonl"
FILES_FOLDER = "files/"
OUTPUT_SUFFIX = ".jsonl.out"
SUMMARY_SUFFIX = ".json.out"
MAX_JOB_NAME = 63
MAX_JOB_PREFIX = 40
MAX_INDEX = 99_999_999

_NUMBER = r"(?:[0-9]{3}|[1-9][0-9]{3,7})"
_BATCH = re.compile(r"b[0-9a-f]{20}")
_CHUNK = re.compile(rf"(b[0-9a-f]{{20}})-({_NUMBER})")
_FOLDER = re.compile(rf"job_([0-9]{{8}}_[0-9]{{6}})_[0-9a-f]{{6}}_{_NUMBER}")
_FOLDER_IN_KEY = re.compile(r"(?:nova_batch|nova/batch/output)/([^/]+)/.*", re.DOTALL)
_KEPT = re.compile(
    r"nova_results/(?P<batch_id>b[0-9a-f]{20})/(?:(?P<plan>plan\.jsonl)|plan-r(?P<round>[1-9][0-9]*)\.jsonl"
    rf"|plan-s(?P<split>{_NUMBER})\.jsonl|part-(?P<part>[0-9]{{5,8}})\.jsonl"
    r"|raw/part-(?P<raw>[0-9]{5,8})\.jsonl\.gz|(?P<results>results\.jsonl)"
    r"|(?P<superseded>superseded\.jsonl)|(?P<forgotten>forgotten\.jsonl)|(?P<manifest>manifest\.json))"
)
_OLD_INPUT = re.compile(r"batch_input_[^/]*\.jsonl")
_SEGMENT = re.compile(r"[^/\x00-\x1f\x7f]{1,255}")
_SAFE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_BUCKET = re.compile(r"[a-z0-9][-.a-z0-9]{1,61}[a-z0-9]")
_JOB_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9+.-]{0,62}")
_FILE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_ANALYSIS = re.compile(r"[A-Za-z0-9._-]{1,64}")
_PADDING = re.compile(r"padding-(?:0|[1-9][0-9]*)")


class ChunkName(NamedTuple):
    """What a chunk id says: its batch and its number within it, from 0."""

    batch_id: str
    number: int


class RecordName(NamedTuple):
    """What a record id says: the sender's file id as text, and the type of analysis."""

    file_id: str
    analysis_type: str


class S3Place(NamedTuple):
    """An S3 URI taken apart; the key is empty for a bare bucket."""

    bucket: str
    key: str


class KeptName(NamedTuple):
    """What a key among the stored results says: whose it is, what it holds, and its number where it has one.

    The kinds are plan, round, split, part, raw, results, superseded, forgotten and manifest.
    """

    batch_id: str
    kind: str
    number: int


class Prefixes(NamedTuple):
    """The two places of one chunk that may be emptied, each ending with a slash."""

    input: str
    output: str


def batch_id(request_id: str) -> str:
    """Name the batch of a request: `b` and 20 hex digits of the request id's SHA-256."""
    return "b" + _digest(request_id, 20)


def chunk_id(batch_id: str, index: int) -> str:
    """Name a chunk: `<batch_id>-<NNN>`. ValueError for a batch id or an index that cannot be ours."""
    return f"{_batch(batch_id)}-{_number(index)}"


def parse_chunk_id(chunk_id: str) -> ChunkName:
    """Take a chunk id apart. ValueError for anything `chunk_id` would not have made."""
    match = _CHUNK.fullmatch(chunk_id)
    if match is None:
        raise ValueError(f"not a chunk id: {chunk_id!r}")
    return ChunkName(match[1], int(match[2]))


def folder_name(created_at: datetime, batch_id: str, index: int) -> str:
    """Name a chunk's folder: `job_<YYYYMMDD_HHMMSS>_<batch6>_<NNN>`, the time in UTC.

    ValueError for a time without a zone.
    """
    if created_at.tzinfo is None:
        raise ValueError("a folder's time needs a zone")
    utc = created_at.astimezone(UTC)
    stamp = f"{utc.year:04}{utc.month:02}{utc.day:02}_{utc.hour:02}{utc.minute:02}{utc.second:02}"
    return f"job_{stamp}_{_batch6(batch_id)}_{_number(index)}"


def is_own_folder(name: str) -> bool:
    """Tell whether a folder's bare name is exactly one that `folder_name` makes."""
    match = _FOLDER.fullmatch(name)
    return match is not None and _is_time(match[1])


def is_folder_of(name: str, chunk_id: str) -> bool:
    """Tell whether a folder is named after a chunk: by the batch and the number in its name."""
    try:
        owner = parse_chunk_id(chunk_id)
    except ValueError:
        return False
    return is_own_folder(name) and name.endswith(f"_{_batch6(owner.batch_id)}_{_number(owner.number)}")


def folder_of(key: str) -> str | None:
    """Find the folder of ours that a key lies in, on the input or the output side; None for any other."""
    match = _FOLDER_IN_KEY.fullmatch(key)
    return match[1] if match is not None and is_own_folder(match[1]) else None


def temporary_prefixes(folder: str) -> Prefixes:
    """Name the two places cleanup may empty. ValueError for any folder that is not ours."""
    return Prefixes(input_prefix(folder), output_prefix(folder))


def unowned_prefixes(folder: str) -> tuple[str, ...]:
    """Name the places of a folder, one that may be nobody's: below both roots if it is named like ours.

    ValueError for whatever is no bare name of a folder.
    """
    if is_own_folder(folder):
        return temporary_prefixes(folder)
    if _SEGMENT.fullmatch(folder) is None or folder in {".", ".."}:
        raise ValueError(f"not the name of a folder: {folder!r}")
    return (f"{INPUT_ROOT}{folder}/",)


def unowned_folder(key: str) -> str | None:
    """Find the folder, named like ours or not, by which a key could be nobody's; None for any other."""
    if (folder := folder_of(key)) is not None:
        return folder
    name, slash, _ = key.removeprefix(INPUT_ROOT).partition("/")
    return name if key.startswith(INPUT_ROOT) and name and slash else None


def legacy_place(key: str) -> str | None:
    """Name what an earlier system left that a key belongs to: a key, or a folder with its slash.

    The folder is the first below ``nova/batch/input/``, ``nova/batch/output/`` or ``nova/batch/``; folders
    named like ours are none of it.
    """
    if _OLD_INPUT.fullmatch(key):
        return key
    root = next((root for root in LEGACY_ROOTS if key.startswith(root)), None)
    if root is None or folder_of(key) is not None:
        return None
    name, slash, _ = key[len(root) :].partition("/")
    return root + name + slash if name else None


def checked_legacy(place: str) -> str:
    """Give back a name that `legacy_place` gives. ValueError otherwise: no root and nothing of ours."""
    if legacy_place(f"{place}x" if place.endswith("/") else place) != place:
        raise ValueError(f"not what an earlier system left: {place!r}")
    return place


def results_of(folder: str) -> str | None:
    """Name what the results of the batches begin with that a folder may be of; None if it is not named so."""
    return f"{RESULTS_ROOT}b{folder.split('_')[3]}" if is_own_folder(folder) else None


def batch_of_result(key: str) -> str | None:
    """Find the batch that a key of results belongs to."""
    name = key.removeprefix(RESULTS_ROOT).partition("/")[0]
    return name if key.startswith(RESULTS_ROOT) and _BATCH.fullmatch(name) else None


def input_prefix(folder: str) -> str:
    """Name the folder Bedrock reads, `nova_batch/<folder>/`. ValueError for a folder that is not ours."""
    return f"{INPUT_ROOT}{_own(folder)}/"


def manifest_key(folder: str) -> str:
    """Name the chunk's list of records for Bedrock."""
    return input_prefix(folder) + MANIFEST_NAME


def file_key(folder: str, safe_name: str) -> str:
    """Name the copy of one media file. ValueError for a name that Bedrock would refuse or misread.

    Bedrock processes every `.jsonl` below the folder (AWS: Bedrock batch inference, data format), so no
    copy may end like that.
    """
    if _SAFE_NAME.fullmatch(safe_name) is None or safe_name.lower().endswith(".jsonl"):
        raise ValueError(f"not a safe file name: {safe_name!r}")
    return f"{input_prefix(folder)}{FILES_FOLDER}{safe_name}"


def output_prefix(folder: str) -> str:
    """Name the folder Bedrock writes below. ValueError for a folder that is not ours."""
    return f"{OUTPUT_ROOT}{_own(folder)}/"


def input_uri(bucket: str, folder: str) -> str:
    """Give the URI a job reads from: a folder with its slash, so that media may lie below it."""
    return s3_uri(bucket, input_prefix(folder))


def output_uri(bucket: str, folder: str) -> str:
    """Give the URI a job writes below; Bedrock adds a folder named after the job."""
    return s3_uri(bucket, output_prefix(folder))


def is_output_records(key: str) -> bool:
    """Tell whether an output object holds records: `.jsonl.out`, not the summary's `.json.out`."""
    return key.endswith(OUTPUT_SUFFIX)


def is_output_summary(key: str) -> bool:
    """Tell whether an output object is the summary of a job: `.json.out`, not the records' `.jsonl.out`."""
    return key.endswith(SUMMARY_SUFFIX)


def results_prefix(batch_id: str) -> str:
    """Name the folder of a batch's stored results, with its slash."""
    return f"{RESULTS_ROOT}{_batch(batch_id)}/"


def plan_key(batch_id: str, round: int = 0) -> str:
    """Name the batch's plan: `plan.jsonl`, or `plan-r<round>.jsonl` for the chunks of a later round."""
    if round < 0:
        raise ValueError(f"a round is counted from 0, not {round}")
    return results_prefix(batch_id) + (f"plan-r{round}.jsonl" if round else "plan.jsonl")


def plans_prefix(batch_id: str) -> str:
    """Name what the keys of all plans of a batch begin with, and no other key."""
    return results_prefix(batch_id) + "plan"


def split_plan_key(batch_id: str, index: int) -> str:
    """Name the plan of the chunks that one chunk was split into: `plan-s<NNN>.jsonl`, by its number."""
    return f"{results_prefix(batch_id)}plan-s{_number(index)}.jsonl"


def part_key(batch_id: str, index: int) -> str:
    """Name the results of one chunk: `part-<NNNNN>.jsonl`."""
    return f"{results_prefix(batch_id)}part-{_number(index, 5)}.jsonl"


def raw_key(batch_id: str, index: int) -> str:
    """Name the model's raw lines of one chunk: `raw/part-<NNNNN>.jsonl.gz`."""
    return f"{raw_prefix(batch_id)}part-{_number(index, 5)}.jsonl.gz"


def raw_prefix(batch_id: str) -> str:
    """Name the folder of a batch's raw lines: all of its results that may ever be deleted."""
    return results_prefix(batch_id) + "raw/"


def results_key(batch_id: str) -> str:
    """Name the batch's results, one current line per file and type of analysis."""
    return results_prefix(batch_id) + "results.jsonl"


def superseded_key(batch_id: str) -> str:
    """Name the lines of attempts whose place a later one has taken, beside the batch's results."""
    return results_prefix(batch_id) + "superseded.jsonl"


def forgotten_key(batch_id: str) -> str:
    """Name the lines that keep the books of files that were forgotten, beside the batch's results."""
    return results_prefix(batch_id) + "forgotten.jsonl"


def forgotten_name(batch_id: str, position: int) -> str:
    """Name a file of which only its place in the plan is known any more."""
    return f"forgotten-{position}-{_digest(_batch(batch_id), 8)}"


def manifest_json_key(batch_id: str) -> str:
    """Name the summary of the stored results: parts, counts, checksums, revision."""
    return results_prefix(batch_id) + "manifest.json"


def parse_kept(key: str) -> KeptName | None:
    """Take the key of something stored for a batch apart; None for any other key."""
    match = _KEPT.fullmatch(key)
    if match is None:
        return None
    batch_id, kind = match["batch_id"], str(match.lastgroup)
    return KeptName(batch_id, kind, int(match[kind]) if match[kind].isdigit() else 0)


def is_ours(key: str) -> bool:
    """Tell whether a key lies where this system writes; such a key is refused as an original."""
    return key.startswith(OWN_ROOTS)


def s3_uri(bucket: str, key: str) -> str:
    """Join a bucket and a key; the key is taken literally, nothing is percent-encoded."""
    return f"s3://{bucket}/{key}"


def parse_s3_uri(uri: str) -> S3Place:
    """Take an S3 URI apart, the key literally. ValueError without `s3://` or with an impossible bucket."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    if not uri.startswith("s3://") or _BUCKET.fullmatch(bucket) is None:
        raise ValueError(f"not an S3 URI: {uri!r}")
    return S3Place(bucket, key)


def job_name(prefix: str, chunk_id: str, input_uri: str) -> str:
    """Name a chunk's job: `<prefix>-<batch6>-<NNN>-<hash6>`, the hash of the chunk id and what the job reads.

    The same request sent to two installations of one account makes the same chunk ids; only their buckets
    and folders keep their jobs apart, and a name stays taken for ever.
    At most 63 characters of `[A-Za-z0-9+.-]`, no `_` and no `/` (AWS: CreateModelInvocationJob, jobName).
    ValueError for a prefix that cannot begin such a name, and for what is no chunk id.
    """
    owner = parse_chunk_id(chunk_id)
    digest = _digest(f"{chunk_id} {input_uri}", 6)
    return f"{checked_job_prefix(prefix)}-{_batch6(owner.batch_id)}-{_number(owner.number)}-{digest}"


def checked_job_prefix(prefix: str) -> str:
    """Give back a prefix that job names can begin with, at most 40 characters. ValueError otherwise."""
    if _JOB_NAME.fullmatch(prefix) is None or len(prefix) > MAX_JOB_PREFIX:
        raise ValueError(
            f"JOB_NAME_PREFIX must be 1 to {MAX_JOB_PREFIX} of [A-Za-z0-9+.-] "
            f"and begin with a letter or digit, not {prefix!r}"
        )
    return prefix


def client_token(job_name: str) -> str:
    """Derive the idempotency token of a job from its name, for ever the same.

    Letters, digits and inner `-` only (AWS: CreateModelInvocationJob, clientRequestToken): `+` and `.`
    become `-`, and a hash of the name keeps such names apart. ValueError for an impossible job name.
    """
    if _JOB_NAME.fullmatch(job_name) is None:
        raise ValueError(f"not a job name: {job_name!r}")
    return f"{re.sub('[+.]', '-', job_name)}-{_digest(job_name, 16)}"


def record_id(file_id: str, analysis_type: str) -> str:
    """Name one line of a manifest: `file-<file_id>:<analysis_type>`. ValueError for ids out of bounds."""
    if _FILE_ID.fullmatch(file_id) is None or _ANALYSIS.fullmatch(analysis_type) is None:
        raise ValueError(f"cannot name a record for {file_id!r} and {analysis_type!r}")
    return f"file-{file_id}:{analysis_type}"


def parse_record_id(record_id: str) -> RecordName:
    """Take a record id apart. ValueError for anything `record_id` would not have made."""
    file_id, _, analysis_type = record_id.removeprefix("file-").partition(":")
    known = (
        record_id.startswith("file-") and _FILE_ID.fullmatch(file_id) and _ANALYSIS.fullmatch(analysis_type)
    )
    if not known:
        raise ValueError(f"not a record id: {record_id!r}")
    return RecordName(file_id, analysis_type)


def padding_id(number: int) -> str:
    """Name a record that only fills a chunk up to Bedrock's minimum, counted from 0."""
    if number < 0:
        raise ValueError(f"padding is counted from 0, not {number}")
    return f"padding-{number}"


def is_padding(record_id: str) -> bool:
    """Tell whether a record was only there to fill the chunk up."""
    return _PADDING.fullmatch(record_id) is not None


def file_id_of(key: str) -> str:
    """Derive a file id from a key, for requests that name a prefix only.

    The digits between the last two `_` of the bare name (`…_22153_720p15.mov`), else those after the last
    `_`, else `k` and 16 hex digits of the whole key's SHA-256. Uniqueness is the caller's to check.
    """
    stem = _stem(key)
    parts = stem.split("_")
    for candidate in (parts[-2] if len(parts) > 2 else "", parts[-1] if len(parts) > 1 else ""):
        if candidate.isascii() and candidate.isdigit() and len(candidate) <= 64:
            return candidate
    return hashed_file_id(key)


def hashed_file_id(key: str) -> str:
    """Derive a file id from the whole key: for names without a number, or with another file's number."""
    return "k" + _digest(key, 16)


def _stem(key: str) -> str:
    name = key.rpartition("/")[2]
    stem, dot, _ = name.rpartition(".")
    return stem if dot else name


def _digest(text: str, digits: int) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:digits]


def _number(index: int, width: int = 3) -> str:
    if not 0 <= index <= MAX_INDEX:
        raise ValueError(f"a chunk's index lies between 0 and {MAX_INDEX}, not {index}")
    return f"{index:0{width}}"


def _batch(batch_id: str) -> str:
    if _BATCH.fullmatch(batch_id) is None:
        raise ValueError(f"not a batch id: {batch_id!r}")
    return batch_id


def _batch6(batch_id: str) -> str:
    return _batch(batch_id)[1:7]


@lru_cache(maxsize=256)
def _own(folder: str) -> str:
    if not is_own_folder(folder):
        raise ValueError(f"not a folder of ours: {folder!r}")
    return folder


def _is_time(stamp: str) -> bool:
    try:
        datetime.strptime(stamp, "%Y%m%d_%H%M%S")
    except ValueError:
        return False
    return True
