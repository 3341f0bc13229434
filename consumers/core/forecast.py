"""What a batch will take in tokens and in time, told before anything is bought.

Every figure is the most it may be: an answer counts with all the tokens it is allowed. What is known only
by a guess (a video without a duration, any image) is said to be assumed.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from math import ceil, isfinite

from consumers.core.context import context_of
from consumers.core.tokens import media_tokens, text_tokens
from schemas.options import Options
from schemas.shapes.analysis import Analysis
from schemas.shapes.prompt import context_json

JOB_DURATION = timedelta(minutes=20)
"""A job of 150 videos: 15 to 20 minutes were seen, now and then hours."""
_FRAME = len(context_json(context_of("", {})))


def file_tokens(kind: str, context: Mapping[str, object], size_bytes: int | None) -> tuple[int, bool]:
    """Return what the model reads of a file for each record (media and context), and whether it is assumed.

    The length of a video is ``context["duration_seconds"]`` where that is a number that can be one, else it
    is guessed from the bytes.
    """
    media, assumed = media_tokens(kind, _seconds(context.get("duration_seconds")), size_bytes)
    return media + (text_tokens(len(context_json(context))) if context else 0), assumed


def is_assumed(kind: str, context: Mapping[str, object]) -> bool:
    """Tell whether ``file_tokens`` has to guess; cheap."""
    return media_tokens(kind, _seconds(context.get("duration_seconds")), None)[1]


def key_tokens(s3_key: str) -> int:
    """Return what the model reads of a file's own name and key, for each record; escapes are not counted."""
    return text_tokens(_FRAME + len(s3_key.rpartition("/")[2]) + len(s3_key))


@lru_cache(maxsize=256)
def prompt_tokens(analysis: Analysis, options: Options) -> int:
    """Return what the model reads of the prompt, apart from the context of a file."""
    return text_tokens(len(analysis.prompt(options, {})))


def expected_end(
    now: datetime, before: int, chunks: int, slots: int, job_duration: timedelta = JOB_DURATION
) -> datetime:
    """Return when the last of a batch's chunks should be done, if each slot takes one after another.

    ``before`` chunks wait or run for the same model already. Copying and reading go on meanwhile; failed
    records that are sent again are not foreseen.
    """
    if not chunks:
        return now
    return now + ceil((before + chunks) / max(1, slots)) * job_duration


def _seconds(said: object) -> float | None:
    """Read a duration as a sender wrote it; None for what cannot be one."""
    if isinstance(said, bool) or not isinstance(said, int | float):
        return None
    return float(said) if said > 0 and isfinite(said) else None
