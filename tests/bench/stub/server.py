"""The stub as a process: ``python -m tests.bench.stub.server`` prints its port and serves until stopped."""

import asyncio
import gc
import json
import signal
from collections.abc import Callable, Mapping
from typing import Any

from tests.bench.stub.bedrock import Jobs
from tests.bench.stub.http import Answer, Connection, Reply, Request
from tests.bench.stub.s3 import Bucket
from tests.bench.stub.sqs import Queues

CONTROL = "/_bench"


class Aws:
    """The three services behind one port, and a path that sets them."""

    def __init__(self) -> None:
        self.latencies: dict[str, float] = {}
        self.host = ""
        self.reset()

    def reset(self) -> None:
        """Begin with nothing."""
        self.bucket = Bucket()
        self.queues = Queues()
        self.jobs = Jobs(self.bucket)

    def latency(self, request: Request) -> float:
        """Return how long a service's answer takes."""
        return self.latencies.get(_service(request), 0.0)

    def handle(self, request: Request, reply: Reply) -> None:
        """Answer one request."""
        match _service(request):
            case "control":
                told = self._control(json.loads(request.body))
                reply(Answer(json.dumps(told).encode()))
            case "sqs":
                self.queues.answer(request, reply, self.host)
            case "bedrock":
                reply(self.jobs.answer(request))
            case _:
                reply(self.bucket.answer(request))

    def _control(self, asked: dict[str, Any]) -> Any:
        calls: Mapping[str, Callable[..., Any]] = {
            "reset": self.reset,
            "set": self._set,
            "fill": self._fill,
            "send": self._send,
            "end": self._end,
            "end_polls": self.queues.end_polls,
            "told": self._told,
        }
        return calls[asked.pop("call")](**asked)

    def _set(self, latencies: dict[str, float] | None = None, rate: int = 0, slots: int = 20) -> None:
        self.latencies = latencies or {}
        self.bucket.rate, self.jobs.most = rate, slots

    def _fill(self, prefix: str, count: int) -> None:
        for number in range(count):
            self.bucket.put(f"{prefix}{number:06}.mov", 1000)

    def _send(self, queue: str, body: str, count: int) -> None:
        for _ in range(count):
            self.queues.send(self.queues.queue(queue), body)

    def _end(self, number: int, queue: str, told: bool = True) -> list[str]:
        events = self.jobs.end(number)
        for event in events if told else ():
            self.queues.send(self.queues.queue(queue), json.dumps(event))
        return [event["resources"][0] for event in events]

    def _told(self) -> dict[str, Any]:
        return {
            "counts": self.bucket.counts + self.queues.counts + self.jobs.counts,
            "copies_a_second": list(self.bucket.taken.values()),
            "copying_seconds": self.bucket.last_copy - self.bucket.first_copy,
            "s3_seconds": self.bucket.last_call - self.bucket.first_call,
            "jobs": [
                {"name": job.asked["jobName"], "created": job.created, "ended": job.ended}
                for job in self.jobs.jobs.values()
            ],
            "waiting": {name: len(queue.waiting) for name, queue in self.queues.queues.items()},
            "in_hand": {name: len(queue.in_hand) for name, queue in self.queues.queues.items()},
        }


def _service(request: Request) -> str:
    if request.path == CONTROL:
        return "control"
    if request.path.startswith("/model-invocation-job"):
        return "bedrock"
    return "sqs" if b"AmazonSQS." in request.head else "s3"


async def serve(tell: Callable[[str, Callable[[], None]], None]) -> None:
    """Serve until told to end; tells the address, and what to call for the end."""
    aws, loop, ended = Aws(), asyncio.get_running_loop(), asyncio.Event()
    connections: list[Connection] = []

    def connect() -> Connection:
        connections.append(Connection(aws))
        return connections[-1]

    server = await loop.create_server(connect, "127.0.0.1", 0, backlog=512)
    aws.host = "{}:{}".format(*server.sockets[0].getsockname())

    def end() -> None:
        loop.call_soon_threadsafe(ended.set)

    tell(aws.host, end)
    await ended.wait()
    server.close()
    for connection in connections:
        connection.close()


def main() -> None:
    """Serve in this process until it is asked to end."""

    def tell(host: str, end: Callable[[], None]) -> None:
        signal.signal(signal.SIGTERM, lambda *_: end())
        print(host, flush=True)

    gc.freeze()
    asyncio.run(serve(tell))


if __name__ == "__main__":
    main()
