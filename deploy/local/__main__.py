"""The command line: `python -m deploy.local up` and `python -m deploy.local demo`."""

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

DIRECTORY = Path(".local")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a subcommand and return its exit code."""
    chosen = parser().parse_args(arguments)
    if chosen.command == "demo":
        demo = import_module("deploy.local.demo")
        return int(demo.run(chosen.media, chosen.dir, *([demo.BadDay] if chosen.bad_day else [])))
    from deploy.local import monitoring, up

    beside = [monitoring.beside] if chosen.monitoring else []
    return up.run(chosen.dir, chosen.port, *beside, consumers=chosen.consumers)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    top = argparse.ArgumentParser(
        prog="python -m deploy.local", description="novabatch on this machine alone"
    )
    commands = top.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", help="run the local AWS, its stack and the consumers until Ctrl-C")
    up.add_argument("--port", type=_port, help="port of the local AWS (default: 5555, or a free one)")
    up.add_argument(
        "--no-consumers", dest="consumers", action="store_false", help="only the local AWS and its stack"
    )
    up.add_argument(
        "--monitoring", action="store_true", help="a Prometheus beside it, with rules, alerts and dashboards"
    )
    demo = commands.add_parser("demo", help="run one batch from message to stored results, then exit")
    demo.add_argument(
        "media", nargs="?", type=Path, metavar="MEDIA_DIR", help="a folder of media (default: made here)"
    )
    demo.add_argument("--bad-day", action="store_true", help="with everything going wrong that can")
    for command in (up, demo):
        command.add_argument(
            "--dir", type=Path, default=DIRECTORY, help="where env, logs and data go (%(default)s)"
        )
    return top


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) >= 65536:
        raise argparse.ArgumentTypeError(f"{text!r} is no port: write a number below 65536, 0 for any")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
