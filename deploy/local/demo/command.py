"""The product's command line, asked as a user would: as a process of its own."""

import json
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from deploy.local.processes import ROOT

SECONDS = 60


class CommandError(Exception):
    """A command of the product failed."""


def ask(environment: Mapping[str, str], *words: str) -> str:
    """Run `novabatch …` and return what it printed."""
    command = [sys.executable, "-m", "daemon", *words]
    answer = subprocess.run(
        command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    if answer.returncode:
        raise CommandError(f"novabatch {' '.join(words)}: exit code {answer.returncode}: {answer.stderr}")
    return answer.stdout


def ask_json(environment: Mapping[str, str], *words: str) -> dict[str, Any]:
    """Run `novabatch … --json` and return the document."""
    document: dict[str, Any] = json.loads(ask(environment, *words, "--json"))
    return document


def ask_status(environment: Mapping[str, str], batch: str) -> dict[str, Any]:
    """Return the status of a batch; empty while the store does not know it."""
    try:
        return ask_json(environment, "status", batch)
    except CommandError as error:
        if "is not in the store" in str(error):
            return {}
        raise
