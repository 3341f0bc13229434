"""What every port to objects does, the one in memory and S3's alike."""

import gzip
from collections.abc import Iterator

import pytest

from consumers.core.faults import Archived, Changed, Missing, Rejected
from consumers.core.local import Upload
from consumers.core.objects import Copy, ObjectInfo, Version
from tests.contracts.benches import BUCKET, OTHER_BUCKET, FakeObjectsBench, ObjectsBench, open_s3

ODD_KEYS = [
    "/leading",
    "trailing/",
    "a//b",
    "a/../b",
    "./a",
    "a b, (1).mov",
    "a+b",
    "100%20x",
    "50%",
    "日本語/é.mp4",
    "q?x=1&y#z",
    "a\\b'\"~*",
]


@pytest.fixture(params=["fake", "s3"])
def bench(request: pytest.FixtureRequest) -> Iterator[ObjectsBench]:
    if request.param == "fake":
        yield FakeObjectsBench()
    else:
        yield from open_s3(request.getfixturevalue("fresh_aws"))


def copy_of(key: str, etag: str = "", to: str = "copies/1", bucket: str = BUCKET) -> Copy:
    return Copy(0, bucket, key, etag, to, "video/mp4")


def faults_in(bench: ObjectsBench, *copies: Copy) -> list[type[Exception] | None]:
    found = dict(bench.port.copies(copies))
    faults = [found[copy] for copy in copies]
    return [None if fault is None else type(fault) for fault in faults]


def write(bench: ObjectsBench, key: str, data: bytes, *, if_absent: bool = False) -> None:
    with bench.port.writer(key, content_type="application/jsonl", if_absent=if_absent) as out:
        out.write(data)


def read_lines(bench: ObjectsBench, key: str, start: int = 0, etag: str = "") -> list[tuple[int, bytes]]:
    return list(bench.port.lines(key, start=start, etag=etag))


def test_a_measured_object_has_its_size_and_etag(bench: ObjectsBench) -> None:
    etag = bench.put("a", b"four")
    assert list(bench.port.heads([(BUCKET, "a")])) == [ObjectInfo("a", 4, etag)]


def test_measures_come_in_the_order_asked_for_with_faults_in_their_places(bench: ObjectsBench) -> None:
    keys = [f"k{number}" for number in range(40)]
    for number, key in enumerate(keys):
        if number % 5:
            bench.put(key, b"x" * number)
    found = list(bench.port.heads([(BUCKET, key) for key in keys]))
    sizes = [each.bytes if isinstance(each, ObjectInfo) else type(each) for each in found]
    assert sizes == [number if number % 5 else Missing for number in range(40)]


def test_a_measured_object_in_an_archive_says_so(bench: ObjectsBench) -> None:
    bench.put("a", b"x", storage_class="DEEP_ARCHIVE")
    (info,) = bench.port.heads([(BUCKET, "a")])
    assert isinstance(info, ObjectInfo)
    assert info.storage_class == "DEEP_ARCHIVE"


def test_objects_of_other_buckets_are_measured(bench: ObjectsBench) -> None:
    bench.put("a", b"xyz", bucket=OTHER_BUCKET)
    (info,) = bench.port.heads([(OTHER_BUCKET, "a")])
    assert isinstance(info, ObjectInfo)
    assert info.bytes == 3


def test_a_copy_has_the_bytes_and_the_content_type_it_is_given(bench: ObjectsBench) -> None:
    bench.put("a", b"film", content_type="binary/octet-stream")
    assert faults_in(bench, copy_of("a")) == [None]
    assert bench.read("copies/1") == b"film"
    assert bench.content_type("copies/1") == "video/mp4"


def test_copies_come_from_other_buckets_too(bench: ObjectsBench) -> None:
    bench.put("a", b"film", bucket=OTHER_BUCKET)
    assert faults_in(bench, copy_of("a", bucket=OTHER_BUCKET)) == [None]
    assert bench.read("copies/1") == b"film"


