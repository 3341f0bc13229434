"""Every key, URI, job name and record id: what they look like and what is refused."""

import hashlib
import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.core import layout

BATCH = layout.batch_id("catalog-2026-01-05-a")
FOLDER = layout.folder_name(datetime(2026, 1, 5, 7, 8, 9, tzinfo=UTC), BATCH, 3)
JOB_NAME = re.compile(r"[a-zA-Z0-9]{1,63}(-*[a-zA-Z0-9+\-.]){0,63}")
TOKEN = re.compile(r"[a-zA-Z0-9]{1,256}(-*[a-zA-Z0-9]){0,256}")
S3_URI = re.compile(
    r"s3://[a-z0-9][-.a-z0-9]{1,61}[a-z0-9](?:/[-!_*'().a-z0-9A-Z]+(?:/[-!_*'().a-z0-9A-Z]+)*)?/?"
)

batches = st.text().map(layout.batch_id)
indexes = st.integers(0, layout.MAX_INDEX)
times = st.datetimes(timezones=st.just(UTC))
folders = st.builds(layout.folder_name, times, batches, indexes)
prefixes = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9+.-]{0,39}", fullmatch=True)
ids = st.from_regex(r"[A-Za-z0-9._-]{1,64}", fullmatch=True)
foreign_folders = [
    "",
    ".",
    "..",
    "job_20250101_101010_001",
    "job_20260105_070809",
    f"{FOLDER}/",
    f"{FOLDER}/../x",
    f" {FOLDER}",
    f"{FOLDER}\n",
    FOLDER.upper(),
    FOLDER.replace("job_", "jobs_"),
    "job_20261305_070809_abcdef_003",
    "job_20260105_246060_abcdef_003",
    "job_20260105_070809_abcdeg_003",
    "job_20260105_070809_abcdef_03",
    "job_20260105_070809_abcdef_0003",
    "job_２０２６0105_070809_abcdef_003",
]


def test_a_batch_is_named_after_the_hash_of_its_request() -> None:
    assert "b" + hashlib.sha256(b"catalog-2026-01-05-a").hexdigest()[:20] == BATCH


@given(batches, indexes)
def test_a_chunk_id_is_read_back(batch: str, index: int) -> None:
    name = layout.chunk_id(batch, index)
    assert layout.parse_chunk_id(name) == (batch, index)
    assert len(name) >= len(batch) + 4


@pytest.mark.parametrize(
    "text", ["", BATCH, f"{BATCH}-1", f"{BATCH}-0001", f"{BATCH}-001\n", f"x{BATCH}-001"]
)
def test_what_is_no_chunk_id_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a chunk id"):
        layout.parse_chunk_id(text)


def test_the_layout_is_the_agreed_one() -> None:
    six = BATCH[1:7]
    assert layout.chunk_id(BATCH, 3) == f"{BATCH}-003"
    assert f"job_20260105_070809_{six}_003" == FOLDER
    assert layout.manifest_key(FOLDER) == f"nova_batch/{FOLDER}/manifest.jsonl"
    assert layout.file_key(FOLDER, "a.mov") == f"nova_batch/{FOLDER}/files/a.mov"
    assert layout.input_uri("media", FOLDER) == f"s3://media/nova_batch/{FOLDER}/"
    assert layout.output_uri("media", FOLDER) == f"s3://media/nova/batch/output/{FOLDER}/"
    assert layout.plan_key(BATCH) == f"nova_results/{BATCH}/plan.jsonl"
    assert layout.plan_key(BATCH, 2) == f"nova_results/{BATCH}/plan-r2.jsonl"
    assert layout.part_key(BATCH, 7) == f"nova_results/{BATCH}/part-00007.jsonl"
    assert layout.raw_key(BATCH, 7) == f"nova_results/{BATCH}/raw/part-00007.jsonl.gz"
    assert layout.results_key(BATCH) == f"nova_results/{BATCH}/results.jsonl"
    assert layout.superseded_key(BATCH) == f"nova_results/{BATCH}/superseded.jsonl"
    assert layout.manifest_json_key(BATCH) == f"nova_results/{BATCH}/manifest.json"
    assert layout.temporary_prefixes(FOLDER) == (f"nova_batch/{FOLDER}/", f"nova/batch/output/{FOLDER}/")


def test_a_folder_carries_its_time_in_utc() -> None:
    there = datetime(2026, 1, 5, 9, 8, 9, tzinfo=timezone(timedelta(hours=2)))
    assert layout.folder_name(there, BATCH, 3) == FOLDER


def test_a_time_without_a_zone_names_no_folder() -> None:
    with pytest.raises(ValueError, match="zone"):
        layout.folder_name(datetime(2026, 1, 5), BATCH, 3)


