"""What lies in the bucket, added up by area: for `storage`, and once an hour for the gauges."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import structlog

from consumers.core import layout
from consumers.core.areas import Area, area_of
from consumers.core.faults import Fault
from consumers.core.objects import ObjectInfo
from daemon.clock import Clock

CLEANABLE, UNOWNED = "cleanable", "unowned"
AREAS = (Area.ORIGINALS, Area.BATCH_FOLDERS, Area.OUTPUT, Area.RESULTS, CLEANABLE, UNOWNED, Area.LEGACY)
HOUR = 3600.0
AT_ONCE = 5.0
PAGE = 1000
_log = structlog.get_logger("storage")

Folders = Mapping[str, bool]
"""The folders the store knows, and whether each may be cleaned."""


@dataclass(slots=True)
class Count:
    """Objects and their bytes, and the folders they lie in."""

    objects: int = 0
    bytes: int = 0
    folders: set[str] = field(default_factory=set)

    def add(self, info: ObjectInfo, folder: str | None) -> None:
        """Count one object."""
        self.objects += 1
        self.bytes += info.bytes
        if folder is not None:
            self.folders.add(folder)


class Measure:
    """Counts objects one by one; `cleanable` and `unowned` are parts of the folders counted beside them."""

    def __init__(self, folders: Folders) -> None:
        self._known = folders
        self.areas = {str(area): Count() for area in AREAS}
        self.names: dict[str, dict[str, Count]] = {UNOWNED: {}, str(Area.LEGACY): {}}
        self.manifests = 0

    def add(self, info: ObjectInfo) -> None:
        """Count one object."""
        folder = layout.folder_of(info.key)
        for name in _areas(info.key, folder, self._known):
            self.areas[name].add(info, folder)
            stranger = _name_in(name, info.key)
            if stranger is not None:
                self.names[name].setdefault(stranger, Count()).add(info, None)
        self.manifests += folder is not None and info.key == layout.manifest_key(folder)

    def document(self) -> dict[str, dict[str, Any]]:
        """Describe it: with the numbers of folders, and the names of what is nobody's."""
        told: dict[str, dict[str, Any]] = {name: _described(count) for name, count in self.areas.items()}
        inputs = self.areas[Area.BATCH_FOLDERS]
        told[Area.BATCH_FOLDERS] |= {
            "folders": len(inputs.folders),
            "media": inputs.objects - self.manifests,
            "manifests": self.manifests,
        }
        told[CLEANABLE]["jobs"] = len(self.areas[CLEANABLE].folders)
        for area, names in self.names.items():
            told[area]["names"] = {name: _described(count) for name, count in names.items()}
        return told


def _described(count: Count) -> dict[str, int]:
    return {"objects": count.objects, "bytes": count.bytes}


def _name_in(area: str, key: str) -> str | None:
    """Find the name by which a person can have a key of an area deleted."""
    if area == UNOWNED:
        return layout.unowned_folder(key)
    return layout.legacy_place(key) if area == Area.LEGACY else None


def _areas(key: str, folder: str | None, known: Folders) -> Iterator[str]:
    area = area_of(key)
    yield area
    if area in {Area.BATCH_FOLDERS, Area.OUTPUT}:
        if folder is None or folder not in known:
            yield UNOWNED
        elif known[folder]:
            yield CLEANABLE


class StorageFigures:
    """The same for the gauges: measured anew every hour, for a listing costs money and takes long.

    Each ``read`` goes on with it for a few seconds and returns the last whole measure, so that nothing
    waits for a large bucket.
    """

    def __init__(
        self,
        objects: Callable[[], Iterator[ObjectInfo]],
        folders: Callable[[], Folders],
        clock: Clock,
        at_once: float = AT_ONCE,
    ) -> None:
        self._list, self._folders = objects, folders
        self._clock, self._at_once = clock, at_once
        self._next = clock.monotonic()
        self._left: Iterator[ObjectInfo] | None = None
        self._figures: dict[str, dict[tuple[str, ...], float]] = {}

    def read(self) -> Mapping[str, Mapping[tuple[str, ...], Any]]:
        """Return objects and bytes by area; nothing before the first measure is through."""
        try:
            self._go_on()
        except Fault as fault:
            self._left = None
            _log.warning("storage_not_measured", why=fault.message)
        return self._figures

    def _go_on(self) -> None:
        if self._left is None:
            if self._clock.monotonic() < self._next:
                return None
            self._next = self._clock.monotonic() + HOUR
            self._measure, self._left = Measure(self._folders()), self._list()
        until = self._clock.monotonic() + self._at_once
        while self._clock.monotonic() < until:
            page = list(islice(self._left, PAGE))
            for info in page:
                self._measure.add(info)
            if len(page) < PAGE:
                return self._end()
        return None

    def _end(self) -> None:
        self._left = None
        areas = self._measure.areas.items()
        self._figures = {
            "storage_objects": {(name,): float(count.objects) for name, count in areas},
            "storage_bytes": {(name,): float(count.bytes) for name, count in areas},
        }