def test_a_copy_is_made_of_the_version_that_was_measured_or_not_at_all(bench: ObjectsBench) -> None:
    old = bench.put("a", b"old")
    new = bench.put("a", b"new")
    assert faults_in(bench, copy_of("a", old, "copies/1"), copy_of("a", new, "copies/2")) == [Changed, None]
    assert not bench.port.exists("copies/1")
    assert bench.read("copies/2") == b"new"


def test_a_copy_that_fails_does_not_stop_the_others(bench: ObjectsBench) -> None:
    copies = [copy_of(f"k{number}", to=f"copies/{number}") for number in range(30)]
    for number in range(1, 30):
        bench.put(f"k{number}", b"x")
    assert faults_in(bench, *copies) == [Missing] + [None] * 29
    assert all(bench.port.exists(copy.key) for copy in copies[1:])


def test_an_archived_object_is_not_copied(bench: ObjectsBench) -> None:
    bench.put("a", b"x", storage_class="GLACIER")
    assert faults_in(bench, copy_of("a")) == [Archived]


def test_a_local_file_becomes_an_object_with_its_bytes_and_content_type(bench: ObjectsBench) -> None:
    bench.put_local("proxies/1.mov", b"film")
    upload = Upload(3, "proxies/1.mov", "copies/1", "video/quicktime")
    assert list(bench.port.uploads([upload])) == [(upload, None)]
    assert bench.read("copies/1") == b"film"
    assert bench.content_type("copies/1") == "video/quicktime"


def test_an_upload_takes_the_place_of_what_is_there(bench: ObjectsBench) -> None:
    bench.put("copies/1", b"a longer one")
    bench.put_local("1.mov", b"film")
    ((_, fault),) = bench.port.uploads([Upload(0, "1.mov", "copies/1", "video/mp4")])
    assert fault is None
    assert bench.read("copies/1") == b"film"


def test_an_upload_that_fails_does_not_stop_the_others(bench: ObjectsBench) -> None:
    for number in range(1, 20):
        bench.put_local(f"{number}.mov", b"x")
    paths = ["../0.mov", "gone.mov", *(f"{number}.mov" for number in range(1, 20))]
    uploads = [Upload(n, path, f"copies/{n}", "video/mp4") for n, path in enumerate(paths)]
    found = {upload.position: fault for upload, fault in bench.port.uploads(uploads)}
    assert [type(found[n]) for n in range(2)] == [Rejected, Missing]
    assert {found[n] for n in range(2, len(paths))} == {None}
    assert not bench.port.exists("copies/0")
    assert [info.key for info in bench.port.list("")] == sorted(f"copies/{n}" for n in range(2, len(paths)))


def test_no_copies_are_no_trouble(bench: ObjectsBench) -> None:
    assert list(bench.port.copies([])) == []
    assert list(bench.port.uploads([])) == []
    assert list(bench.port.heads([])) == []
    assert bench.port.delete([]) == {}


@pytest.mark.parametrize("key", ODD_KEYS)
def test_odd_keys_are_taken_literally(bench: ObjectsBench, key: str) -> None:
    etag = bench.put(key, b"odd")
    assert list(bench.port.heads([(BUCKET, key)])) == [ObjectInfo(key, 3, etag)]
    assert [info.key for info in bench.port.list("")] == [key]
    assert faults_in(bench, copy_of(key, etag, "copies/1")) == [None]
    assert list(bench.port.lines(key)) == [(3, b"odd")]
    assert [version.key for version in bench.port.versions(key)] == [key]
    assert bench.port.delete([*bench.port.versions(key)]) == {}
    assert [info.key for info in bench.port.list("")] == ["copies/1"]


def test_a_key_exists_or_not(bench: ObjectsBench) -> None:
    bench.put("a")
    assert bench.port.exists("a")
    assert not bench.port.exists("b")


