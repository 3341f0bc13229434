"""How many tokens media and text will take, before they are bought.

Source for video: AWS, Nova video understanding, table of tokens by length: about 288 a second up to 16
minutes (one frame a second), then flat. For images: AWS, Nova image understanding, table of tokens by
size: up to about 2,600 an image.
"""

from schemas.kinds import Kind

TOKENS_PER_SECOND = 288
LONGEST_SECONDS = 960
MOST_VIDEO_TOKENS = TOKENS_PER_SECOND * LONGEST_SECONDS
IMAGE_TOKENS = 2_600
BYTES_PER_SECOND = 1_000_000
"""Of a 720p proxy: the least seen, so that a guess is rather too long than too short."""
CHARS_PER_TOKEN = 4


def media_tokens(kind: str, duration_seconds: float | None, size_bytes: int | None) -> tuple[int, bool]:
    """Return the tokens of a media file, and whether its length was guessed; an image's size always is."""
    if kind == Kind.IMAGE:
        return IMAGE_TOKENS, True
    if duration_seconds is not None:
        return _video_tokens(duration_seconds), False
    if size_bytes is not None:
        return _video_tokens(size_bytes / BYTES_PER_SECOND), True
    return MOST_VIDEO_TOKENS, True


def text_tokens(characters: int) -> int:
    """Return the tokens of a text of so many characters; a token begun counts."""
    return -(-characters // CHARS_PER_TOKEN)


def _video_tokens(seconds: float) -> int:
    """Count whole seconds, the last one begun included; a video has at least one."""
    whole = -int(-min(seconds, LONGEST_SECONDS) // 1)
    return max(1, whole) * TOKENS_PER_SECOND
