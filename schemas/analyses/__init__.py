"""The analysis types, one file each; a new type is one new file with its `ANALYSES` in this folder."""

from collections.abc import Iterable, Iterator
from importlib import import_module
from pkgutil import iter_modules

from schemas.shapes import Analysis


class Registry:
    """Analysis types by name and kind of media."""

    def __init__(self, analyses: Iterable[Analysis]) -> None:
        self._analyses: dict[tuple[str, str], Analysis] = {}
        for each in analyses:
            if self._analyses.setdefault((each.name, each.kind), each) is not each:
                raise ValueError(f"The analysis {each.name!r} for {each.kind} is declared twice. Rename one.")
        self.names: tuple[str, ...] = tuple(sorted({name for name, _ in self._analyses}))

    def __iter__(self) -> Iterator[Analysis]:
        return iter(self._analyses.values())

    def find(self, name: str, kind: str) -> Analysis | None:
        """Return the analysis of this name for `video` or `image`, or None where there is none."""
        return self._analyses.get((name, kind))

    def parts_of(self, name: str, kind: str) -> tuple[str, ...]:
        """Return the names of what an analysis is composed of, in order; none if it is a single one."""
        found = self.find(name, kind)
        return tuple(part.name for part in found.parts) if found else ()


def _declared() -> Iterator[Analysis]:
    for module in iter_modules(__path__):
        yield from import_module(f"{__name__}.{module.name}").ANALYSES


REGISTRY = Registry(_declared())