def test_a_listing_is_in_the_order_of_the_bytes_of_its_keys(bench: ObjectsBench) -> None:
    keys = ["p/", "p/0", "p/A", "p/a", "p/a/b", "p/é", "p/\uffee", "p/\U0001f600"]
    for key in [*reversed(keys), "o/z", "q"]:
        bench.put(key)
    assert [info.key for info in bench.port.list("p/")] == keys


def test_a_listing_begins_after_a_key_and_tells_sizes_and_etags(bench: ObjectsBench) -> None:
    etags = [bench.put(f"p/{letter}", letter.encode() * 2) for letter in "abc"]
    assert list(bench.port.list("p/", after="p/a")) == [
        ObjectInfo("p/b", 2, etags[1]),
        ObjectInfo("p/c", 2, etags[2]),
    ]


def test_another_bucket_is_listed_and_an_empty_place_has_nothing(bench: ObjectsBench) -> None:
    bench.put("a", b"x", bucket=OTHER_BUCKET, storage_class="GLACIER")
    (info,) = bench.port.list("", OTHER_BUCKET)
    assert (info.key, info.storage_class) == ("a", "GLACIER")
    assert list(bench.port.list("")) == []


def test_lines_come_with_the_offset_behind_them(bench: ObjectsBench) -> None:
    bench.put("a", b"one\n\nthree\n")
    assert read_lines(bench, "a") == [(4, b"one"), (5, b""), (11, b"three")]


def test_the_last_line_may_lack_its_newline(bench: ObjectsBench) -> None:
    bench.put("a", b"one\ntwo")
    assert read_lines(bench, "a") == [(4, b"one"), (7, b"two")]


def test_lines_end_at_newlines_only(bench: ObjectsBench) -> None:
    text = '{"a":"x\u0085y\u2028z\r\x0b\x0c"}'.encode()
    bench.put("a", text + b"\r\n" + text)
    assert [line for _, line in bench.port.lines("a")] == [text + b"\r", text]


def test_reading_goes_on_at_any_offset_that_was_given(bench: ObjectsBench) -> None:
    bench.put("a", b"one\ntwo\nthree")
    whole = read_lines(bench, "a")
    rests = [read_lines(bench, "a", start=offset) for offset, _ in whole]
    assert rests == [whole[1:], whole[2:], []]


def test_an_empty_object_has_no_lines(bench: ObjectsBench) -> None:
    bench.put("a")
    assert read_lines(bench, "a") == []


def test_a_missing_object_has_no_lines_to_give(bench: ObjectsBench) -> None:
    with pytest.raises(Missing, match="gone"):
        read_lines(bench, "gone")


def test_lines_are_those_of_the_version_asked_for(bench: ObjectsBench) -> None:
    old = bench.put("a", b"old")
    assert read_lines(bench, "a", etag=old) == [(3, b"old")]
    bench.put("a", b"new")
    with pytest.raises(Changed):
        read_lines(bench, "a", etag=old)


def test_lines_of_a_compressed_object_are_unpacked(bench: ObjectsBench) -> None:
    bench.put("a.jsonl.gz", gzip.compress(b"one\ntwo\n") + gzip.compress(b"three"))
    assert read_lines(bench, "a.jsonl.gz") == [(4, b"one"), (8, b"two"), (13, b"three")]
    assert read_lines(bench, "a.jsonl.gz", start=8) == [(13, b"three")]


def test_lines_longer_than_one_read_are_whole(bench: ObjectsBench) -> None:
    long = b"x" * 2_500_000
    bench.put("a", b"s\n" + long + b"\ne\n")
    assert read_lines(bench, "a") == [(2, b"s"), (2_500_003, long), (2_500_005, b"e")]


def test_what_is_written_in_pieces_is_one_object(bench: ObjectsBench) -> None:
    with bench.port.writer("a", content_type="application/jsonl") as out:
        out.write(b"one\n")
        out.write(b"two\n")
        assert not bench.port.exists("a")
    assert bench.read("a") == b"one\ntwo\n"
    assert bench.content_type("a") == "application/jsonl"


