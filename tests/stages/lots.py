"""A batch whose chunks are looked at closely: its files, its folders, what became of them."""

from typing import Any

from consumers.core import layout
from consumers.core.rows import Chunk
from tests.stages.simulation import Simulation

BATCH = layout.batch_id("r")


def refusals(sim: Simulation) -> dict[Any, tuple[str, str]]:
    """Return code and reason of every REFUSED file, by its id."""
    return {
        line["file_id"]: (line["error"]["code"], line["error"]["message"])
        for line in sim.results(BATCH)
        if line["outcome"] == "REFUSED"
    }


def succeeded(sim: Simulation) -> set[Any]:
    return {line["file_id"] for line in sim.results(BATCH) if line["outcome"] == "SUCCEEDED"}


def the_chunk(sim: Simulation, index: int = 0) -> Chunk:
    chunk = sim.store.chunk(layout.chunk_id(BATCH, index))
    assert chunk is not None
    return chunk


def copies_in(sim: Simulation, index: int = 0) -> list[str]:
    """Return the names of the copies in a chunk's folder."""
    prefix = layout.input_prefix(the_chunk(sim, index).folder) + "files/"
    return [key.removeprefix(prefix) for key in sim.objects.keys(prefix)]


def never_measured(files: list[dict[str, Any]], size: int = 1) -> dict[str, Any]:
    """Return what makes the plan believe the sizes a sender gives."""
    return {
        "files": [{**file, "size_bytes": size} for file in files],
        "options": {"reuse": "never"},
    }


def lose(sim: Simulation, number: int = 1) -> None:
    sim.objects.buckets["media"].pop(f"proxy_video/Video, {number}.mov", None)
