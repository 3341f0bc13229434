"""The analysis types as the settings have them: the built-in ones, and the files of ANALYSES_DIR."""

from collections.abc import Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from daemon.settings import BadSettings, Settings
from schemas.analyses import REGISTRY, Registry
from schemas.shapes.analysis import Analysis


def read_analyses(settings: Settings) -> Registry:
    """Build the registry; raises BadSettings that names the file and what to write in it."""
    folder = settings.analyses_dir
    if folder is None:
        return REGISTRY
    if not folder.is_dir():
        raise BadSettings(f"NOVABATCH_ANALYSES_DIR: {folder} is no folder")
    try:
        return Registry([*REGISTRY, *_declared(folder)])
    except ValueError as error:
        raise BadSettings(f"NOVABATCH_ANALYSES_DIR: {error}") from error


def _declared(folder: Path) -> Iterator[Analysis]:
    for path in sorted(folder.glob("*.py")):
        spec = spec_from_file_location(f"novabatch_analyses.{path.stem}", path)
        if spec is None or spec.loader is None:
            raise ValueError(f"{path} cannot be loaded")
        module = module_from_spec(spec)
        try:
            spec.loader.exec_module(module)
        except Exception as error:
            raise ValueError(f"{path}: {type(error).__name__}: {error}") from error
        yield from getattr(module, "ANALYSES", ())
