"""All analyses of a kind in one record: the file is read, and paid for, once."""

from schemas.analyses import (
    chapters,
    description,
    elements,
    search_metadata,
    summary,
    waterfall_classification,
)
from schemas.shapes import Analysis, Inference, Kind
from schemas.shapes.analysis import compose

VIDEO = (summary, chapters, elements, waterfall_classification, search_metadata)
IMAGE = (description, elements, waterfall_classification, search_metadata)

_INFERENCE = Inference(4096, 0.2, 0.9)


def _of(kind: Kind, modules: tuple[object, ...]) -> list[Analysis]:
    analyses = [each for module in modules for each in getattr(module, "ANALYSES", ())]
    return [each for each in analyses if each.kind == kind]


ANALYSES = (
    compose("combined", Kind.VIDEO, _of(Kind.VIDEO, VIDEO), _INFERENCE),
    compose("combined", Kind.IMAGE, _of(Kind.IMAGE, IMAGE), _INFERENCE),
)
