"""From a planned file to the records it needs."""

from consumers.core.cutting import Item
from consumers.core.rows import Batch, NewFile, NewRecord
from schemas.analyses import Registry
from schemas.models import Model


def item(batch: Batch, file: NewFile, model: Model, analyses: Registry) -> Item | None:
    """Return a file with the records that are to be bought for it, or None where all is reused."""
    needed = [name for name in file.analysis_types if name not in file.reused]
    tokens = {name: first_max_tokens(batch, name, file.kind, model, analyses) for name in needed}
    records = tuple(NewRecord(file.position, name, 1, most) for name, most in tokens.items())
    if not records:
        return None
    return Item(file.position, file.file_id, file.s3_key, file.size_bytes, records, file.tokens)


def first_max_tokens(batch: Batch, name: str, kind: str, model: Model, analyses: Registry) -> int:
    """Return how long an answer may be: as the request or the analysis says, within the model's limit."""
    asked = batch.terms.options.max_tokens
    known = analyses.find(name, kind)
    default = known.inference.max_tokens if known else model.max_output_tokens
    return min(asked or default, model.max_output_tokens)
