"""Readers of values: what does not fit is mended where that is safe, else left empty and noted.

No reader knows any particular analysis; a shape's reader is compiled from its type information.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from schemas.shapes.notes import Notes
from schemas.shapes.text import storable
from schemas.shapes.times import range_seconds

NOTHING: Any = object()
"""What `mend` returns where a value cannot be read; None is a value of JSON."""


class Reader:
    """Reads values of one type; `mend` and `empty` are what the kinds of types differ in."""

    def empty(self) -> Any:
        """Return what stands for a missing value."""
        return ""

    def mend(self, value: Any, path: str, notes: Notes) -> Any:
        """Return the value as the type wants it, or NOTHING."""
        raise NotImplementedError

    def read(self, value: Any, path: str, notes: Notes) -> Any:
        """Return the value as the type wants it; else note its path and return what is empty."""
        mended = NOTHING if value is None else self.mend(value, path, notes)
        if mended is NOTHING:
            notes.missing.append(path)
            return self.empty()
        return mended

    def derive(self, value: Any) -> None:
        """Add to a read value, in place, what follows from it: the seconds of its time ranges."""

    def derives(self) -> bool:
        """Say whether `derive` may add anything."""
        return False

    def holds_ranges(self) -> bool:
        """Say whether the read value is a list of time ranges."""
        return False


@dataclass(frozen=True, slots=True)
class Many(Reader):
    """A list; a single value is a list of one, an item that cannot be read is left out and noted."""

    item: Reader
    ranges: bool = False

    def empty(self) -> list[Any]:
        """Return no items."""
        return []

    def mend(self, value: Any, path: str, notes: Notes) -> Any:
        """Return the readable items."""
        if not isinstance(value, list):
            one = NOTHING if value in ("", {}) else self.item.mend(value, path, notes)
            return NOTHING if one is NOTHING else [one]
        items = []
        for position, each in enumerate(value):
            here = f"{path}[{position}]"
            item = NOTHING if each is None else self.item.mend(each, here, notes)
            if item is NOTHING:
                notes.missing.append(here)
            else:
                items.append(item)
        return items

    def derive(self, value: Any) -> None:
        """Add to each item."""
        for item in value:
            self.item.derive(item)

    def derives(self) -> bool:
        """Say whether the items have anything to add."""
        return self.item.derives()

    def holds_ranges(self) -> bool:
        """Say whether the items are time ranges."""
        return self.ranges


@dataclass(frozen=True, slots=True)
class Table(Reader):
    """An object whose names are free."""

    item: Reader

    def empty(self) -> dict[str, Any]:
        """Return no entries."""
        return {}

    def mend(self, value: Any, path: str, notes: Notes) -> Any:
        """Return the readable entries; what cannot be read is left out and noted."""
        if not isinstance(value, dict):
            return NOTHING
        read: dict[str, Any] = {}
        for key, entry in value.items():
            name = storable(str(key))
            mended = self.item.mend(entry, f"{path}.{name}", notes)
            if mended is NOTHING:
                notes.missing.append(f"{path}.{name}")
            else:
                read[name] = mended
        return read


@dataclass(frozen=True, slots=True)
class Optional(Reader):
    """A value or null; null is nothing missing."""

    inner: Reader

    def empty(self) -> None:
        """Return null."""

    def read(self, value: Any, path: str, notes: Notes) -> Any:
        """Return null for null."""
        return None if value is None else Reader.read(self, value, path, notes)

    def mend(self, value: Any, path: str, notes: Notes) -> Any:
        """Return the value as the inner type wants it."""
        return self.inner.mend(value, path, notes)


@dataclass(frozen=True, slots=True)
class Either(Reader):
    """A value of one of several types, tried in order."""

    options: tuple[Reader, ...]

    def empty(self) -> Any:
        """Return what is empty in the first type, the one asked for."""
        return self.options[0].empty()

    def mend(self, value: Any, path: str, notes: Notes) -> Any:
        """Return the value as the first type that can read it wants it."""
        for option in self.options:
            mended = option.mend(value, path, notes)
            if mended is not NOTHING:
                return mended
        return NOTHING


class Parts(Reader):
    """An object with named fields: exactly these come out, in this order."""

    def __init__(self, fields: Mapping[str, Reader], optional: frozenset[str], main: str | None) -> None:
        self.fields = fields
        self.optional = optional
        self._main = main
        self._deriving = [(name, reader) for name, reader in fields.items() if reader.derives()]
        self._ranges = [name for name, reader in fields.items() if reader.holds_ranges()]
        self._spans = {"start_time", "end_time"} <= fields.keys()

    def empty(self) -> dict[str, Any]:
        """Return all fields, each empty."""
        return {name: reader.empty() for name, reader in self.fields.items()}

    def mend(self, value: Any, path: str, notes: Notes) -> Any:
        """Return all fields, read from the object that the value is or stands for."""
        given = self._object(value)
        if given is None:
            return NOTHING
        start = f"{path}." if path else ""
        read: dict[str, Any] = {}
        for name, reader in self.fields.items():
            part = given.get(name)
            if part is None and name in self.optional:
                read[name] = reader.empty()
            else:
                read[name] = reader.read(part, start + name, notes)
        return read

    def _object(self, value: Any) -> dict[str, Any] | None:
        if isinstance(value, dict):
            return value
        if isinstance(value, list):
            return self._of_list(value)
        return None if self._main is None else {self._main: value}

    def _of_list(self, value: list[Any]) -> dict[str, Any] | None:
        only = next(iter(self.fields))
        if len(self.fields) == 1 and isinstance(self.fields[only], Many):
            return {only: value}
        return value[0] if len(value) == 1 and isinstance(value[0], dict) else None

    def derive(self, value: Any) -> None:
        """Add the seconds of every time range: `time_range_seconds`, and `<field>_seconds` to a list."""
        for name, reader in self._deriving:
            reader.derive(value[name])
        for name in self._ranges:
            value[f"{name}_seconds"] = [range_seconds(each) for each in value[name]]
        if self._spans:
            start, end = value["start_time"], value["end_time"]
            value["time_range_seconds"] = range_seconds(f"{start}-{end}") if start and end else None

    def derives(self) -> bool:
        """Say whether there are time ranges here or below."""
        return bool(self._deriving or self._ranges or self._spans)
