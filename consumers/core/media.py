"""What a file is, told from the ending of its key."""

from dataclasses import dataclass

from schemas.kinds import Kind


@dataclass(frozen=True, slots=True)
class Media:
    """A format the model accepts.

    `format` is Bedrock's own word for it; `content_type` is what the copy in S3 must carry, or the record
    may be refused (AWS: Nova, supplying media from S3).
    """

    kind: Kind
    format: str
    content_type: str


_ACCEPTED = {
    "mkv": Media(Kind.VIDEO, "mkv", "video/x-matroska"),
    "mov": Media(Kind.VIDEO, "mov", "video/quicktime"),
    "mp4": Media(Kind.VIDEO, "mp4", "video/mp4"),
    "webm": Media(Kind.VIDEO, "webm", "video/webm"),
    "flv": Media(Kind.VIDEO, "flv", "video/x-flv"),
    "mpeg": Media(Kind.VIDEO, "mpeg", "video/mpeg"),
    "mpg": Media(Kind.VIDEO, "mpg", "video/mpeg"),
    "wmv": Media(Kind.VIDEO, "wmv", "video/x-ms-wmv"),
    "3gp": Media(Kind.VIDEO, "three_gp", "video/3gpp"),
    "png": Media(Kind.IMAGE, "png", "image/png"),
    "jpeg": Media(Kind.IMAGE, "jpeg", "image/jpeg"),
    "jpg": Media(Kind.IMAGE, "jpeg", "image/jpeg"),
    "gif": Media(Kind.IMAGE, "gif", "image/gif"),
    "webp": Media(Kind.IMAGE, "webp", "image/webp"),
}
EXTENSIONS = tuple(_ACCEPTED)


def media_of(key: str) -> Media | None:
    """Tell what a file is from its key's extension, in any case; None for what the model does not take.

    The formats are those of AWS: Nova, video and image understanding; there is no avi among them.
    """
    return _ACCEPTED.get(_extension(key).lower())


def format_refusal(key: str) -> str:
    """Say why a file's format is refused, naming its extension and the accepted ones."""
    extension = _extension(key)
    what = f"the extension {extension[:40]!r} is not accepted" if extension else "the name has no extension"
    return f"{what}: use one of {', '.join(EXTENSIONS)}"


def _extension(key: str) -> str:
    _, dot, extension = key.rpartition("/")[2].rpartition(".")
    return extension if dot else ""
