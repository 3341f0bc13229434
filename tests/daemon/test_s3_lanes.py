"""Threads shared by several calls: what is asked for first is done first."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from daemon.adapters.s3.lanes import Lanes

CHUNK = 150


def test_a_chunk_that_is_asked_for_first_is_through_before_the_next_one_begins() -> None:
    lanes, begin, done = Lanes(1), threading.Event(), list[str]()

    def work(item: str, stopped: threading.Event) -> None:
        assert begin.wait(10)
        done.append(item)

    def chunk(name: str, handed_in: threading.Event) -> Iterator[str]:
        yield from [name] * CHUNK
        handed_in.set()

    with ThreadPoolExecutor(2) as chunks:
        for name in ("first", "second"):
            handed_in = threading.Event()
            chunks.submit(lambda items: list(lanes.as_done(work, items)), chunk(name, handed_in))
            whole = handed_in.wait(10)
            if not whole:
                begin.set()
            assert whole
        begin.set()
    lanes.close()
    assert done == ["first"] * CHUNK + ["second"] * CHUNK
