"""The answer to a prompt: only the fields it asks for, so that a prompt that forgets one is found out."""

import json
import re
from typing import Any

from deploy.local.bedrock.draw import Draw, fill, names_in
from deploy.local.bedrock.vocabulary import CHAPTER_FIELDS, DIMENSIONS, KINDS

PROSE = "I have looked at what you sent. "
COMBINED_MARKS = ("waterfall_classification", "search_metadata")


def answer(prompt: str, kind: str, seed: str, seconds: float) -> str:
    """Return the model's text for a prompt about a video, an image or nothing."""
    draw = Draw(prompt, seed, seconds)
    found = _object(draw, kind) if kind in KINDS else None
    if not found:
        return PROSE + draw.text(30)
    return _dressed(json.dumps(found, ensure_ascii=False, indent=draw.dice.choice((None, 1, 2))), draw)


def _object(draw: Draw, kind: str) -> dict[str, Any] | None:
    types = KINDS[kind]
    wanted = [name for name in types if draw.asked(name)]
    if len(wanted) >= 3 and any(draw.asked(name) for name in COMBINED_MARKS):
        return {name: _part(draw, kind, name) for name in wanted}
    best = max(types, key=lambda name: _coverage(draw, kind, name))
    if _coverage(draw, kind, best)[0] < 0.5:
        return None
    made = _one(draw, kind, best)
    if best not in made and re.search(rf'"{best}"\s*:', draw.prompt):
        return {best: made}
    return made


def _coverage(draw: Draw, kind: str, analysis: str) -> tuple[float, int]:
    names = names_in(KINDS[kind][analysis]) | (CHAPTER_FIELDS if analysis == "chapters" else set())
    standing = sum(draw.asked(name) for name in names)
    return (standing / len(names) if standing > 1 else 0.0), standing


def _part(draw: Draw, kind: str, analysis: str) -> Any:
    """Return one part of a combined answer; what is called like its only field is that field's value."""
    made = _one(draw, kind, analysis)
    if analysis == "chapters" and not re.search(r'"chapters"\s*:\s*\{', draw.prompt):
        return made.get("chapters", [])
    return made


def _one(draw: Draw, kind: str, analysis: str) -> dict[str, Any]:
    made: dict[str, Any] = fill(KINDS[kind][analysis], draw)
    if analysis == "waterfall_classification" and "confidence" in made:
        _doubt(made)
    return made


def _doubt(made: dict[str, Any]) -> None:
    """Say Unknown where the confidence is too low, with the reason; overall is the smallest."""
    confidence = made["confidence"]
    for name in DIMENSIONS:
        if name in made and confidence.get(name, 1.0) < (0.75 if name == "functional_type" else 0.70):
            made[name] = "Unknown"
            if "unknown_reasons" in made:
                made["unknown_reasons"][name] = "Not clearly visible"
    if "overall" in confidence:
        confidence["overall"] = min(confidence.values())


def _dressed(text: str, draw: Draw) -> str:
    """Put some answers into a fence, and some of those between sentences."""
    chance = draw.dice.random()
    if chance < 0.7:
        return text
    fenced = f"```json\n{text}\n```"
    return (
        fenced
        if chance < 0.85
        else f"Here is the analysis you asked for:\n\n{fenced}\n\nLet me know if you need more."
    )
