"""The gauges of the bucket: measured hourly, a few seconds at a time, by the process that leads."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from consumers.core import layout
from consumers.core.faults import Denied
from consumers.core.objects import ObjectInfo
from daemon.storage import AREAS, HOUR, PAGE, StorageFigures
from tests.fakes.clock import START, FakeClock

FOLDER = layout.folder_name(START, layout.batch_id("r"), 0)


@dataclass
class Bucket:
    """A bucket whose listing takes a second a page, and its figures."""

    objects: int
    clock: FakeClock = field(default_factory=FakeClock)
    listings: int = 0
    broken: bool = False

    def __post_init__(self) -> None:
        self.figures = StorageFigures(self.list, lambda: {FOLDER: True}, self.clock, at_once=3)

    def list(self) -> Iterator[ObjectInfo]:
        self.listings += 1
        for number in range(self.objects):
            if number % PAGE == 0:
                self.clock.advance(1)
            if self.broken:
                raise Denied("ListObjectsV2")
            yield ObjectInfo(layout.file_key(FOLDER, f"{number}.mov"), 10)

    def told(self, area: str) -> tuple[float, float] | None:
        read = self.figures.read()
        if not read:
            return None
        return read["storage_objects"][area,], read["storage_bytes"][area,]


def test_every_area_is_told_and_what_could_be_cleaned() -> None:
    bucket = Bucket(7)
    assert bucket.told("batch_folders") == bucket.told("cleanable") == (7, 70)
    assert bucket.told("originals") == (0, 0)
    assert {name for (name,) in bucket.figures.read()["storage_bytes"]} == {str(area) for area in AREAS}


def test_a_large_bucket_is_measured_a_few_seconds_at_a_time() -> None:
    bucket = Bucket(8 * PAGE)
    looks = [bucket.told("batch_folders") for _ in range(3)]
    assert looks == [None, None, (8 * PAGE, 80 * PAGE)]
    assert bucket.listings == 1


def test_the_bucket_is_listed_once_an_hour() -> None:
    bucket = Bucket(7)
    for _ in range(60):
        bucket.told("originals")
        bucket.clock.advance(HOUR / 60)
    assert bucket.listings == 1
    bucket.objects = 9
    bucket.clock.advance(60)
    assert bucket.told("batch_folders") == (9, 90)
    assert bucket.listings == 2


def test_a_listing_that_fails_leaves_the_last_measure_and_is_made_again_in_an_hour() -> None:
    bucket = Bucket(7)
    bucket.told("originals")
    bucket.broken = True
    bucket.clock.advance(HOUR)
    assert bucket.told("batch_folders") == (7, 70)
    assert bucket.told("batch_folders") == (7, 70)
    assert bucket.listings == 2
    bucket.broken, bucket.objects = False, 8
    bucket.clock.advance(HOUR)
    assert bucket.told("batch_folders") == (8, 80)
