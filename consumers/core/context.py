"""What is known of a file, as it enters the prompt of its records, and how much of it may."""

from collections.abc import Mapping

from consumers.core.originals import Unfit
from schemas.shapes.prompt import context_json
from schemas.wording import short

MAX_CONTEXT_BYTES = 32_768
"""About 8,000 tokens. Of the 300,000 tokens of the smallest models a long video takes 276,480 (AWS: Nova,
video understanding); context, prompt and answer share the rest."""


def context_of(s3_key: str, said: Mapping[str, object]) -> dict[str, object]:
    """Return what a prompt carries of a file: its names, and what the sender says of it."""
    return {"file_name": s3_key.rpartition("/")[2], "s3_key": s3_key, **said}


def unfit_context(said: Mapping[str, object]) -> Unfit | None:
    """Refuse what a sender says of a file if it is too much, naming the longest field; None if it fits."""
    size = _size(said) if said else 0
    if size <= MAX_CONTEXT_BYTES:
        return None
    longest = max(said, key=lambda name: _size({name: said[name]}))
    why = f"context has {size} bytes in the prompt, over the limit of {MAX_CONTEXT_BYTES} a file"
    return Unfit("context_too_large", f"{why}: shorten it, its longest field {short(longest)} first")


def _size(said: Mapping[str, object]) -> int:
    return len(context_json(said).encode())
