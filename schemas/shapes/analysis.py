"""An analysis type: what is asked about a file, and how the answer is read."""

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, get_args

import msgspec

from schemas.inference import Inference
from schemas.kinds import Kind
from schemas.options import Options, SummaryDepth
from schemas.shapes.compiler import reader_of
from schemas.shapes.notes import Notes
from schemas.shapes.prompt import context_json, form_section, frame
from schemas.shapes.reader import NOTHING, Parts
from schemas.shapes.skeleton import skeleton

Rule = Callable[[dict[str, Any], Notes], None]
"""Changes a read result in place, e.g. adds a field that follows from others."""
Wish = Callable[[Options], str]
"""Says in words what the options of a request mean for an analysis."""

_STUMBLES = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


class RuleFailed(Exception):
    """A rule of an analysis stumbled over an answer; the message names the rule and says how."""


@dataclass(frozen=True, slots=True)
class Reading:
    """An answer as read: `result` has every field of the shape, `missing` the paths that were left empty.

    `blank` says that the answer held nothing at all of what was asked for.
    """

    result: dict[str, Any]
    missing: tuple[str, ...]
    blank: bool = False


@dataclass(frozen=True, eq=False)
class Analysis:
    """One analysis type for one kind of media; prompt and reading both follow from `shape`.

    ValueError for a part that cannot be one, with what to write instead.
    """

    name: str
    kind: Kind
    instructions: str
    shape: type[msgspec.Struct]
    inference: Inference
    rules: tuple[Rule, ...] = ()
    wishes: tuple[Wish, ...] = ()
    parts: tuple["Analysis", ...] = ()

    def __post_init__(self) -> None:
        for part, fits, remedy in _CHECKS:
            value = getattr(self, part)
            if not fits(value):
                raise ValueError(f"{part} is {str(value)[:80]!r}: {remedy}")

    def prompt(self, options: Options, context: Mapping[str, object]) -> str:
        """Write the prompt for one file; `context` is what is known of it, as JSON values."""
        before, behind = self.frame(options)
        return before + context_json(context) + behind

    def frame(self, options: Options) -> tuple[str, str]:
        """Write what stands before and behind the context in the prompt of every file."""
        said = [self.instructions, form_section(self._skeleton), *(wish(options) for wish in self.wishes)]
        return frame(self.kind, said, options.language)

    @cached_property
    def prompt_version(self) -> str:
        """Twelve hex digits that change whenever prompt, shape or inference settings change."""
        asked = [Options(summary_depth=depth, language=language) for depth, language in _VARIANTS]
        texts = [self.prompt(options, {}) for options in asked]
        shape = json.dumps(msgspec.json.schema(self.shape), sort_keys=True)
        return hashlib.sha256("\0".join([*texts, shape, repr(self.inference)]).encode()).hexdigest()[:12]

    def inference_for(self, options: Options) -> Inference:
        """Return how the model is run: the analysis's own settings, overridden by what the options name."""
        own = self.inference
        return Inference(
            own.max_tokens if options.max_tokens is None else options.max_tokens,
            own.temperature if options.temperature is None else options.temperature,
            own.top_p if options.top_p is None else options.top_p,
        )

    def read_text(self, text: str) -> Reading | None:
        """Read text that is JSON exactly of the shape, in one pass; None for all other text.

        RuleFailed where a rule cannot take the answer, here as in `read`.
        """
        if "\\" in text and "\\u0000" in text:
            return None
        try:
            result: dict[str, Any] = msgspec.to_builtins(self._decoder.decode(text))
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return None
        return self._finished(result, Notes())

    def read(self, answer: object) -> Reading:
        """Read a parsed answer, whatever it is: mended where that is safe, empty where nothing is given."""
        notes = Notes()
        result = self._reader.mend(self._unwrapped(answer), "", notes)
        if result is NOTHING:
            notes.missing.extend(self._reader.fields)
            result = self._reader.empty()
        return self._finished(result, notes)

    def _finished(self, result: dict[str, Any], notes: Notes) -> Reading:
        self._reader.derive(result)
        for rule in self.rules:
            self._apply(rule, result, notes)
        missing = tuple(notes.missing)
        return Reading(result, missing, blank=bool(missing) and self._asked_for.issubset(missing))

    def _apply(self, rule: Rule, result: dict[str, Any], notes: Notes) -> None:
        try:
            rule(result, notes)
        except _STUMBLES as error:
            name = getattr(rule, "__name__", "a rule")
            raise RuleFailed(f"{name} of {self.name} failed: {type(error).__name__}: {error}") from error

    def _unwrapped(self, answer: object) -> object:
        """Take the answer out of an envelope: `[{...}]`, or an object that holds only another one."""
        fields = self._reader.fields.keys()
        if isinstance(answer, list) and len(answer) == 1:
            inner = answer[0]
        elif isinstance(answer, dict) and len(answer) == 1 and not fields & answer.keys():
            inner = next(iter(answer.values()))
        else:
            return answer
        return inner if isinstance(inner, dict) and fields & inner.keys() else answer

    @cached_property
    def _reader(self) -> Parts:
        return reader_of(self.shape)

    @cached_property
    def _decoder(self) -> msgspec.json.Decoder[Any]:
        return msgspec.json.Decoder(self.shape)

    @cached_property
    def _asked_for(self) -> frozenset[str]:
        return frozenset(self._reader.fields) - self._reader.optional

    @cached_property
    def _skeleton(self) -> str:
        return skeleton(self.shape)


def _is_name(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[a-z0-9_]{1,64}", value) is not None


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_shape(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, msgspec.Struct)


def _are_functions(value: object) -> bool:
    return isinstance(value, tuple) and all(map(callable, value))


_CHECKS: Sequence[tuple[str, Callable[[object], bool], str]] = (
    ("name", _is_name, "write 1 to 64 characters of a-z, 0-9 and _"),
    ("kind", lambda value: value in tuple(Kind), "write Kind.VIDEO or Kind.IMAGE"),
    ("instructions", _is_text, "write what is asked about the file"),
    ("shape", _is_shape, "give a class derived from Shape"),
    ("inference", lambda value: isinstance(value, Inference), "give an Inference(max_tokens, ...)"),
    ("rules", _are_functions, "give a tuple of functions, as in (one,)"),
    ("wishes", _are_functions, "give a tuple of functions, as in (one,)"),
)
_VARIANTS = [(depth, language) for depth in get_args(SummaryDepth) for language in ("auto", "xx")]


def compose(name: str, kind: Kind, parts: Sequence[Analysis], inference: Inference) -> Analysis:
    """Put several analyses of a kind into one: one answer with a part each, under the part's name."""
    shape = msgspec.defstruct(
        f"{name.title()}{kind.title()}",
        [(part.name, part.shape) for part in parts],
    )
    return Analysis(
        name,
        kind,
        "\n\n".join(f"{part.name}: {part.instructions}" for part in parts),
        shape,
        inference,
        rules=tuple(_within(part.name, rule) for part in parts for rule in part.rules),
        wishes=tuple(wish for part in parts for wish in part.wishes),
        parts=tuple(parts),
    )


def _within(name: str, rule: Rule) -> Rule:
    def on_part(result: dict[str, Any], notes: Notes) -> None:
        rule(result[name], notes.under(name))

    return on_part
