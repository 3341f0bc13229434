"""What is noticed while an answer is read."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Notes:
    """Paths of parts that were missing or unreadable, and of values outside their set.

    `all_missing` says that the whole object the paths begin at was missing.
    """

    missing: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)
    all_missing: bool = False

    def misses(self, path: str) -> bool:
        """Say whether the value at a path was missing."""
        return self.all_missing or path in self.missing

    def under(self, name: str) -> "Notes":
        """Return the notes on one part, with paths from there on."""
        if not self.missing and not self.outside:
            return Notes(all_missing=self.all_missing)
        return Notes(_under(name, self.missing), _under(name, self.outside), self.misses(name))


def _under(name: str, paths: list[str]) -> list[str]:
    start = f"{name}."
    return [path.removeprefix(start) for path in paths if path.startswith(start)]
