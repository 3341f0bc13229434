"""Reading CloudFormation templates, the short forms of their functions written out."""

from functools import cache
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

FOLDER = Path(__file__).resolve().parent.parent / "cloudformation"
RESOURCES, ALARMS, SERVICES = (FOLDER / f"{name}.yaml" for name in ("resources", "alarms", "services"))


class _Loader(yaml.CSafeLoader):  # type: ignore[misc]
    """Reads !Sub and its like."""


def _written_out(loader: _Loader, name: str, node: yaml.Node) -> dict[str, Any]:
    key = name if name in {"Ref", "Condition"} else f"Fn::{name}"
    return {key: _parts(name, _value(loader, node))}


def _parts(name: str, value: Any) -> Any:
    return value.split(".", 1) if name == "GetAtt" and isinstance(value, str) else value


def _value(loader: _Loader, node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    assert isinstance(node, yaml.ScalarNode)
    return loader.construct_scalar(node)


_Loader.add_multi_constructor("!", _written_out)


@cache
def read(path: Path) -> Any:
    """Return a template; kept for the next caller, who must not change it."""
    return yaml.load(path.read_bytes(), _Loader)
