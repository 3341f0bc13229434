"""What the demo's end must look like, checked from outside."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from deploy.local.demo import originals
from deploy.local.demo.originals import Original

TEMPORARY = ("nova_batch/", "nova/batch/output/")
REFUSED = "REFUSED"


@dataclass(frozen=True)
class Answer:
    """What came of one file: its first result line, in which tokens and cost stand."""

    original: Original
    line: dict[str, Any] | None

    @property
    def outcome(self) -> str:
        """The outcome, or what it lacks."""
        return str(self.line["outcome"]) if self.line else "no result"

    @property
    def is_good(self) -> bool:
        """Tell whether the file has a usable answer."""
        return self.line is not None and (
            self.outcome == "SUCCEEDED" or (self.outcome == "TRUNCATED" and bool(self.line["repaired"]))
        )

    @property
    def error(self) -> tuple[str, str]:
        """The code and the message that say why there is no answer."""
        error = (self.line or {}).get("error") or {}
        return str(error.get("code") or ""), str(error.get("message") or "")

    @property
    def words(self) -> str:
        """The beginning of the summary or the description."""
        return " ".join(_first_text((self.line or {}).get("result")).split())


def _first_text(value: Any) -> str:
    if isinstance(value, dict):
        return next((text for inner in value.values() if (text := _first_text(inner))), "")
    return value if isinstance(value, str) else ""


def answers(files: Sequence[Original], lines: Sequence[dict[str, Any]]) -> list[Answer]:
    """Join the files with the first of their lines."""
    first: dict[int, dict[str, Any]] = {}
    for line in lines:
        first.setdefault(line["file_id"], line)
    return [Answer(original, first.get(original.file_id)) for original in files]


def problems_of_answers(found: Sequence[Answer]) -> list[str]:
    """Say what is not as expected: every medium answered, the others refused with their reason."""
    return [problem for each in found if (problem := _problem(each))]


def _problem(each: Answer) -> str:
    code, why = each.error
    wanted, found = each.original.refusal, f"{each.outcome} {code}".rstrip()
    if wanted is not None:
        as_wanted = found == f"{REFUSED} {wanted}"
        return "" if as_wanted else f"{each.original.key}: {REFUSED} {wanted} expected, {found} found"
    if each.original.outcome is not None:
        as_wanted = each.outcome == each.original.outcome
        return "" if as_wanted else f"{each.original.key}: {each.original.outcome} expected, {found} found"
    if each.is_good or (each.outcome == REFUSED and each.original.may_be_refused):
        return ""
    return f"{each.original.key}: {found} {why}".rstrip()


def problems_of_bucket(s3: Any, bucket: str, files: Sequence[Original], results_key: str) -> list[str]:
    """Say what is not as it should be in the bucket: originals, temporary folders, results."""
    found = [f"{key}: the original was changed" for key in originals.changed(s3, bucket, files)]
    for prefix in TEMPORARY:
        left = originals.listing(s3, bucket, prefix)
        if left:
            found.append(f"{prefix}: {len(left)} objects left, the first is {left[0]['Key']}")
    if not originals.listing(s3, bucket, results_key):
        found.append(f"{results_key} is missing")
    return found
