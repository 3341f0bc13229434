"""What the adapter makes of S3's answers where versions are listed and deleted, and a chunk's end in it."""

from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest

from consumers.cleanup.cleanup_chunk import cleanup_chunk
from consumers.core import layout
from consumers.core.faults import Denied
from consumers.core.objects import Version
from consumers.core.rows import Chunk
from consumers.core.world import Done
from daemon.adapters.store import SqlStore
from deploy.local.processes import Server
from schemas.facts import ChunkCleaned
from schemas.messages import CleanupChunk
from tests.contracts.benches import BUCKET, S3Bench, open_s3
from tests.contracts.planting import completed
from tests.contracts.s3_stub import always, failed, in_turn, s3
from tests.http_stub import Reply
from tests.stages.simulation import Simulation


def named(*keys: str) -> list[Version]:
    return [Version(key, "null", 1) for key in keys]


# ── listing versions ──

TIMES = "<IsLatest>true</IsLatest><LastModified>2026-01-05T10:00:00.000Z</LastModified>"
OWNER = "<Owner><ID>75aa</ID><DisplayName>a &lt;team&gt;</DisplayName></Owner>"


def page(*entries: tuple[str, str], markers: str = "", more: tuple[str, str] | None = None) -> Reply:
    versions = "".join(
        f"<Version><Key>{key}</Key><VersionId>{id}</VersionId>{TIMES}<ETag>&quot;e&quot;</ETag>"
        f"<Size>7</Size><StorageClass>STANDARD</StorageClass>{OWNER}</Version>"
        for key, id in entries
    )
    marked = "".join(
        f"<DeleteMarker><Key>{key}</Key><VersionId>m</VersionId>{TIMES}{OWNER}</DeleteMarker>"
        for key in markers
    )
    next_ = (
        f"<NextKeyMarker>{more[0]}</NextKeyMarker><NextVersionIdMarker>{more[1]}</NextVersionIdMarker>"
        if more
        else ""
    )
    head = f"<EncodingType>url</EncodingType><IsTruncated>{str(bool(more)).lower()}</IsTruncated>{next_}"
    return Reply(200, f"<ListVersionsResult>{head}{versions}{marked}</ListVersionsResult>".encode())


def test_every_page_of_versions_is_read_and_one_that_fails_is_asked_for_again() -> None:
    pages = in_turn(
        page(("b%20c", "2"), more=("b%20c", "2")),
        failed("SlowDown", 503),
        page(("b%20c", "1"), markers="d"),
    )
    with s3(pages) as (objects, stub):
        assert list(objects.versions("p/")) == [
            Version("b c", "2", 7),
            Version("b c", "1", 7),
            Version("d", "m", 0),
        ]
    asked = [parse_qs(urlsplit(request.path).query) for request in stub.requests]
    assert [each.get("key-marker") for each in asked] == [None, ["b c"], ["b c"]]
    assert [each.get("version-id-marker") for each in asked] == [None, ["2"], ["2"]]


def test_a_listing_of_versions_that_is_denied_names_the_permission() -> None:
    with s3(always(failed("AccessDenied", 403))) as (objects, _), pytest.raises(Denied) as told:
        list(objects.versions("p/"))
    assert "allow s3:ListBucketVersions" in told.value.message


# ── deleting ──


def deleted(**errors: str) -> Reply:
    entries = (
        f"<Error><Key>{key}</Key><VersionId>null</VersionId><Code>{code}</Code>"
        "<Message>said the stub</Message></Error>"
        for key, code in errors.items()
    )
    return Reply(200, f"<DeleteResult>{''.join(entries)}</DeleteResult>".encode())


def test_what_stayed_is_told_with_the_reason_and_the_permission() -> None:
    with s3(always(deleted(a="AccessDenied", b="NoSuchKey"))) as (objects, stub):
        stayed = objects.delete(named("a", "b", "c"))
    assert [version.key for version in stayed] == ["a"]
    (why,) = stayed.values()
    assert why == "AccessDenied: said the stub (allow s3:DeleteObject and s3:DeleteObjectVersion)"
    assert len(stub.requests) == 1


