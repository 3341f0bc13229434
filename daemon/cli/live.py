"""The rehearsal of `doctor --live`: five files on their whole way through AWS, told step by step."""

import json
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import click

from consumers.core import layout
from daemon.cli.access import Access
from daemon.cli.examination.check import Check, Level, look
from daemon.cli.live_files import pictures
from daemon.cli.live_steps import over, steps, trouble, why
from daemon.cli.stopping import Stopped, until_stopped

if TYPE_CHECKING:
    from schemas.messages import SubmitBatch

MOST_USD = Decimal("0.10")
LOOK_EVERY = 1.0


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What is about to be done: the request, its files, and the most that it may cost."""

    message: "SubmitBatch"
    files: Mapping[str, bytes]
    cost_usd: Decimal

    @property
    def question(self) -> str:
        """Say what it will do and cost."""
        count, size = len(self.files), sum(map(len, self.files.values()))
        return (
            f"This puts {count} generated files ({size} bytes) below {layout.REHEARSAL_ROOT} of the bucket "
            f"and buys one batch job of {self.message.model}: at most {self.cost_usd:.4f} USD. It "
            "takes as long as Bedrock does, often 10 to 30 minutes. Go on?"
        )


def prepare(access: Access, model: str) -> Rehearsal:
    """Decide what to do; raises what would refuse it, and where it might cost more than 0.10 USD."""
    from daemon.cli.planning import begin
    from daemon.cli.sending import read
    from schemas.messages import SubmitBatch

    files = pictures()
    message = read(json.dumps(_request(model, files)))
    assert isinstance(message, SubmitBatch)  # noqa: S101 - so it is written
    outlook = begin(message, access)
    for part in outlook.preview:
        outlook.add(part)
    if (problem := outlook.refusal()) is not None or outlook.cost_usd is None:
        raise click.ClickException(": ".join(problem) if problem else f"no price of {model} is known")
    return Rehearsal(message, files, outlook.cost_usd)


def _request(model: str, files: Mapping[str, bytes]) -> dict[str, Any]:
    return {
        "type": "submit_batch",
        "version": 1,
        "request_id": f"doctor-{datetime.now(UTC):%Y%m%dT%H%M%SZ}",
        "model": model,
        "analysis_types": ["description"],
        "budget_usd": str(MOST_USD),
        "options": {"reuse": "never", "max_tokens": 1000},
        "files": [
            {"file_id": f"doctor-{number}", "s3_key": key, "size_bytes": len(body)}
            for number, (key, body) in enumerate(files.items(), 1)
        ],
    }


def rehearse(access: Access, rehearsal: Rehearsal, patience: float) -> Iterator[Check]:
    """Do it; yields each step as it is taken, and ends after the first that cannot be."""
    yield (put := look("live files", lambda: _put(access, rehearsal), "Allow s3:PutObject on it."))
    if not put.ok:
        return
    access.send(rehearsal.message)
    with until_stopped() as stopped:
        yield from _followed(access, rehearsal, patience, stopped)


def _put(access: Access, rehearsal: Rehearsal) -> str:
    for key, body in rehearsal.files.items():
        with access.objects.writer(key, content_type="image/png") as target:
            target.write(body)
    return f"{len(rehearsal.files)} files put below s3://{access.settings.bucket}/{layout.REHEARSAL_ROOT}"


def _followed(
    access: Access, rehearsal: Rehearsal, patience: float, stopped: threading.Event
) -> Iterator[Check]:
    """Wait for one step after the other."""
    name = layout.batch_id(rehearsal.message.request_id)
    for step in steps(access):
        began = time.monotonic()
        while (told := step.seen(now := access.views.status(name))) is None:
            if over(now) and not step.afterwards:
                yield Check(step.name, Level.FAULT, why(now), f"`novabatch show {name}` tells more.")
                return
            if time.monotonic() - began > patience and (trouble(now) or not step.patient):
                late = "; ".join(filter(None, [f"not within {patience:.0f} s", trouble(now)]))
                advice = step.advice or f"`novabatch show {name}` tells more."
                yield Check(step.name, Level.FAULT, late, advice)
                return
            if stopped.wait(LOOK_EVERY):
                raise Stopped(f"batch {name} goes on: see `novabatch status {name}`.")
        after = f"{told.detail}; after {time.monotonic() - began:.0f} s"
        yield Check(step.name, told.level, after, told.advice)