def test_writing_again_replaces(bench: ObjectsBench) -> None:
    write(bench, "a", b"old")
    write(bench, "a", b"")
    assert bench.read("a") == b""


def test_nothing_is_put_when_the_writing_fails(bench: ObjectsBench) -> None:
    with (
        pytest.raises(RuntimeError, match="in the middle"),
        bench.port.writer("a", content_type="x/y") as out,
    ):
        out.write(b"half")
        raise RuntimeError("in the middle")
    assert not bench.port.exists("a")


def test_an_object_that_must_be_absent_is_written_once(bench: ObjectsBench) -> None:
    write(bench, "a", b"first", if_absent=True)
    with pytest.raises(Changed):
        write(bench, "a", b"second", if_absent=True)
    assert bench.read("a") == b"first"


def test_compressed_objects_are_the_same_bytes_every_time(bench: ObjectsBench) -> None:
    for key in ("a.jsonl.gz", "b.jsonl.gz"):
        write(bench, key, b"one\ntwo\n")
    assert bench.read("a.jsonl.gz") == bench.read("b.jsonl.gz")
    assert gzip.decompress(bench.read("a.jsonl.gz")) == b"one\ntwo\n"
    assert read_lines(bench, "a.jsonl.gz") == [(4, b"one"), (8, b"two")]


def test_deleting_takes_any_number_of_objects_and_missing_ones_are_gone_already(bench: ObjectsBench) -> None:
    keys = [f"p/{number:04}" for number in range(1_010)]
    for key in keys[:5] + keys[-5:]:
        bench.put(key)
    bench.put("q")
    assert bench.port.delete([Version(key, "null", 0) for key in keys]) == {}
    assert [info.key for info in bench.port.list("")] == ["q"]


def test_a_bucket_without_versioning_has_one_version_of_each_object(bench: ObjectsBench) -> None:
    for key in ("p/b", "p/a", "q"):
        bench.put(key, b"old")
        bench.put(key, b"new one")
    bench.hide("p/b")
    assert list(bench.port.versions("p/")) == [Version("p/a", "null", 7)]
    assert list(bench.port.versions("none/")) == []


def test_old_versions_and_delete_markers_are_listed_and_deleted_for_good(bench: ObjectsBench) -> None:
    bench.put("p/before", b"1")
    bench.keep_versions()
    for key in ("p/a", "p/hidden", "q"):
        bench.put(key, b"old")
        bench.put(key, b"new one")
    bench.hide("p/hidden")
    found = list(bench.port.versions("p/"))
    assert sorted((version.key, version.bytes) for version in found) == [
        ("p/a", 3),
        ("p/a", 7),
        ("p/before", 1),
        ("p/hidden", 0),
        ("p/hidden", 3),
        ("p/hidden", 7),
    ]
    assert len(set(found)) == 6
    assert bench.port.delete(found) == {}
    assert list(bench.port.versions("p/")) == []
    assert len(list(bench.port.versions("q"))) == 2


def test_the_version_before_comes_to_light_when_the_newest_is_deleted(bench: ObjectsBench) -> None:
    bench.keep_versions()
    bench.put("a", b"old")
    bench.put("a", b"new one")
    (newest,) = [version for version in bench.port.versions("a") if version.bytes == 7]
    bench.port.delete([newest])
    assert bench.read("a") == b"old"


def test_versions_are_listed_page_by_page(bench: ObjectsBench) -> None:
    bench.keep_versions()
    keys = [f"p/{number:03}" for number in range(251)]
    for key in keys:
        bench.put(key, b"x")
    for _ in range(3):
        bench.hide(*keys)
    found = list(bench.port.versions("p/"))
    assert len(set(found)) == len(found) == 1_004
    assert bench.port.delete(found) == {}
    assert list(bench.port.versions("")) == []
