"""Faults of a running machine make their alerts fire on a real Prometheus, and mending them ends it."""

from contextlib import ExitStack
from pathlib import Path

import pytest

from deploy.local import processes, stack
from tests.e2e.alert_trials import PLACES, TRIALS
from tests.e2e.quicker import quicker, quicker_rule
from tests.e2e.sites import Course, Plan, Site, Trial, site
from tests.test_alerts import ALERTS

WITHIN, CLEAR_WITHIN = 180.0, 300.0
CALM_WITHIN = 90.0


def test_every_alert_is_tried_once() -> None:
    tried = [name for trial in TRIALS for name in trial.names]
    assert sorted(tried) == sorted(ALERTS)


def test_a_quicker_rule_differs_only_in_its_times_and_in_what_is_in_flight_meanwhile() -> None:
    said = 'a{le="300.0"} * 300 > 14.4 * 0.01 and time() - b > 120 and rate(c_rate5m[3d] offset 1h) > 1e11'
    quick = (
        'a{le="5.0"} * 5 > 14.4 * 0.01 and time() - b > 2 and rate(c_rate5m[4320000ms] offset 60000ms) > 1e11'
    )
    assert quicker(said, 60) == quick
    assert (
        quicker("received > 96000 and 1 > 960000 and x960 > 0.2", 60)
        == "received > 1600 and 1 > 960000 and x960 > 0.2"
    )
    days = {"alert": "A", "expr": "novabatch_job_timeout_seconds > 2 * 86400", "for": "2m"}
    expected = {**days, "expr": "(novabatch_job_timeout_seconds / 60) > 2 * 1440", "for": "2000ms"}
    assert quicker_rule(days, 60) == expected


@pytest.mark.endurance
@pytest.mark.timeout(900)
def test_every_alert_fires_within_three_minutes_of_its_fault_and_clears_when_it_is_mended(
    tmp_path: Path, prometheus: Path
) -> None:
    with ExitStack() as running:
        courses = []
        for name, plan in PLACES.items():
            here = running.enter_context(site(tmp_path / name, prometheus, plan))
            courses.append(Course(here, [trial for trial in TRIALS if trial.place == name]))
        strike(courses, CALM_WITHIN)
        go_through(courses)


def test_a_dead_letter_makes_its_alert_fire_and_taking_it_away_ends_it(
    tmp_path: Path, prometheus: Path
) -> None:
    def fault(here: Site) -> None:
        here.send(stack.STATE_QUEUE, "{}")

    def cure(here: Site) -> None:
        here.machine.sqs.purge_queue(QueueUrl=here.url(f"{stack.STATE_QUEUE}-dlq"))

    trial = Trial("DeadLetters", "", fault, cure)
    with site(tmp_path / "site", prometheus, Plan(roles={"job_state": "job_state"})) as here:
        course = Course(here, [trial])
        strike([course], 30)
        go_through([course], 30)


def strike(courses: list[Course], calm_within: float) -> None:
    """Switch all faults on, one after the other, looking at all courses meanwhile."""
    for course in courses:
        assert processes.wait_until(course.is_calm, calm_within), course.site.server.firing()
        for trial in course.trials:
            course.strike(trial)
            for each in courses:
                each.look()


def go_through(courses: list[Course], within: float = WITHIN) -> None:
    """Look at all courses in turn until each is over, and tell how long each alert took."""
    going = list(courses)
    while going:
        going = [course for course in going if not course.go_on(within, CLEAR_WITHIN)]
        processes.wait_until(lambda: False, 0.5)
    print()
    for course in courses:
        for name in course.names:
            fired, cleared = course.fired.get(name), course.cleared.get(name)
            print(f"{name:28} fired after {_told(fired)}, cleared after {_told(cleared)}")
    late = [name for course in courses for name in course.names if course.fired.get(name, within) >= within]
    assert not late, f"did not fire in time: {late}"
    stay = [name for course in courses for name in course.names if name not in course.cleared]
    assert not stay, f"did not clear: {stay}"


def _told(seconds: float | None) -> str:
    return "never" if seconds is None else f"{seconds:4.0f} s"
