"""Ctrl-C while a verb waits: it ends the wait at the next look, and whatever was begun goes on."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

import click


class Stopped(click.ClickException):
    """A person waits no more: no error; the message says what goes on and how to look at it."""

    exit_code = 128 + signal.SIGINT

    def show(self, file: IO[Any] | None = None) -> None:
        """Say it on stderr."""
        click.echo(f"stopped waiting; {self.message}", file=file, err=True)


@contextmanager
def until_stopped() -> Iterator[threading.Event]:
    """Give an event that Ctrl-C sets within the block.

    As an exception it could strike where exceptions are lost, in a finalizer for instance.
    """
    stopped = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stopped
        return
    before = signal.signal(signal.SIGINT, lambda *_: stopped.set())
    try:
        yield stopped
    finally:
        signal.signal(signal.SIGINT, before)
