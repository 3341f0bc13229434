"""How many tokens a record will take, before it is bought.

Source for video: AWS, Nova video understanding, table of tokens by length: about 288 a second up to 16
minutes (one frame a second), then flat. For images: AWS, Nova image understanding, table of tokens by
size: up to about 2,600 an image.
"""

from dataclasses import dataclass

from schemas.kinds import Kind

TOKENS_PER_SECOND = 288
LONGEST_SECONDS = 960
MOST_VIDEO_TOKENS = TOKENS_PER_SECOND * LONGEST_SECONDS
IMAGE_TOKENS = 2_600
BYTES_PER_SECOND = 1_000_000
"""Of a 720p proxy: the least seen, so that a guess is rather too long than too short."""
CHARS_PER_TOKEN = 4


@dataclass(frozen=True, slots=True)
class Estimate:
    """Tokens of one record; `output` is the most it may answer. `assumed` says the media was guessed."""

    input: int
    output: int
    assumed: bool


def estimate(
    kind: str, duration_seconds: float | None, size_bytes: int | None, prompt_chars: int, max_tokens: int
) -> Estimate:
    """Estimate the tokens of one record from what is known of its file."""
    media, assumed = _media_tokens(kind, duration_seconds, size_bytes)
    return Estimate(media + -(-prompt_chars // CHARS_PER_TOKEN), max_tokens, assumed)


def _media_tokens(kind: str, duration_seconds: float | None, size_bytes: int | None) -> tuple[int, bool]:
    if kind == Kind.IMAGE:
        return IMAGE_TOKENS, True
    if duration_seconds is not None and duration_seconds > 0:
        return _video_tokens(duration_seconds), False
    if size_bytes is not None:
        return _video_tokens(size_bytes / BYTES_PER_SECOND), True
    return MOST_VIDEO_TOKENS, True


def _video_tokens(seconds: float) -> int:
    """Count whole seconds, the last one begun included; a video has at least one."""
    whole = -int(-min(seconds, LONGEST_SECONDS) // 1)
    return max(1, whole) * TOKENS_PER_SECOND