def test_one_version_stays_and_the_others_of_its_key_go() -> None:
    error = "<Error><Key>a</Key><VersionId>2</VersionId><Code>MethodNotAllowed</Code></Error>"
    answer = Reply(200, f"<DeleteResult>{error}</DeleteResult>".encode())
    with s3(always(answer)) as (objects, _):
        stayed = objects.delete([Version("a", "1", 1), Version("a", "2", 1)])
    assert list(stayed) == [Version("a", "2", 1)]


def test_what_could_not_be_deleted_just_now_is_tried_again_alone() -> None:
    replies = in_turn(deleted(a="InternalError", b="Locked"), deleted(a="SlowDown"), deleted())
    with s3(replies) as (objects, stub):
        assert objects.delete(named("a", "b", "c")) == {named("b")[0]: "Locked: said the stub"}
    assert [request.body.count(b"<Key>") for request in stub.requests] == [3, 1, 1]
    assert b"<VersionId>null</VersionId>" in stub.requests[2].body


def test_what_never_can_be_deleted_stays_with_the_last_reason() -> None:
    with s3(always(deleted(a="InternalError"))) as (objects, _):
        assert objects.delete(named("a")) == {named("a")[0]: "InternalError: said the stub"}


def test_a_deletion_refused_as_a_whole_is_a_fault_that_names_the_permission() -> None:
    with (
        s3(always(failed("AccessDenied", 403))) as (objects, _),
        pytest.raises(Denied, match=r"DeleteObjects .*s3:DeleteObjectVersion"),
    ):
        objects.delete(named("a"))


def test_a_thousand_objects_go_into_one_call() -> None:
    with s3(always(deleted())) as (objects, stub):
        objects.delete(named(*(f"k{number}" for number in range(2_500))))
    assert sorted(request.body.count(b"<Key>") for request in stub.requests) == [500, 1_000, 1_000]


# ── a chunk in a versioned bucket ──


@pytest.fixture
def bench(fresh_aws: Server) -> Iterator[S3Bench]:
    yield from open_s3(fresh_aws)


@pytest.fixture
def chunk(sqlite_store: SqlStore) -> Chunk:
    found = sqlite_store.chunk(completed(sqlite_store))
    assert found is not None
    return found


def all_versions(bench: S3Bench, prefix: str) -> list[str]:
    answer = bench.client.list_object_versions(Bucket=BUCKET, Prefix=prefix)
    return [each["VersionId"] for each in [*answer.get("Versions", ()), *answer.get("DeleteMarkers", ())]]


def test_in_a_versioned_bucket_nothing_stays_of_a_cleaned_chunk_and_all_of_its_originals(
    bench: S3Bench, sqlite_store: SqlStore, chunk: Chunk
) -> None:
    bench.keep_versions()
    copy = layout.file_key(chunk.folder, "0.mov")
    output = layout.output_prefix(chunk.folder) + "job/manifest.jsonl.out"
    for key in ("proxy_video/0.mov", copy, layout.manifest_key(chunk.folder), output):
        bench.put(key, b"1234")
        bench.put(key, b"123456")
    bench.hide(copy)
    originals = all_versions(bench, "proxy_video/")
    sim = Simulation(sqlite_store)
    world = replace(sim.world([]), objects=bench.port)
    outcome = cleanup_chunk(CleanupChunk(chunk_id=chunk.chunk_id), world)
    assert outcome == Done((ChunkCleaned(chunk.chunk_id, objects=7, bytes=30),))
    assert [all_versions(bench, prefix) for prefix in layout.temporary_prefixes(chunk.folder)] == [[], []]
    assert all_versions(bench, "proxy_video/") == originals
    assert len(originals) == 2
