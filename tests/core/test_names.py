"""Safe names: the cases that broke other systems, and what holds for any names."""

import random
import re
import unicodedata
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.core import layout
from consumers.core.names import MAX_NAME, Named, SafeName, safe_names

ACCENTS = re.compile("[\u0300-\u036f]")
# The pattern of botocore's model for an S3 URI.
S3_URI = re.compile(
    r"s3://[a-z0-9][-.a-z0-9]{1,61}[a-z0-9](?:/[-!_*'().a-z0-9A-Z]+(?:/[-!_*'().a-z0-9A-Z]+)*)?/?"
)
SAFE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")
UNCHANGED = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,20}\.(?:mov|MP4|png)")
ODD_NAMES = [
    "Video, 1.mov",
    "Video 1.mov",
    "a b.mov",
    "a_b.mov",
    "A B.mov",
    "().mp4",
    "[].mp4",
    "...mp4",
    "日本語.mp4",
    "中文.mp4",
    " ~x`y.mov ",
    "clip.m p4",
    "caf\u00e9.mov",
    "cafe\u0301.mov",
    "🎬.mov",
    "🎥.mov",
    "x" * 240 + "a.mov",
    "x" * 240 + "b.mov",
    "one/same.mov",
    "two/same.mov",
    "a%20b.mov",
    "a+b.mov",
    "a=b&c.mov",
    ".hidden.mov",
    "-dash.mov",
    "tab\t.mov",
    "folder/",
    "other//",
    "a//b.mov",
    "a/../b.mov",
    "..",
    "manifest.jsonl",
    "MANIFEST.JSONL",
    "Cafe.mov",
]
pieces = st.sampled_from(
    ["a", "A", "b", " ", "_", "-", ".", "(", "é", "e\u0301", "中", "/", "mov", "jsonl", "1"]
)
keys = st.lists(pieces, max_size=12).map("".join) | st.text(max_size=300) | st.sampled_from(ODD_NAMES)
file_ids = st.from_regex(r"[A-Za-z0-9._-]{1,64}", fullmatch=True) | st.sampled_from(
    ["1", "a", "A", "-", "x.jsonl"]
)
files = st.lists(st.builds(Named, keys, file_ids), max_size=30)


def bare(key: str) -> str:
    return key.rpartition("/")[2]


def name_of(key: str) -> str:
    (safe,) = safe_names([Named(key, "77")])
    return safe.name


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("Video Nov 14.mov", "Video_Nov_14.mov"),
        ("Video, Part 1.mov", "Video_Part_1.mov"),
        ("Video (1).mov", "Video_1.mov"),
        ("Video (1), Test [2].mov", "Video_1_Test_2.mov"),
        ("Video_22153_720p15.mov", "Video_22153_720p15.mov"),
        ("Video___Test.mov", "Video_Test.mov"),
        ("_Video_.mov", "Video.mov"),
        ("test file.MP4", "test_file.MP4"),
        ("test file", "test_file"),
        (
            "Video Nov 14 2025, 10 02 14 AM_22153_720p15.mov",
            "Video_Nov_14_2025_10_02_14_AM_22153_720p15.mov",
        ),
        ("C0134_33946_720p15.MP4", "C0134_33946_720p15.MP4"),
        ("proxy_video/Test File.mov", "Test_File.mov"),
        ("a/b/c/Test File.mov", "Test_File.mov"),
        (" ~x`y.mov ", "x_y.mov"),
        ("clip.m p4", "clip.m_p4"),
        ("a%20b.mov", "a_20b.mov"),
        ("a=b&c.mov", "a_b_c.mov"),
        ("-dash.mov", "dash.mov"),
        (".hidden.mov", "hidden.mov"),
        ("a\tb.mov", "a_b.mov"),
        ("café.mov", "cafe.mov"),
        ("v1.2.final cut.mov", "v1.2.final_cut.mov"),
    ],
)
def test_the_readable_part_stays(key: str, name: str) -> None:
    assert safe_names([Named(key, "77")]) == [SafeName(name, name != bare(key))]


@pytest.mark.parametrize("key", ["().mp4", "[].mp4", "...mp4", "日本語.mp4", "🎬.mp4", ".mp4", "_-_.mp4"])
def test_a_name_with_nothing_readable_becomes_the_file_id(key: str) -> None:
    assert name_of(key) == "77.mp4"


@pytest.mark.parametrize("key", ["", "a/b/", "..", "日本語"])
def test_a_key_without_any_name_becomes_the_file_id(key: str) -> None:
    assert name_of(key) == "77"


