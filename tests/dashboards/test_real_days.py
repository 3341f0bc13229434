"""Every panel over two real days of the demo: what differs on the bad one, and what equals the store."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from deploy.grafana.__main__ import DASHBOARDS
from deploy.grafana.proof import PROOFS, Counted, Higher, Known, More, Named, Peak, Proof
from deploy.local.demo import BadDay
from deploy.local.demo.day import Day
from deploy.local.demo.originals import made_here
from deploy.local.media import make_media
from tests.dashboards.days import Watched, day, measure_the_bucket
from tests.dashboards.drawing import Camera, browser
from tests.dashboards.evening import worsen
from tests.dashboards.shown import Shown, panels, show
from tests.dashboards.truth import Numbers, Truth

pytestmark = [pytest.mark.endurance, pytest.mark.timeout(900)]
OURS = [(dashboard.uid, panel.title) for dashboard in DASHBOARDS for panel in panels(dashboard)]
Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Kept:
    """What was seen of a day: each panel, the numbers it must equal, and how each panel was drawn."""

    shown: Mapping[Key, Shown]
    numbers: Mapping[str, Numbers]
    drawn: Mapping[Key, str]


@pytest.fixture(scope="module")
def days(prometheus: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Kept, Kept]]:
    """A quiet day and a bad one, in this order."""
    folder = tmp_path_factory.mktemp("days")
    files = made_here(make_media(folder / "media"), folder / "media")
    kinds: tuple[tuple[type[Day], Callable[[Watched], None]], ...] = ((Day, lambda _: None), (BadDay, worsen))
    kept = []
    for kind, evening in kinds:
        begin = time.time()
        with day(prometheus, folder / kind.__name__, kind, files) as watched:
            evening(watched)
            measure_the_bucket(watched)
            kept.append(_keep(watched, begin))
    yield kept[0], kept[1]


def _keep(watched: Watched, begin: float) -> Kept:
    end = float(watched.server.query("vector(time())")[0][1])
    truth = Truth(watched)
    wanted = {proof.number for line in PROOFS.values() for proof in line.values() if hasattr(proof, "number")}
    numbers = {name: truth[name] for name in wanted}
    truth.close()
    shown = {
        (dashboard.uid, panel.title): show(watched.server, panel, begin, end)
        for dashboard in DASHBOARDS
        for panel in panels(dashboard)
    }
    return Kept(shown, numbers, _draw(Camera(browser() or "", watched.server.url, begin, end)))


def _draw(camera: Camera) -> Mapping[Key, str]:
    if not camera.program:
        return {}
    return {(each.uid, title): state for each in DASHBOARDS for title, state in camera.states(each).items()}


@pytest.mark.parametrize(("uid", "title"), OURS)
def test_a_panel_differs_on_a_bad_day_or_equals_what_the_store_tells(
    days: tuple[Kept, Kept], uid: str, title: str
) -> None:
    quiet, bad = days
    proof = PROOFS[uid][title]
    _hold(proof, quiet.shown[uid, title], bad.shown[uid, title])
    for kept in days:
        _compare(proof, kept.shown[uid, title], kept.numbers)


def _hold(proof: Proof, quiet: Shown, bad: Shown) -> None:
    match proof:
        case Higher(times):
            assert bad.highest > 0
            assert bad.highest >= times * quiet.highest
        case More(times):
            assert sum(bad.areas().values()) > 0
            assert sum(bad.areas().values()) >= times * sum(quiet.areas().values())
        case Named(name):
            assert any(f"{each} ".startswith(f"{name} ") for each in bad.names - quiet.names)


def _compare(proof: Proof, shown: Shown, numbers: Mapping[str, Numbers]) -> None:
    match proof:
        case Known(number, within):
            assert shown.last or not any(numbers[number].values())
            _equal(shown.last, numbers[number], within, {*shown.last, *numbers[number]})
        case Counted(number, within):
            _equal(shown.areas(), numbers[number], within, numbers[number])
        case Peak(number):
            assert shown.lines
            _equal(shown.peaks(), numbers[number], 0.01, shown.lines)


def _equal(found: Numbers, wanted: Numbers, within: float, names: Iterable[str]) -> None:
    """Compare by name; what is not there is zero on either side."""
    for name in names:
        there, known = found.get(name, 0.0), wanted.get(name, 0.0)
        assert there == pytest.approx(known, rel=within or 1e-6), (name, found, wanted)


@pytest.mark.skipif(browser() is None, reason="no browser: apt-get install chromium")
@pytest.mark.parametrize("which", [0, 1], ids=["quiet", "bad"])
def test_no_panel_is_drawn_empty(days: tuple[Kept, Kept], which: int) -> None:
    drawn = days[which].drawn
    assert set(drawn) == set(OURS)
    assert [key for key, state in drawn.items() if state not in {"data", "none"}] == []


@pytest.mark.skipif(browser() is None, reason="no browser: apt-get install chromium")
def test_a_bad_day_leaves_no_list_of_troubles_blank(days: tuple[Kept, Kept]) -> None:
    overview = DASHBOARDS[0]
    tables = [panel.title for panel in panels(overview) if panel.kind == "table"]
    states = {title: days[1].drawn[overview.uid, title] for title in tables}
    assert states == dict.fromkeys(tables, "data")
