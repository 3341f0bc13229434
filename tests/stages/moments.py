"""Doing something in the middle of a stage, as another process would."""

from collections.abc import Callable

from tests.fakes.calls import OnCall, ignore
from tests.stages.simulation import Simulation


def at_call(sim: Simulation, *words: str, act: Callable[[], object]) -> None:
    """Act once, at the first call in which all the words stand."""

    def stop() -> None:
        sim.on_call = ignore

    sim.on_call = _once(words, stop, act)


def before_lease(sim: Simulation, *words: str, act: Callable[[], object]) -> None:
    """Act once, after a stage has read the row it works on and before it has taken its lease."""

    def stop() -> None:
        sim.on_hold = ignore

    sim.on_hold = _once(words, stop, act)


def _once(words: tuple[str, ...], stop: Callable[[], None], act: Callable[[], object]) -> OnCall:
    def heard(call: str) -> None:
        if all(word in call for word in words):
            stop()
            act()

    return heard
