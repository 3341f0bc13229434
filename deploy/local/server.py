"""The local AWS: moto's server with its faults mended, Bedrock's batch inference, and faults to inject.

Run as `python -m deploy.local.server --port P`; it listens on 127.0.0.1 only.
"""

import argparse
import signal
import sys
import threading
from collections.abc import Sequence
from types import FrameType

from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import BaseWSGIServer, make_server

from deploy.local import cloudformation_fixes, events_fixes, s3_fixes, s3_versions, sqs_fixes
from deploy.local.admin import Admin
from deploy.local.bedrock import api
from deploy.local.bedrock.engine import Engine
from deploy.local.calls import Calls
from deploy.local.fault_layer import FaultLayer
from deploy.local.faults import Faults
from deploy.local.knobs import Knobs
from deploy.local.permissions.guard import Guard
from deploy.local.permissions.identities import Identities

HOST = "127.0.0.1"


def build(knobs: Knobs) -> Admin:
    """Mend moto in this process and put all layers together."""
    s3_lock = threading.RLock()
    sqs_fixes.apply()
    s3_fixes.apply(s3_lock)
    s3_versions.apply()
    events_fixes.apply()
    cloudformation_fixes.apply()
    faults, calls = Faults(), Calls()
    engine = Engine(knobs, faults, s3_lock)
    api.apply(engine)
    guard = Guard(Identities(DomainDispatcherApplication(create_backend_app)))
    return Admin(FaultLayer(guard, faults, calls), engine, calls, guard)


class QuietHandler(MotoRequestHandler):
    """Answers requests without a log line for each."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log nothing: errors are logged elsewhere."""


def serve(port: int, knobs: Knobs, fd: int | None = None) -> BaseWSGIServer:
    """Return the server, bound to a port or to a socket that listens already."""
    return make_server(HOST, port, build(knobs), threaded=True, request_handler=QuietHandler, fd=fd)


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m deploy.local.server", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="port to listen on; 0 takes a free one")
    parser.add_argument("--fd", type=int, help="a listening socket handed over by the parent process")
    parser.add_argument("--step-seconds", type=float, default=0.2, help="how long a job stays in each state")
    chosen = parser.parse_args(arguments)
    server = serve(chosen.port, Knobs(step_seconds=chosen.step_seconds), chosen.fd)

    def stop(_: int, __: FrameType | None) -> None:
        sys.exit(0)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    print(f"listening on http://{HOST}:{server.port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
