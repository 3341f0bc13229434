"""The submit consumer under hostile requests: what one costs beside a message that is simply ignored."""

import json
from collections.abc import Iterator
from functools import partial
from itertools import cycle

from tests.bench import child
from tests.bench.refusals import QUEUE
from tests.bench.rounds import interleaved
from tests.bench.stub.client import Stub, stub
from tests.bench.table import Scale, Table, Target
from tests.stages.hostile import HOSTILE

MESSAGES = {Scale.TINY: 10, Scale.SHORT: 2000, Scale.FULL: 10_000}
ROUNDS = {Scale.TINY: 1, Scale.SHORT: 3, Scale.FULL: 5}
LARGE = 10_000
IGNORED = "ignored: a cancel of a batch that has ended"
SOME = "one in ten hostile"
ALL = "all hostile"
NAIVE = "naive, all hostile: a call each"
LIMIT = "limit, all hostile: bare calls for ten"
WAYS = {
    NAIVE: ("naive", 1),
    IGNORED: ("consume", 0),
    SOME: ("consume", 10),
    ALL: ("consume", 1),
    LIMIT: ("bare", 1),
}
"""What empties the queue, and how often a hostile message comes: 10 is one in ten, 0 none."""


def tables(scale: Scale) -> Iterator[Table]:
    """Empty a queue of messages that are ignored, of hostile ones, and of both."""
    with stub(scale) as server:
        yield _table(server, scale, MESSAGES[scale])


def _table(server: Stub, scale: Scale, messages: int) -> Table:
    cpu: dict[str, list[float]] = {name: [] for name in WAYS}
    calls: dict[str, float] = {}

    def measure(name: str) -> float:
        work, every = WAYS[name]
        some = max(2, messages // 10) if name == NAIVE else messages
        server.reset()
        for body in _bodies(some, every):
            server.control("send", queue=QUEUE, body=body, count=1)
        ran = child.run(scale, f"tests.bench.refusals:{work}", server.environment, messages=some)
        cpu[name].append(ran.cpu / some * 1e6)
        counts = server.told()["counts"].items()
        calls[name] = sum(count for call, count in counts if not call.startswith("Get")) / some * 1000
        return ran.seconds / some * 1e6

    found = interleaved(ROUNDS[scale], {name: partial(measure, name) for name in WAYS})
    return Table(
        f"hostile requests: {messages:,} messages in the submit queue",
        ("messages", "µs/message", "× ignored", "× naive", "× limit", "CPU µs/message", "calls/1,000"),
        [
            (name, took, took / found[IGNORED], found[NAIVE] / took, took / found[LIMIT], min(cpu[name]),
             calls[name])
            for name, took in found.items()
        ],
        [Target("time a message with one in ten hostile, × ignored", found[SOME] / found[IGNORED], "≤", 1.5),
         Target("time a hostile message, × ignored", found[ALL] / found[IGNORED], "≤", 1.5)],
        "× naive: times as fast; × limit: times as long. Who can be told is told: one send more for most.",
    )  # fmt: skip


def _bodies(messages: int, every: int) -> Iterator[str]:
    hostile = cycle(each.body for each in HOSTILE.values() if len(each.body) < LARGE and "{" in each.body)
    ignored = json.dumps({"type": "cancel_batch", "request_id": "r"})
    return (next(hostile) if every and not n % every else ignored for n in range(messages))
