"""The shipped rules with all times in them divided by one factor, so that a test need not wait for hours.

Durations (``[5m]``, ``offset 1h``, ``for: 15m``), thresholds in seconds (``> 3600``), the bound of a
histogram's bucket and what a setting tells in hours are all times. How many messages are in flight grows with
the time that each of them takes, so the one threshold of such messages is divided as well. Nothing else in a
rule changes.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from deploy.local.monitoring import RULE_FILES, RULES

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
DURATION = re.compile(r"(?<=\[)([0-9]+)([smhd])(?=\])|(?<=offset )([0-9]+)([smhd])\b")
SECONDS = re.compile(r"(?<![\w.])(?:120|300|600|3600|86400)(?![\w.])")
BOUND = re.compile(r'(?<=le=")[0-9.]+(?=")')
IN_FLIGHT = re.compile(r"(?<![\w.])96000\b")
SET_IN_HOURS = re.compile(r"novabatch_job_timeout_seconds")


def quicker_rules(folder: Path, factor: int) -> list[str]:
    """Write the rules, so many times quicker, into a folder; returns the files for ``rule_files``."""
    if factor == 1:
        return [str(RULES / name) for name in RULE_FILES]
    files = [folder / name for name in RULE_FILES]
    for file in files:
        shipped = yaml.safe_load((RULES / file.name).read_text())
        for group in shipped["groups"]:
            group["rules"] = [quicker_rule(rule, factor) for rule in group["rules"]]
        file.write_text(json.dumps(shipped))  # JSON is YAML.
    return [str(file) for file in files]


def quicker_rule(rule: Mapping[str, Any], factor: int) -> dict[str, Any]:
    """Divide the times of one rule."""
    changed = {**rule, "expr": quicker(rule["expr"], factor)}
    if "for" in rule:
        changed["for"] = _shorter(rule["for"], factor)
    return changed


def quicker(expression: str, factor: int) -> str:
    """Divide the times of an expression, and the number of messages in flight."""
    said = DURATION.sub(lambda found: _shorter(found[0], factor), expression)
    said = SECONDS.sub(lambda found: f"{int(found[0]) / factor:g}", said)
    said = BOUND.sub(lambda found: str(float(found[0]) / factor), said)
    said = IN_FLIGHT.sub(lambda found: f"{int(found[0]) / factor:g}", said)
    return SET_IN_HOURS.sub(lambda found: f"({found[0]} / {factor})", said)


def _shorter(duration: str, factor: int) -> str:
    return f"{max(1, round(1000 * int(duration[:-1]) * UNITS[duration[-1]] / factor))}ms"
