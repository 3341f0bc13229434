"""What lies in S3 of each batch, told from one listing, and how its plans begin."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from consumers.core import layout
from consumers.core.layout import KeptName
from consumers.core.plan_reading import Entry, PlanHead, read_plan
from consumers.core.world import World


@dataclass(frozen=True, slots=True)
class Kept:
    """What is stored of one batch: the numbers of its later plans, parts and raw lines, and its ends."""

    batch_id: str
    kinds: frozenset[str]
    rounds: tuple[int, ...]
    splits: tuple[int, ...]
    parts: frozenset[int]
    raws: frozenset[int]

    def has(self, kind: str) -> bool:
        """Tell whether something of a kind is there, by the words of ``KeptName``."""
        return kind in self.kinds

    @property
    def round_plans(self) -> tuple[str, ...]:
        """Return the keys of the plans of later rounds, in order."""
        return tuple(layout.plan_key(self.batch_id, number) for number in self.rounds)

    @property
    def split_plans(self) -> tuple[tuple[int, str], ...]:
        """Return the numbers of chunks that were split, with the keys of their plans, in order."""
        return tuple((number, layout.split_plan_key(self.batch_id, number)) for number in self.splits)


def kept_batches(world: World) -> Iterator[Kept]:
    """List all that is stored, batch by batch."""
    listed = world.objects.list(layout.RESULTS_ROOT)
    names = (name for info in listed if (name := layout.parse_kept(info.key)) is not None)
    for batch_id, mine in groupby(names, key=lambda name: name.batch_id):
        world.checkpoint()
        yield _kept(batch_id, list(mine))


def open_plan(key: str, world: World) -> tuple[PlanHead, Iterator[Entry]]:
    """Begin to read a plan. Raises Rejected for what is none."""
    return read_plan(line for _, line in world.objects.lines(key))


def _kept(batch_id: str, names: list[KeptName]) -> Kept:
    def numbers(kind: str) -> list[int]:
        return sorted(name.number for name in names if name.kind == kind)

    return Kept(
        batch_id,
        frozenset(name.kind for name in names),
        tuple(numbers("round")),
        tuple(numbers("split")),
        frozenset(numbers("part")),
        frozenset(numbers("raw")),
    )
