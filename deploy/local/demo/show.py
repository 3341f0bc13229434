"""The demo from its first line to its last, and its exit code."""

import shutil
import signal
import sys
import time
from pathlib import Path
from types import FrameType

from rich.console import Console

from deploy.local import processes, up
from deploy.local.demo import originals, watching
from deploy.local.demo.command import CommandError
from deploy.local.demo.day import Day
from deploy.local.demo.originals import NoMediaError, Original
from deploy.local.media import make_media

MARK = ".novabatch-demo"
STEP_SECONDS = 0.3
INTERRUPTED = 130


class NotOursError(Exception):
    """The demo's folder holds something that is not the demo's."""


def run(media: Path | None, directory: Path, day: type[Day] = Day) -> int:
    """Run the demo and return its exit code: 0 if all came out as it should, 2 for an unusable folder."""
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGINT, _interrupt)  # a shell starts background jobs with SIGINT ignored
    console, state = Console(), directory / "demo"
    try:
        files = _files(media, directory / "media", console)
        _empty(state)
        return _run(files, state, console, day)
    except (NoMediaError, NotOursError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; every process of the demo has ended", file=sys.stderr)
        return INTERRUPTED
    except (up.CannotStartError, processes.NotStartedError) as error:
        return _fail(str(error), state)


def _run(files: list[Original], state: Path, console: Console, day: type[Day]) -> int:
    with up.running(state, step_seconds=STEP_SECONDS, more=day.SETTINGS) as local:
        demo = day(local, console, files)
        try:
            problems = demo.play()
        except (watching.StalledError, CommandError) as error:
            return _fail(str(error), state)  # before the processes end: what they log then explains nothing
        if problems:
            return _fail("not all came out as it should:\n  " + "\n  ".join(problems), state)
        seconds = time.monotonic() - demo.began
    console.print(f"\nAll as it should be, in {seconds:.0f} s. Every process of the demo has ended.")
    return 0


def _interrupt(_: int, __: FrameType | None) -> None:
    raise KeyboardInterrupt


def _files(media: Path | None, cache: Path, console: Console) -> list[Original]:
    if media is not None:
        return originals.of_folder(media)
    if not cache.exists():
        console.print("making a few real videos and images (once) ...")
    paths = make_media(cache)
    return originals.made_here(paths, cache)


def _empty(state: Path) -> None:
    """Begin with an empty folder; whatever the demo did not make itself stays untouched."""
    if state.exists() and any(state.iterdir()):
        if not (state / MARK).exists():
            raise NotOursError(f"{state} holds something that is not the demo's: name another --dir")
        shutil.rmtree(state)
    state.mkdir(parents=True, exist_ok=True)
    (state / MARK).touch()


def _fail(why: str, state: Path, lines: int = 15) -> int:
    """Say what went wrong, where the logs are, and how each of them ends."""
    logs = state / "logs"
    print(f"error: {why}\nlogs: {logs}", file=sys.stderr)
    for log in sorted(logs.glob("*.log")):
        tail = log.read_text(errors="replace").splitlines()[-lines:]
        print(f"--- {log.name}\n" + "\n".join(tail), file=sys.stderr)
    return 1
