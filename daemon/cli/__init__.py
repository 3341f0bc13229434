"""The command line `novabatch`."""

from daemon.cli.program import main

__all__ = ["main"]
