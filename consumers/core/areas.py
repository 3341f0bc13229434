"""What a key of the bucket is there for, told by its name."""

from enum import StrEnum

from consumers.core import layout


class Area(StrEnum):
    """A part of the bucket. LEGACY is what an earlier system left: it goes on demand only."""

    ORIGINALS = "originals"
    BATCH_FOLDERS = "batch_folders"
    OUTPUT = "output"
    RESULTS = "results"
    LEGACY = "legacy"


def area_of(key: str) -> Area:
    """Tell which part of the bucket a key lies in; whatever is not known to be ours is an original."""
    if key.startswith(layout.INPUT_ROOT):
        return Area.BATCH_FOLDERS
    if key.startswith(layout.RESULTS_ROOT):
        return Area.RESULTS
    if key.startswith(layout.OUTPUT_ROOT) and layout.folder_of(key) is not None:
        return Area.OUTPUT
    is_old = layout.is_ours(key) or layout.legacy_place(key) is not None
    return Area.LEGACY if is_old else Area.ORIGINALS
