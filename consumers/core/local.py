"""The port to media on this machine: files a sender still has when the object in S3 is gone."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Upload:
    """One local file to put under a name of ours; ``path`` is as the sender wrote it."""

    position: int
    path: str
    key: str
    content_type: str


class LocalMedia(Protocol):
    """The media roots an operator allows. Links are resolved before anything is compared with a root."""

    def size(self, path: str) -> int:
        """Return a file's size in bytes; a relative path is looked for below each root, in order.

        Raises Missing where there is no such file, Rejected for a path that lies below no root.
        """
