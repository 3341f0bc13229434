"""Each of five failures colours the tile that names it, and none of the tiles that name the others."""

from pathlib import Path

import pytest

from deploy.grafana.panel import Panel
from deploy.grafana.wellness import WELL
from tests.dashboards.failures import FAILURES, Seen, failing
from tests.dashboards.shown import show

WELL_SECONDS, ILL_SECONDS = 12.0, 45.0
NAMED_BY = {
    "dead-consumer": "Consumers",
    "throttled-bedrock": "Submissions stopped",
    "poisoned-queue": "Dead letters",
    "full-slots": "Slots in use",
    "lost-events": "Job events missed",
}


@pytest.mark.endurance
@pytest.mark.timeout(240)
@pytest.mark.parametrize("failure", FAILURES)
def test_a_failure_is_named_by_its_tile_and_by_no_other(
    prometheus: Path, tmp_path: Path, failure: str
) -> None:
    with failing(prometheus, tmp_path, FAILURES[failure], WELL_SECONDS, ILL_SECONDS) as seen:
        coloured = {panel.title for panel in WELL.panels if is_coloured(panel, seen)}
    assert coloured & {*NAMED_BY.values()} == {NAMED_BY[failure]}


def is_coloured(panel: Panel, seen: Seen) -> bool:
    """Tell whether a tile is anything but green."""
    values = show(seen.server, panel, seen.begin, seen.end).last.values()
    assert values, panel.title
    return any(colour(panel, value) != "green" for value in values)


def colour(panel: Panel, value: float) -> str:
    """Return the colour that a tile takes for a value: that of the last step it reaches."""
    reached = [name for name, least in panel.steps if value >= least]
    return reached[-1] if reached else panel.base
