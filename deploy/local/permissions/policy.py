"""Whether policies allow a call: actions, resources, conditions. A denial counts more than any permission."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any


@dataclass(frozen=True, slots=True)
class Asked:
    """What a call needs: one action on one resource, by ARN, and what AWS knows of the call beside."""

    action: str
    resource: str
    context: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, order=True)
class Grant:
    """One action on one pattern of resources, as a statement allows it."""

    sid: str
    action: str
    resource: str


class Policies:
    """The statements of all policies of one caller."""

    def __init__(self, documents: Iterable[Mapping[str, Any]]) -> None:
        self._statements = [each for document in documents for each in _listed(document["Statement"])]

    def grants(self) -> set[Grant]:
        """Return all that is allowed."""
        return {
            Grant(each.get("Sid", ""), action, resource)
            for each in self._statements
            if each["Effect"] == "Allow"
            for action in _listed(each["Action"])
            for resource in _listed(each["Resource"])
        }

    def allowing(self, asked: Asked) -> set[Grant]:
        """Return what allows it; nothing if nothing does, or if something denies it."""
        meeting = [each for each in self._statements if _holds(each.get("Condition", {}), asked.context)]
        if any(each["Effect"] == "Deny" and any(_met(each, asked)) for each in meeting):
            return set()
        return {grant for each in meeting if each["Effect"] == "Allow" for grant in _met(each, asked)}


def _met(statement: Mapping[str, Any], asked: Asked) -> Iterator[Grant]:
    for action in _listed(statement["Action"]):
        if _pattern(action.lower()).fullmatch(asked.action.lower()):
            for resource in _listed(statement["Resource"]):
                if _pattern(resource).fullmatch(asked.resource):
                    yield Grant(statement.get("Sid", ""), action, resource)


def _holds(condition: Mapping[str, Any], context: Mapping[str, str]) -> bool:
    """All operators and all their keys must hold; of several values one is enough (AWS: IAM)."""
    return all(
        _compares(operator, _listed(values), context.get(key))
        for operator, keys in condition.items()
        for key, values in keys.items()
    )


def _compares(operator: str, values: Sequence[str], found: str | None) -> bool:
    name, if_exists = operator.removesuffix("IfExists"), operator.endswith("IfExists")
    if found is None:
        return if_exists
    match name:
        case "StringEquals" | "Bool":
            return found in values
        case "StringLike" | "ArnLike" | "ArnEquals":
            return any(_pattern(value).fullmatch(found) for value in values)
    raise ValueError(f"no such condition is known here: {operator}")


@cache
def _pattern(text: str) -> re.Pattern[str]:
    """Read a pattern of IAM, where a star stands for any characters and a question mark for one."""
    parts = {"*": ".*", "?": "."}
    return re.compile("".join(parts.get(each) or re.escape(each) for each in text), re.DOTALL)


def _listed(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else [value]