@given(folders)
def test_every_folder_of_ours_may_be_emptied_on_both_sides_only(folder: str) -> None:
    places = layout.temporary_prefixes(folder)
    assert places == (f"nova_batch/{folder}/", f"nova/batch/output/{folder}/")
    assert layout.folder_of(layout.manifest_key(folder)) == folder
    assert layout.folder_of(places.output + "abc/manifest.jsonl.out") == folder


@pytest.mark.parametrize("name", foreign_folders)
def test_no_other_folder_can_be_named(name: str) -> None:
    assert not layout.is_own_folder(name)
    for build in (layout.temporary_prefixes, layout.input_prefix, layout.output_prefix, layout.manifest_key):
        with pytest.raises(ValueError, match="not a folder of ours"):
            build(name)


@given(st.text())
def test_no_text_at_all_becomes_a_folder_outside_ours(name: str) -> None:
    if layout.is_own_folder(name):
        assert re.fullmatch(r"job_\d{8}_\d{6}_[0-9a-f]{6}_\d{3,}", name, re.ASCII)
    else:
        with pytest.raises(ValueError, match="not a folder of ours"):
            layout.temporary_prefixes(name)


@pytest.mark.parametrize(
    "key",
    [
        "",
        "nova_batch/",
        "nova_batch/manifest.jsonl",
        "nova/batch/output/abc/x.jsonl.out",
        f"nova_results/{FOLDER}/x",
        f"x/nova_batch/{FOLDER}/x",
        f"nova_batch/{FOLDER}",
        f"nova_batch//{FOLDER}/x",
    ],
)
def test_a_key_outside_our_folders_has_no_folder(key: str) -> None:
    assert layout.folder_of(key) is None


@pytest.mark.parametrize(
    "name", ["", "a b.mov", "../a.mov", "a/b.mov", ".a", "-a", "manifest.jsonl", "x.JSONL", "a\n"]
)
def test_a_name_bedrock_would_refuse_or_misread_names_no_copy(name: str) -> None:
    with pytest.raises(ValueError, match="not a safe file name"):
        layout.file_key(FOLDER, name)


@pytest.mark.parametrize("name", ["", "b123", BATCH + "0", BATCH.upper(), "b" + "g" * 20, BATCH + "\n"])
def test_what_is_no_batch_id_names_nothing(name: str) -> None:
    for build in (layout.results_prefix, layout.plan_key, layout.results_key, layout.manifest_json_key):
        with pytest.raises(ValueError, match="not a batch id"):
            build(name)


@pytest.mark.parametrize("index", [-1, layout.MAX_INDEX + 1])
def test_an_impossible_index_is_refused(index: int) -> None:
    with pytest.raises(ValueError, match="index"):
        layout.chunk_id(BATCH, index)


def test_a_round_below_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="round"):
        layout.plan_key(BATCH, -1)


@given(prefixes, batches, indexes)
def test_job_names_and_tokens_obey_bedrock(prefix: str, batch: str, index: int) -> None:
    name = layout.job_name(prefix, layout.chunk_id(batch, index), "s3://media/a/")
    assert len(name) <= 63
    assert JOB_NAME.fullmatch(name)
    assert name.startswith(f"{prefix}-{batch[1:7]}-")
    token = layout.client_token(name)
    assert len(token) <= 256
    assert TOKEN.fullmatch(token)
    assert token == layout.client_token(name)


def test_a_job_name_ends_with_a_hash_of_its_chunk_and_of_what_it_reads() -> None:
    digest = hashlib.sha256(f"{BATCH}-003 s3://media/a/".encode()).hexdigest()[:6]
    name = layout.job_name("novabatch", f"{BATCH}-003", "s3://media/a/")
    assert name == f"novabatch-{BATCH[1:7]}-003-{digest}"
    assert name != layout.job_name("novabatch", f"{BATCH}-003", "s3://other/a/")


def test_names_that_differ_only_in_a_forbidden_mark_have_different_tokens() -> None:
    assert layout.client_token("a.b") != layout.client_token("a+b")


@pytest.mark.parametrize("prefix", ["", "nova_batch", "-a", "a/b", "a b", "a" * 41, "a\n", "é"])
def test_a_prefix_that_job_names_cannot_have_is_refused(prefix: str) -> None:
    with pytest.raises(ValueError, match="JOB_NAME_PREFIX"):
        layout.job_name(prefix, f"{BATCH}-000", "s3://media/a/")


@pytest.mark.parametrize("name", ["", "a_b", "-a", "a" * 64])
def test_what_is_no_job_name_has_no_token(name: str) -> None:
    with pytest.raises(ValueError, match="not a job name"):
        layout.client_token(name)


@given(folders)
def test_every_uri_we_give_bedrock_is_one_it_takes(folder: str) -> None:
    name = "x" * 100
    for uri in (
        layout.input_uri("my-bucket.a", folder),
        layout.output_uri("my-bucket.a", folder),
        layout.s3_uri("a" * 63, layout.file_key(folder, name)),
    ):
        assert S3_URI.fullmatch(uri)
        assert len(uri) <= 1024


