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


def is_known(environment: Mapping[str, str], batch: str) -> bool:
    """Tell whether the store knows a batch yet."""
    known = ask_json(environment, "status")["batches"]
    return any(each["request_id"] == batch for each in known)
