"""Listing the versions of objects: moto copies every object of the bucket, with its bytes, for each page."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

from moto.s3 import models

from deploy.local.patching import original, replace

Listed = tuple[list[Any], list[str], list[Any], str | None, str | None]


def apply() -> None:
    """Replace the listing in this process; one with a delimiter is left to moto."""
    grouped = original(models.S3Backend, "list_object_versions")

    def list_object_versions(
        self: Any,
        bucket_name: str,
        delimiter: str | None = None,
        key_marker: str | None = None,
        max_keys: int | None = 1000,
        prefix: str = "",
        version_id_marker: str | None = None,
    ) -> Listed:
        if delimiter:
            found: Listed = grouped(
                self, bucket_name, delimiter, key_marker, max_keys, prefix, version_id_marker
            )
            return found
        bucket = self.get_bucket(bucket_name)
        left = _after(_versions(bucket, prefix or ""), key_marker or "", version_id_marker)
        return _page(left, 1000 if max_keys is None else max_keys)

    replace(models.S3Backend, "list_object_versions", list_object_versions)


def _versions(bucket: Any, prefix: str) -> Iterator[Any]:
    """Yield versions and delete markers in the order of their keys, of each key the newest first."""
    by_name = {name: versions for name, versions in bucket.keys.iterlists() if name.startswith(prefix)}
    for name in sorted(by_name, key=str.encode):
        for number, version in enumerate(reversed(by_name[name])):
            version.is_latest = number == 0
            yield version


def _after(versions: Iterator[Any], key: str, id: str | None) -> Iterator[Any]:
    """Leave out what a page before has told; a marker that is gone meanwhile hides none of its key."""
    left = [each for each in versions if each.name.encode() >= key.encode()]
    told = next((n for n, each in enumerate(left) if (each.name, each.version_id) == (key, id)), None)
    if told is not None:
        return iter(left[told + 1 :])
    return iter([each for each in left if id or each.name != key])


def _page(left: Iterator[Any], size: int) -> Listed:
    page = list(islice(left, size))
    objects = [each for each in page if isinstance(each, models.FakeKey)]
    markers = [each for each in page if not isinstance(each, models.FakeKey)]
    if page and next(left, None) is not None:
        return objects, [], markers, page[-1].name, page[-1].version_id
    return objects, [], markers, None, None
