"""Work under a lease whose failures are counted on the row it holds, and what follows when they add up."""

from collections.abc import Callable, Mapping

from consumers.core.faults import Fault, LeaseLost
from consumers.core.rows import Held
from consumers.core.world import Later, Outcome, World, done
from consumers.findings import find

TRIES = 5
FIRST_PAUSE, LONGEST_PAUSE = 10.0, 900.0

Work = Callable[[], Outcome]
GiveUp = Callable[[int, Fault], Outcome]


def attempt(
    held: Held,
    kind: str,
    world: World,
    work: Work,
    give_up: GiveUp | None = None,
    tries: int = TRIES,
    of: type[Fault] = Fault,
) -> Outcome:
    """Do the work; a fault (``of`` a type) is counted on the row by kind, and the row rests.

    Below ``tries`` the message comes again later. Then ``give_up`` decides; without it the row is left to
    the reconciler, which wakes it hourly, and a finding tells a person.
    """
    try:
        return work()
    except LeaseLost:
        raise
    except of as fault:
        count = world.store.failed(held, kind, fault.message, world.now)
        if count < tries:
            return Later(min(FIRST_PAUSE * 2 ** (count - 1), LONGEST_PAUSE), fault.message)
        return give_up(count, fault) if give_up else leave(held, kind, fault.message, world)


def leave(held: Held, kind: str, why: str, world: World) -> Outcome:
    """Leave a row that rests to the reconciler, with a finding that tells a person."""
    return done([find(f"{kind}_failing", held.id, why, world)])


def recover(held: Held, kind: str, failures: Mapping[str, int], world: World) -> None:
    """Count failures from nought after work that was done at last, if there were any."""
    if failures.get(kind):
        world.store.recovered(held, kind)
