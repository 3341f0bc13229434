"""Linking results that were bought before, so that nothing is bought twice."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from consumers.core.rows import Batch, NewFile
from consumers.core.world import World
from schemas.analyses import Registry


def reuse(batch: Batch, files: Sequence[NewFile], world: World) -> list[NewFile]:
    """Name for each file the earlier results it needs no record for, unless the request wants none.

    A file without an ETag, or one that was SUCCEEDED under another prompt, model or set of options, is
    bought. Two files of one batch that name the same object are both bought: neither has a result yet.
    """
    known = [file for file in files if file.etag and not file.code]
    if batch.terms.options.reuse == "never" or not known:
        return list(files)
    found = world.store.reusable(batch, _versions(batch, world.analyses), known)
    return [_linked(file, found) for file in files] if found else list(files)


def _linked(file: NewFile, found: Mapping[tuple[int, str], str]) -> NewFile:
    reused = {
        name: found[file.position, name] for name in file.analysis_types if (file.position, name) in found
    }
    return replace(file, reused=reused) if reused else file


def _versions(batch: Batch, analyses: Registry) -> dict[tuple[str, str], str]:
    """Return the versions of the prompts that the batch would send, by kind and analysis type."""
    asked = batch.terms.analysis_types
    return {(each.kind, each.name): each.prompt_version for each in analyses if each.name in asked}
