"""Adding up what lies in the bucket, by area."""

from collections.abc import Iterable, Iterator, Mapping

from consumers.core import layout
from consumers.core.areas import Area, area_of
from consumers.core.objects import ObjectInfo

CLEANABLE, UNOWNED = "cleanable", "unowned"
AREAS = (Area.ORIGINALS, Area.BATCH_FOLDERS, Area.OUTPUT, Area.RESULTS, CLEANABLE, UNOWNED, Area.LEGACY)


def measure(objects: Iterable[ObjectInfo], folders: Mapping[str, bool]) -> dict[str, dict[str, int]]:
    """Count objects and bytes; ``folders`` are those the store knows, and whether each may be cleaned."""
    counted = {str(area): {"objects": 0, "bytes": 0} for area in AREAS}
    for info in objects:
        for area in _areas(info.key, folders):
            counted[area]["objects"] += 1
            counted[area]["bytes"] += info.bytes
    return counted


def _areas(key: str, folders: Mapping[str, bool]) -> Iterator[str]:
    area = area_of(key)
    yield area
    if area in {Area.BATCH_FOLDERS, Area.OUTPUT}:
        folder = layout.folder_of(key)
        if folder is None or folder not in folders:
            yield UNOWNED
        elif folders[folder]:
            yield CLEANABLE
