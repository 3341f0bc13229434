"""Media files below the roots an operator allows."""

from collections.abc import Sequence
from pathlib import Path

from consumers.core.faults import Missing, Rejected


class MediaRoots:
    """Files below some folders of this machine; links are resolved before a path is compared."""

    def __init__(self, roots: Sequence[str]) -> None:
        self._roots = [Path(root).resolve() for root in roots]

    def size(self, path: str) -> int:
        """Return a file's size in bytes. Raises Missing, or Rejected for a path below no root."""
        return self.find(path).stat().st_size

    def find(self, path: str) -> Path:
        """Return the real path of a regular file. Raises Missing, or Rejected for a path below no root."""
        places = [(root / path).resolve() for root in self._roots]
        inside = [place for place in places if any(place.is_relative_to(root) for root in self._roots)]
        if not inside:
            raise Rejected(f"local_path {path!r} lies below no folder of NOVABATCH_MEDIA_ROOTS")
        for place in inside:
            if place.is_file():
                return place
        raise Missing(f"local_path {path!r} does not exist")
