"""The analysis of a record that was planned, perhaps long ago."""

from consumers.core.faults import Rejected
from consumers.core.media import media_of
from schemas.analyses import Registry
from schemas.shapes.analysis import Analysis


def planned_analysis(analyses: Registry, name: str, s3_key: str, kind: str = "") -> Analysis:
    """Find what is asked of a file; raises Rejected, with what a person can do, for a type known no more.

    Without ``kind`` the key's ending tells what the file is.
    """
    known = kind or _kind_of(s3_key)
    found = analyses.find(name, known) if known else None
    if found is None:
        raise Rejected(
            f"analysis type {name!r} of {s3_key} left the registry: put its file back into "
            "NOVABATCH_ANALYSES_DIR of every process and start them again",
            "unknown_analysis_type",
        )
    return found


def _kind_of(s3_key: str) -> str:
    media = media_of(s3_key)
    return media.kind if media else ""
