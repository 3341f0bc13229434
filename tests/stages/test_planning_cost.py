"""What a page of a plan asks of its database does not grow with the pages before it."""

from itertools import pairwise

import pytest

from tests.bench.planning import ManyObjects, Planner
from tests.contracts.working import work_of
from tests.stages.simulation import Simulation


@pytest.mark.parametrize("source", ["list", "prefix"])
def test_a_page_of_files_costs_the_same_however_many_were_read_before_it(
    sim: Simulation, source: str
) -> None:
    with work_of(sim.store.database.engine) as counted:
        marks: list[tuple[int, int]] = []
        objects = ManyObjects(4_000, on_thousand=lambda: marks.append((counted[0], counted[1])))
        Planner(sim.store, objects).plan(source)
    pages = [(after[0] - at[0], after[1] - at[1]) for at, after in pairwise(marks)]
    (few, little), (many, much) = pages[0], pages[-1]
    assert len(pages) == 3
    assert many <= few
    assert much <= 1.05 * little, pages
