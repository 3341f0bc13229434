"""Measuring many objects through the real adapter: side by side, patient, and in order all the same."""

import threading
from collections import Counter

from consumers.core.objects import ObjectInfo
from tests.contracts.s3_stub import THREADS, failed, s3
from tests.http_stub import Reply, Request

MEASURED = Reply(200, b"xy", {"ETag": '"v"'})
KEYS = [("media", f"k{number}") for number in range(3 * THREADS)]
ALL = [ObjectInfo(key, 2, "v", "STANDARD") for _, key in KEYS]


def test_objects_are_measured_side_by_side() -> None:
    together = threading.Barrier(THREADS)

    def wait_for_the_others(_: Request) -> Reply:
        together.wait(10)
        return MEASURED

    with s3(wait_for_the_others) as (objects, _):
        assert list(objects.heads(KEYS)) == ALL


def test_no_measure_is_lost_to_slow_down_and_the_order_stays() -> None:
    met: Counter[str] = Counter()
    lock = threading.Lock()

    def slow_at_first(request: Request) -> Reply:
        with lock:
            met[request.path] += 1
            return failed("SlowDown", 503) if met[request.path] <= 2 else MEASURED

    with s3(slow_at_first) as (objects, _):
        assert list(objects.heads(KEYS)) == ALL
