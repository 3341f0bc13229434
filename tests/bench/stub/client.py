"""Starting the stub, leading clients to it, and telling it what to do."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from queue import SimpleQueue
from threading import Thread
from typing import Any

from deploy.local import processes, stack
from tests.aws import OWN_CONFIGURATION
from tests.bench.stub.server import CONTROL, serve
from tests.bench.table import Scale

MILLISECONDS_30 = 0.03


@dataclass(frozen=True)
class Stub:
    """A running stub."""

    url: str

    @property
    def environment(self) -> Mapping[str, str]:
        """Return the AWS variables that lead any client here."""
        return {**OWN_CONFIGURATION, **stack.environment(self.url)}

    def control(self, call: str, **arguments: Any) -> Any:
        """Call one of the functions of ``server.Aws``."""
        connection = HTTPConnection(self.url.removeprefix("http://"), timeout=60)
        try:
            connection.request("POST", CONTROL, json.dumps({"call": call, **arguments}))
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()

    def told(self) -> dict[str, Any]:
        """Return what the stub has counted since its reset."""
        told: dict[str, Any] = self.control("told")
        return told

    def reset(self, *, s3: float = 0.0, bedrock: float = 0.0, rate: int = 0) -> None:
        """Empty it; latencies in seconds, ``rate`` in copies a second (0: any)."""
        self.control("reset")
        self.control("set", latencies={"s3": s3, "bedrock": bedrock}, rate=rate)


@contextmanager
def stub(scale: Scale) -> Iterator[Stub]:
    """Run the stub until the block ends: in a process of its own, at the TINY scale in a thread."""
    with (_thread if scale is Scale.TINY else _process)() as host:
        yield Stub(f"http://{host}")


@contextmanager
def _process() -> Iterator[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.stub.server"], stdout=subprocess.PIPE, cwd=processes.ROOT
    )
    try:
        assert process.stdout is not None
        yield process.stdout.readline().decode().strip()
    finally:
        process.terminate()
        process.wait(10)
        if process.stdout is not None:
            process.stdout.close()


@contextmanager
def _thread() -> Iterator[str]:
    told: SimpleQueue[tuple[str, Callable[[], None]]] = SimpleQueue()
    thread = Thread(target=lambda: asyncio.run(serve(lambda host, end: told.put((host, end)))))
    thread.start()
    host, end = told.get()
    try:
        yield host
    finally:
        end()
        thread.join()
