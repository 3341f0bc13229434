"""Progress bars on a terminal, with rate and time left; elsewhere there are none."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, Task


def on_terminal() -> bool:
    """Tell whether somebody watches: bars go to stderr, so that stdout holds answers only."""
    return sys.stderr.isatty()


class Bar:
    """How far something is. Each change says what is done now, of how much, and how many of it."""

    def __init__(self, progress: "Progress", what: str, total: int | None) -> None:
        self._progress = progress
        self._task = progress.add_task(what, total=total or None)
        self._first: int | None = None

    def add(self, count: int) -> None:
        """Count some more."""
        self._progress.advance(self._task, count)

    def set(self, done: int, total: int | None, what: str) -> None:
        """Say where it stands."""
        self._first = done if self._first is None else self._first
        self._progress.update(
            self._task, completed=done, total=total or None, description=what, first=self._first
        )


class NoBar(Bar):
    """Where nobody watches."""

    def __init__(self) -> None:
        pass

    def add(self, count: int) -> None:
        """Show nothing."""

    def set(self, done: int, total: int | None, what: str) -> None:
        """Show nothing."""


@contextmanager
def bar(what: str, total: int | None = None) -> Iterator[Bar]:
    """Show a bar for as long as the block lasts; without a total it only counts."""
    if not on_terminal():
        yield NoBar()
        return
    with _progress() as progress:
        yield Bar(progress, what, total)


def _progress() -> "Progress":
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn
    from rich.text import Text

    class Told(ProgressColumn):
        """Something told of a task in a few letters."""

        def __init__(self, tell: Callable[["Task"], str]) -> None:
            self._tell = tell
            super().__init__()

        def render(self, task: "Task") -> Text:
            """Write it."""
            return Text(self._tell(task), style="progress.remaining")

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        Told(lambda task: rate(_speed(task))),
        Told(lambda task: left(task.remaining, _speed(task))),
        console=Console(stderr=True),
        expand=True,
        redirect_stdout=False,
    )


def _speed(task: "Task") -> float:
    """Return how many are done a second since somebody watches: Bedrock moves in steps of many minutes.

    What was done by then says nothing of it.
    """
    done = task.completed - task.fields.get("first", 0)
    return done / task.elapsed if task.elapsed else 0.0


def rate(speed: float) -> str:
    """Write how many a second, a minute or an hour, whichever can be read best."""
    for unit, seconds in (("s", 1), ("min", 60), ("h", 3600)):
        if speed * seconds >= 1:
            return f"{speed * seconds:.3g}/{unit}"
    return ""


def left(remaining: float | None, speed: float) -> str:
    """Write how long it will take yet, where that is known."""
    from daemon.cli.output import duration

    return f"{duration(remaining / speed)} left" if remaining and speed else ""
