"""Local media in memory."""

from dataclasses import dataclass, field

from consumers.core.faults import Missing, Rejected


@dataclass
class FakeLocalMedia:
    """The port ``LocalMedia``: files by path; what begins with ``/`` or goes up with ``..`` leads out."""

    files: dict[str, bytes] = field(default_factory=dict)

    def size(self, path: str) -> int:
        return len(self.read(path))

    def read(self, path: str) -> bytes:
        """Return a file's bytes."""
        if path.startswith("/") or ".." in path.split("/"):
            raise Rejected(f"local_path {path!r} lies below no folder of NOVABATCH_MEDIA_ROOTS")
        if path not in self.files:
            raise Missing(f"local_path {path!r} does not exist")
        return self.files[path]