def test_a_file_id_that_is_not_readable_either_gives_way_to_a_hash() -> None:
    first, second = safe_names([Named("日本語.mp4", "---"), Named("日本語.mp4", "...")])
    assert re.fullmatch(r"[0-9a-f]{8}\.mp4", first.name)
    assert re.fullmatch(r"[0-9a-f]{8}\.mp4", second.name)
    assert first != second


@pytest.mark.parametrize(
    ("keys", "names"),
    [
        (["日本語.mp4", "中文.mp4"], ["1.mp4", "2.mp4"]),
        (["Video, 1.mov", "Video 1.mov"], ["Video_1_1.mov", "Video_1_2.mov"]),
        (["a b.mov", "a_b.mov", "A B.mov"], ["a_b_1.mov", "a_b.mov", "A_B_3.mov"]),
        (["().mp4", "[].mp4"], ["1.mp4", "2.mp4"]),
        (["...mp4"], ["1.mp4"]),
        ([" ~x`y.mov "], ["x_y.mov"]),
        (["clip.m p4"], ["clip.m_p4"]),
        (["caf\u00e9.mov", "cafe\u0301.mov"], ["cafe_1.mov", "cafe_2.mov"]),
        (["🎬.mov", "🎥.mov", "pool 🎬.mov"], ["1.mov", "2.mov", "pool.mov"]),
        (["x" * 240 + "a.mov", "x" * 240 + "b.mov"], ["x" * 94 + "_1.mov", "x" * 94 + "_2.mov"]),
        (["one/same.mov", "two/same.mov"], ["same.mov", "same_2.mov"]),
        (["a%20b.mov", "a+b.mov", "a b.mov"], ["a_20b.mov", "a_b_2.mov", "a_b_3.mov"]),
        (["a=b&c.mov"], ["a_b_c.mov"]),
        (["-dash.mov", ".dot.mov"], ["dash.mov", "dot.mov"]),
        (["tab\t.mov", "a\tb.mov"], ["tab.mov", "a_b.mov"]),
        (["folder/", "other//"], ["1", "2"]),
        (["a//b.mov", "a/../b.mov"], ["b.mov", "b_2.mov"]),
        (["a/..", ".."], ["1", "2"]),
        (
            ["manifest.jsonl", "MANIFEST.JSONL", "x.jsonl"],
            ["manifest_jsonl_1", "MANIFEST_JSONL_2", "x_jsonl"],
        ),
    ],
)
def test_names_that_broke_other_systems_become_safe_and_stay_readable(
    keys: list[str], names: list[str]
) -> None:
    files = [Named(key, str(number)) for number, key in enumerate(keys, 1)]
    found = safe_names(files)
    assert found == [SafeName(name, name != bare(key)) for key, name in zip(keys, names, strict=True)]
    assert safe_names(files) == found


def test_changed_names_that_collide_are_told_apart_by_file_id() -> None:
    found = safe_names([Named("Video, 1.mov", "7"), Named("Video 1.mov", "8")])
    assert [safe.name for safe in found] == ["Video_1_7.mov", "Video_1_8.mov"]


def test_a_name_that_needed_no_change_wins() -> None:
    found = safe_names([Named("a b.mov", "1"), Named("A B.mov", "2"), Named("x/a_b.mov", "3")])
    assert found == [("a_b_1.mov", True), ("A_B_2.mov", True), ("a_b.mov", False)]


def test_a_mark_never_takes_a_name_that_needed_no_change() -> None:
    found = safe_names([Named("a b.mov", "1"), Named("a_b.mov", "2"), Named("a_b_1.mov", "3")])
    assert found[1:] == [("a_b.mov", False), ("a_b_1.mov", False)]
    assert found[0].name not in ("a_b.mov", "a_b_1.mov")


def test_of_the_same_name_in_two_folders_one_is_kept() -> None:
    found = safe_names([Named("one/same.mov", "1"), Named("two/same.mov", "2"), Named("three/SAME.mov", "3")])
    assert found == [("same.mov", False), ("same_2.mov", True), ("SAME_3.mov", True)]


def test_long_names_that_differ_in_the_last_letter_are_told_apart() -> None:
    found = safe_names([Named("x" * 240 + letter + ".mov", letter) for letter in "ab"])
    assert [safe.name[-6:] for safe in found] == ["_a.mov", "_b.mov"]
    assert {len(safe.name) for safe in found} == {MAX_NAME}


