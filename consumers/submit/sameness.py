"""Whether a request says the same as the one accepted under its request_id, and what differs if not."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from consumers.submit.problems import Problem
from schemas.messages import SubmitBatch
from schemas.wording import place, short

DIFFERENCES = 5


def canonical(message: SubmitBatch, model: str, bucket: str) -> str:
    """Return the request as JSON that is equal for equal requests, defaults and names filled in."""
    fields = message.model_dump(mode="json", exclude={"version"})
    fields |= {"model": model, "bucket": bucket}
    if message.budget_usd is not None:
        fields["budget_usd"] = f"{abs(message.budget_usd).normalize():f}"  # -0 is 0
    return _text(fields)


def other_content(request_id: str, old: str, new: str) -> Problem | None:
    """Say in which fields a request differs from the one that was accepted under its request_id."""
    if old == new:
        return None
    return "request_id_reused", (
        f'Field "request_id": {short(request_id)} was accepted before with other content. '
        f"Use a new request_id for a new request. These differ: {differing(old, new)}."
    )


def differing(old: str, new: str) -> str:
    """Name the fields in which two canonical requests differ, files by their ids."""
    before, after = json.loads(old), json.loads(new)
    names = [place(path) for path in _paths(before, after)]
    return ", ".join([*_some(names), *_differing_files(before["files"], after["files"])])


def _paths(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """Name what differs beside the files; of an object on both sides the fields within."""
    for name in _differing_keys(before, after):
        old, new = before.get(name), after.get(name)
        if isinstance(old, dict) and isinstance(new, dict):
            yield from ((name, each) for each in _differing_keys(old, new))
        elif name != "files":
            yield (name,)


def _differing_files(before: Sequence[Any], after: Sequence[Any]) -> list[str]:
    if _text(before) == _text(after):
        return []
    old, new = ({str(file["file_id"]): file for file in files} for files in (before, after))
    ids = _differing_keys(old, new)
    return [f"files ({', '.join(_some(ids))})" if ids else "the order of files"]


def _differing_keys(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Compare as JSON, not as Python does: there true is 1."""
    before, after = ({key: _text(value) for key, value in each.items()} for each in (old, new))
    return [key for key in {**before, **after} if before.get(key) != after.get(key)]


def _some(names: Sequence[str]) -> list[str]:
    more = len(names) - DIFFERENCES
    return [*names[:DIFFERENCES], f"{more} more"] if more > 0 else list(names)


def _text(value: object) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
