"""Values that look chosen by a model, the same for the same record in every run."""

import hashlib
import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

NARRATION = (
    "the crew places a large boulder beside the upper pool while water runs over the edge and a worker "
    "explains how liner pump skimmer and pipe fit together before the camera moves along the stream to show "
    "rock gravel and plants that frame the finished feature in warm afternoon light"
)
WORDS = NARRATION.split(" ")
NAMES = ("Smith", "Garcia", "Nakamura", "Olsen", "Meyer", "Rossi", "Dubois", "Novak")
PLACES = ("Phoenix", "Austin", "Tampa", "Denver", "Boise", "Raleigh")
NOT_TAUGHT = ("Rustic Cascade", "Freeform", "Other", "Mixed")


class Draw:
    """A prompt, a seed, and what is drawn from them."""

    def __init__(self, prompt: str, seed: str, seconds: float) -> None:
        self.prompt = prompt
        self.seconds = max(1, int(seconds))
        self.dice = random.Random(hashlib.sha256(seed.encode()).digest())
        self._words = frozenset(re.findall(r"\w+", prompt))

    def asked(self, name: str) -> bool:
        """Tell whether a field or value stands in the prompt."""
        return name in self._words if name.isidentifier() else name in self.prompt

    def phrase(self, low: int = 2, high: int = 5) -> str:
        """Return a few words."""
        return " ".join(self.dice.choices(WORDS, k=self.dice.randint(low, high))).capitalize()

    def text(self, words: int) -> str:
        """Return sentences of about so many words."""
        count = max(1, words // 12)
        return " ".join(self.phrase(9, 12) + "." for _ in range(count))

    def time(self, at: float) -> str:
        """Write a moment as MM:SS or HH:MM:SS."""
        minutes, seconds = divmod(int(at), 60)
        hours, minutes = divmod(minutes, 60)
        return f"{hours:02}:{minutes:02}:{seconds:02}" if hours else f"{minutes:02}:{seconds:02}"

    def time_range(self) -> str:
        """Return a stretch of the video."""
        start, end = sorted(self.dice.randint(0, self.seconds) for _ in range(2))
        return f"{self.time(start)}-{self.time(end)}"

    def share(self, low: float = 0.55) -> float:
        """Return a number up to 1 with two digits."""
        return round(self.dice.uniform(low, 0.99), 2)


Leaf: TypeAlias = Callable[[Draw], Any]


@dataclass(frozen=True)
class OneOf:
    """A value of a fixed set; the set must stand in the prompt to be known."""

    values: tuple[str, ...]

    def __call__(self, draw: Draw) -> str:
        """Draw from the values the prompt names; without any, invent one."""
        return draw.dice.choice([value for value in self.values if draw.asked(value)] or list(NOT_TAUGHT))


@dataclass(frozen=True)
class Some:
    """A list of a few things of one kind."""

    item: "Spec"
    low: int = 1
    high: int = 3

    def __call__(self, draw: Draw) -> list[Any]:
        """Draw the list."""
        made = [fill(self.item, draw) for _ in range(draw.dice.randint(self.low, self.high))]
        return [each if each != {} else draw.phrase() for each in made]


Spec: TypeAlias = "Leaf | Mapping[str, Spec]"


def fill(spec: Spec, draw: Draw) -> Any:
    """Draw a value for a spec; of an object only the fields that stand in the prompt."""
    if isinstance(spec, Mapping):
        return {name: fill(each, draw) for name, each in spec.items() if draw.asked(name)}
    return spec(draw)


def names_in(spec: object) -> set[str]:
    """Return every field name in a spec."""
    if isinstance(spec, Some):
        return names_in(spec.item)
    if not isinstance(spec, Mapping):
        return set()
    return set(spec).union(*(names_in(each) for each in spec.values()))


def phrase(draw: Draw) -> str:
    """Draw a few words."""
    return draw.phrase()


def sentence(draw: Draw) -> str:
    """Draw a sentence or two."""
    return draw.text(20)


def time_range(draw: Draw) -> str:
    """Draw a stretch of the video."""
    return draw.time_range()


def share(draw: Draw) -> float:
    """Draw a confidence."""
    return draw.share()


def flag(draw: Draw) -> bool:
    """Draw true or false."""
    return draw.dice.random() < 0.5


def number(low: int, high: int) -> Leaf:
    """Return a leaf that draws a whole number."""
    return lambda draw: draw.dice.randint(low, high)


def pick(values: Sequence[Any]) -> Leaf:
    """Return a leaf that draws one of the values, named in the prompt or not."""
    return lambda draw: draw.dice.choice(values)