@given(st.text())
def test_an_s3_uri_is_read_back_literally(key: str) -> None:
    assert layout.parse_s3_uri(layout.s3_uri("my-bucket", key)) == ("my-bucket", key)


@pytest.mark.parametrize(
    "uri", ["", "bucket/key", "s3://", "s3:///key", "s3://B/key", "https://bucket/key", "S3://bucket/k"]
)
def test_what_is_no_s3_uri_is_refused(uri: str) -> None:
    with pytest.raises(ValueError, match="not an S3 URI"):
        layout.parse_s3_uri(uri)


@pytest.mark.parametrize(
    ("key", "ours"),
    [
        ("nova_batch/x.mov", True),
        ("nova/batch/input/x.mov", True),
        ("nova/batch/output/a/b.mov", True),
        ("nova_results/x.mov", True),
        ("proxy_video/nova_batch/x.mov", False),
        ("nova_batch_old/x.mov", False),
        ("nova/x.mov", False),
    ],
)
def test_what_lies_where_we_write_is_no_original(key: str, ours: bool) -> None:
    assert layout.is_ours(key) is ours


def test_records_and_summary_of_an_output_are_told_apart() -> None:
    assert layout.is_output_records("o/abc/manifest.jsonl.out")
    assert not layout.is_output_records("o/abc/manifest.json.out")
    assert not layout.is_output_records("o/abc/manifest.jsonl")


@given(ids, ids)
def test_a_record_id_is_read_back(file_id: str, analysis_type: str) -> None:
    name = layout.record_id(file_id, analysis_type)
    assert name == f"file-{file_id}:{analysis_type}"
    assert layout.parse_record_id(name) == (file_id, analysis_type)
    assert not layout.is_padding(name)


@pytest.mark.parametrize(
    "text", ["", "file-", "file-1", "file-1:", "file-:x", "1:x", "file-a b:x", "file-1:x:y", "padding-1"]
)
def test_what_is_no_record_id_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a record id"):
        layout.parse_record_id(text)


@pytest.mark.parametrize(
    ("file_id", "analysis_type"), [("", "x"), ("a:b", "x"), ("a" * 65, "x"), ("1", ""), ("1", "a:b")]
)
def test_ids_that_could_not_be_read_back_name_no_record(file_id: str, analysis_type: str) -> None:
    with pytest.raises(ValueError, match="cannot name a record"):
        layout.record_id(file_id, analysis_type)


@given(st.integers(0))
def test_padding_is_known_as_padding(number: int) -> None:
    assert layout.is_padding(layout.padding_id(number))


@pytest.mark.parametrize(
    "text", ["", "padding-", "padding-01", "padding--1", "padding-1 ", "file-padding-1:x"]
)
def test_other_records_are_not_padding(text: str) -> None:
    assert not layout.is_padding(text)


def test_padding_below_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="padding"):
        layout.padding_id(-1)


@pytest.mark.parametrize(
    ("key", "file_id"),
    [
        ("proxy_video/Video Nov 14 2025, 10 02 14 AM_22153_720p15.mov", "22153"),
        ("C0134_33946_720p15.MP4", "33946"),
        ("a_12_34.mov", "12"),
        ("clip_77.mov", "77"),
        ("clip_007", "007"),
    ],
)
def test_a_file_id_is_found_in_the_name(key: str, file_id: str) -> None:
    assert layout.file_id_of(key) == file_id


@pytest.mark.parametrize(
    "key",
    [
        "",
        "a/b/",
        "22153.mov",
        "22153_720p15.mov",
        "1_2_3/clip.mov",
        "a_x_y.mov",
        "a_٣.mov",
        "a_²_b.mov",
        "a_" + "1" * 65,
    ],
)
def test_a_name_without_a_number_gets_a_hash_of_the_whole_key(key: str) -> None:
    assert layout.file_id_of(key) == "k" + hashlib.sha256(key.encode()).hexdigest()[:16]


@given(st.text())
def test_every_key_gives_an_id_that_records_can_carry(key: str) -> None:
    layout.record_id(layout.file_id_of(key), "combined")
    layout.record_id(layout.hashed_file_id(key), "combined")


@given(st.text(max_size=30))
def test_raw_lines_are_named_for_a_batch_of_ours_only(text: str) -> None:
    if re.fullmatch(r"b[0-9a-f]{20}", text):
        return
    with pytest.raises(ValueError, match="not a batch id"):
        layout.raw_prefix(text)


@given(batches, indexes)
def test_no_result_but_raw_lines_lies_below_the_prefix_of_raw_lines(batch: str, index: int) -> None:
    prefix = layout.raw_prefix(batch)
    assert layout.raw_key(batch, index).startswith(prefix)
    assert prefix == f"nova_results/{batch}/raw/"
    for key in (
        layout.part_key(batch, index),
        layout.plan_key(batch),
        layout.results_key(batch),
        layout.manifest_json_key(batch),
    ):
        assert not key.startswith(prefix)
