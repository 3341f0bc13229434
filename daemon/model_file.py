"""The model table as the settings have it: the built-in models, changed by MODELS_FILE."""

from daemon.settings import BadSettings, Settings
from schemas.models import ModelTable, load_models


def read_models(settings: Settings) -> ModelTable:
    """Build the table; raises BadSettings or BadModelTable with what to write."""
    file = settings.models_file
    try:
        text = file.read_text() if file else None
    except (OSError, UnicodeDecodeError) as error:
        raise BadSettings(
            f"NOVABATCH_MODELS_FILE: {file} cannot be read: {error}. Correct the path, or unset it"
        ) from error
    return load_models(
        text,
        slots=settings.slots,
        min_records=settings.min_records,
        max_file_bytes=settings.max_file_bytes,
    )