def test_composed_and_decomposed_letters_are_told_apart() -> None:
    found = safe_names([Named("caf\u00e9.mov", "1"), Named("cafe\u0301.mov", "2")])
    assert [safe.name for safe in found] == ["cafe_1.mov", "cafe_2.mov"]


def test_the_very_same_file_given_twice_still_gets_two_names() -> None:
    found = safe_names([Named("a.mov", "1")] * 4)
    assert len({safe.name for safe in found}) == 4


def test_the_odd_names_all_get_names_of_their_own() -> None:
    found = safe_names([Named(key, str(number)) for number, key in enumerate(ODD_NAMES)])
    assert len({safe.name.lower() for safe in found}) == len(ODD_NAMES)


@given(files)
def test_every_name_is_safe_and_bounded(chunk: list[Named]) -> None:
    found = safe_names(chunk)
    assert len(found) == len(chunk)
    for safe, file in zip(found, chunk, strict=True):
        assert SAFE.fullmatch(safe.name)
        assert not safe.name.lower().endswith(".jsonl")
        assert safe.renamed == (safe.name != bare(file.key))


@given(files)
def test_no_two_names_are_the_same_even_without_case(chunk: list[Named]) -> None:
    names = [unicodedata.normalize("NFC", safe.name).casefold() for safe in safe_names(chunk)]
    assert len(set(names)) == len(names)


@given(files)
def test_what_is_readable_of_a_name_begins_its_safe_name(chunk: list[Named]) -> None:
    for safe, file in zip(safe_names(chunk), chunk, strict=True):
        plain = ACCENTS.sub("", unicodedata.normalize("NFKD", bare(file.key)))
        readable = re.sub(r"[^A-Za-z0-9]+$", "", plain)  # what ends in a dot has its extension before it
        words = re.findall(r"[A-Za-z0-9]+", readable.rpartition(".")[0])
        if words and len(" ".join(words)) < 20:
            found = re.findall(r"[A-Za-z0-9]+", safe.name)
            assert found[: len(words)] == words


@given(st.lists(st.builds(Named, st.text(max_size=40), file_ids), max_size=12))
def test_any_chunk_gets_the_same_names_each_time(chunk: list[Named]) -> None:
    assert safe_names(chunk) == safe_names([Named(*file) for file in chunk])


@given(
    chunk=files,
    bucket=st.from_regex(r"[a-z0-9][-.a-z0-9]{1,61}[a-z0-9]", fullmatch=True) | st.just("b" * 63),
    index=st.integers(0, layout.MAX_INDEX),
)
def test_every_copy_has_a_uri_that_bedrock_takes(chunk: list[Named], bucket: str, index: int) -> None:
    folder = layout.folder_name(datetime(2026, 1, 5, tzinfo=UTC), layout.batch_id("r"), index)
    for safe in safe_names(chunk):
        uri = layout.s3_uri(bucket, layout.file_key(folder, safe.name))
        assert S3_URI.fullmatch(uri)
        assert len(uri) < 1024


@given(files)
def test_a_name_that_needs_no_change_is_kept_unless_a_namesake_keeps_its_own(chunk: list[Named]) -> None:
    found = safe_names(chunk)
    kept = {safe.name.lower() for safe in found if not safe.renamed}
    for file in chunk:
        if UNCHANGED.fullmatch(bare(file.key)):
            assert bare(file.key).lower() in kept


@given(keys)
def test_a_safe_name_needs_no_change_itself(key: str) -> None:
    name = name_of(key)
    assert safe_names([Named(f"folder/{name}", "5")]) == [(name, False)]


@given(files, st.randoms(use_true_random=False))
def test_the_order_of_distinct_files_decides_only_between_namesakes(
    chunk: list[Named], rng: random.Random
) -> None:
    distinct = [file for file in dict.fromkeys(chunk) if bare(file.key)]
    unlike = list(
        {bare(file.key).lower(): Named(bare(file.key), f"n{at}") for at, file in enumerate(distinct)}.values()
    )
    shuffled = rng.sample(unlike, len(unlike))
    before = dict(zip(unlike, safe_names(unlike), strict=True))
    assert dict(zip(shuffled, safe_names(shuffled), strict=True)) == before


def test_fifty_thousand_namesakes_are_named_without_a_search() -> None:
    found = safe_names([Named("clip .mov", "7")] * 50_000)
    assert len({safe.name for safe in found}) == 50_000
