"""The verbs by name; what a verb needs is loaded only when it is called."""

import difflib
import errno
import os
import sys
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click

from consumers.core.faults import Fault

VERBS: Mapping[str, str] = {
    "run": "running:run",
    "send": "sending:send",
    "plan": "planning:plan",
    "status": "reading:status",
    "pending": "pending:pending",
    "show": "showing:show",
    "results": "reading:results",
    "cancel": "sending:cancel",
    "retry": "sending:retry",
    "reparse": "reparsing:reparse",
    "adopt": "adopting:adopt",
    "pause": "steering:pause",
    "resume": "steering:resume",
    "reconcile": "running:reconcile",
    "cleanup": "cleaning:cleanup",
    "forget": "forgetting:forget",
    "audit": "auditing:audit",
    "storage": "cleaning:storage",
    "dlq": "dead_letters:dlq",
    "doctor": "doctor:doctor",
    "migrate": "running:migrate",
}


class Verbs(click.Group):
    """A group that finds its commands by name and turns faults into one line."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the verbs in the order in which they are usually needed."""
        del ctx
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load a verb."""
        del ctx
        if cmd_name not in VERBS:
            return None
        module, _, name = VERBS[cmd_name].partition(":")
        command: click.Command = getattr(import_module(f"daemon.cli.{module}"), name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find a verb; a misspelt one ends with those that were perhaps meant."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            near = difflib.get_close_matches(args[0], VERBS, n=2) if args else []
            meant = " or ".join(f"`{verb}`" for verb in near)
            if not near:
                raise
            raise click.UsageError(f"{error.message} Did you mean {meant}?", ctx) from error

    def invoke(self, ctx: click.Context) -> Any:
        """Run a verb; what the outside could not do ends with exit code 1 and its reason."""
        try:
            return super().invoke(ctx)
        except Fault as fault:
            from daemon.advice import advice

            raise click.ClickException(f"{fault.message}\n{advice(fault)}") from fault
        except OSError as error:
            if error.errno == errno.EPIPE:  # whoever read along has enough: click ends the verb quietly
                raise
            _end_output()
            told = f"this machine refused: {error}"
            raise click.ClickException(f"{told}\nMake room or allow it, and try again.") from error


def _end_output() -> None:
    """Write what can be written; what cannot must not be tried once more at the very end."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="novabatch", message="%(prog)s %(version)s")
def main() -> None:
    """Analyse media in S3 with Amazon Nova, at Bedrock's batch rate.

    BATCH is a batch_id or a request_id. Exit codes: 0 the verb did it, 1 it could not, 2 wrong usage,
    130 the wait was stopped by Ctrl-C.
    """
