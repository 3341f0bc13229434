"""The fields each analysis may ask for, and how a value of each is drawn."""

import re
from typing import Any

from deploy.local.bedrock.draw import (
    NAMES,
    PLACES,
    Draw,
    OneOf,
    Some,
    Spec,
    fill,
    flag,
    number,
    phrase,
    pick,
    sentence,
    share,
    time_range,
)

LEVEL = OneOf(("high", "medium", "low"))
NAME_SOURCE = OneOf(("path", "filename", "transcript", "visual", "unknown"))
DEPTH = re.compile(r"\bdepth\b[^\n<]{0,40}?\b(brief|standard|detailed)\b")
LANGUAGE = re.compile(r"\blanguage\b[^\n<]{0,30}?(?:\bcode |\": \")([a-z]{2})\b")
DEPTH_WORDS = {"brief": 45, "standard": 150, "detailed": 400}
DIMENSIONS = {
    "family": OneOf(("Custom Natural Stone", "Custom Formal", "Genesis Natural", "Genesis Formal")),
    "tier_level": OneOf(("Classic (Small)", "Deluxe (Medium)", "Ultimate (Large)")),
    "functional_type": OneOf(("Waterfall", "Waterfall with Slide", "Grotto", "Grotto with Slide")),
    "sub_type": OneOf(("One-Tier", "Two-Tier", "Two-Tier Split", "Three-Tier", "Cantilever")),
}
CONTENT_TYPES = OneOf(
    (
        "product_overview",
        "installation_tutorial",
        "building_demonstration",
        "troubleshooting",
        "comparison",
        "review",
    )
)
SKILLS = OneOf(("beginner", "intermediate", "advanced", "professional"))


def _depth(draw: Draw) -> str:
    found = DEPTH.search(draw.prompt)
    return found.group(1) if found else "standard"


def _language(draw: Draw) -> str:
    found = LANGUAGE.search(draw.prompt)
    return found.group(1) if found else "en"


def _level(draw: Draw) -> str | float:
    """Say a confidence in words where the prompt offers the words, else as a number."""
    return LEVEL(draw) if all(draw.asked(word) for word in LEVEL.values) else draw.share()


def _summary_text(draw: Draw) -> str:
    text = draw.text(DEPTH_WORDS[_depth(draw)])
    # JSON leaves these raw, and str.splitlines would break at them.
    return text.replace(". ", ".\u2028", 1).replace(". ", ".\u0085", 1) if draw.dice.random() < 0.2 else text


def _chapters(draw: Draw) -> list[dict[str, Any]]:
    count = draw.dice.randint(2, 5)
    cuts = [draw.seconds * number // count for number in range(count + 1)]
    spec: Spec = {
        "title": lambda draw: draw.phrase(3, 8),
        "summary": sentence,
        "detailed_summary": lambda draw: draw.text(40),
        "key_points": Some(phrase, 2, 5),
    }
    fixed = [
        {"index": i + 1, "start_time": draw.time(cuts[i]), "end_time": draw.time(cuts[i + 1])}
        for i in range(count)
    ]
    return [{n: v for n, v in each.items() if draw.asked(n)} | fill(spec, draw) for each in fixed]


def _date(draw: Draw) -> str | None:
    day = f"2025-{draw.dice.randint(1, 12):02}-{draw.dice.randint(1, 28):02}"
    return day if draw.dice.random() < 0.7 else None


def _classification(rest: dict[str, Spec]) -> dict[str, Spec]:
    dimensions: dict[str, Spec] = dict(DIMENSIONS)
    confidence: dict[str, Spec] = dict.fromkeys(DIMENSIONS, share)
    return {
        **dimensions,
        "confidence": {**confidence, "overall": share},
        "evidence": Some(phrase),
        "unknown_reasons": lambda _: {},
        "search_tags": Some(phrase, 2, 5),
        "product_keywords": Some(phrase),
        "content_type": CONTENT_TYPES,
        **rest,
    }


ENTITY: Spec = {
    "type": pick(("person", "company", "product", "place")),
    "value": pick(NAMES),
    "normalized": pick(NAMES),
    "sources": Some(pick(("path", "visual", "transcript")), 1, 2),
    "evidence": phrase,
    "confidence": _level,
}
DATE: Spec = {
    "date": _date,
    "date_source": NAME_SOURCE,
    "confidence": _level,
    "raw_date_string": phrase,
}
PROJECT: Spec = {
    "customer_name": pick(NAMES),
    "project_name": pick(NAMES),
    "name_source": NAME_SOURCE,
    "name_confidence": _level,
    "project_code": lambda draw: f"P-{draw.dice.randint(100, 999)}",
    "job_number": lambda draw: str(draw.dice.randint(10000, 99999)),
    "project_type": phrase,
}
LOCATION: dict[str, Spec] = {
    "site_name": phrase,
    "city": pick(PLACES),
    "state_region": phrase,
    "country": pick(("US", "CA")),
    "address_fragment": phrase,
    "location_source": NAME_SOURCE,
    "location_confidence": _level,
}
VIDEO: dict[str, dict[str, Spec]] = {
    "summary": {"text": _summary_text, "depth": _depth, "language": _language},
    "chapters": {"chapters": _chapters},
    "elements": {
        "equipment": Some(
            {
                "name": phrase,
                "category": phrase,
                "time_ranges": Some(time_range),
                "discussed": flag,
                "confidence": LEVEL,
            }
        ),
        "topics_discussed": Some(
            {
                "topic": phrase,
                "time_ranges": Some(time_range),
                "importance": LEVEL,
                "description": sentence,
                "keywords": Some(phrase, 3, 8),
            }
        ),
        "people": {"max_count": number(0, 5), "multiple_speakers": flag},
        "speakers": Some(
            {
                "speaker_id": lambda draw: f"speaker_{draw.dice.randint(1, 3)}",
                "role": phrase,
                "time_ranges": Some(time_range),
                "speaking_percentage": number(5, 95),
            }
        ),
    },
    "waterfall_classification": _classification({"skill_level": SKILLS, "building_techniques": Some(phrase)}),
    "search_metadata": {
        "recording_date": DATE,
        "project": PROJECT,
        "location": LOCATION,
        "water_feature": {"family": phrase, "type_keywords": Some(phrase), "style_keywords": Some(phrase)},
        "content": {"content_type": CONTENT_TYPES, "skill_level": SKILLS},
        "entities": Some(ENTITY),
        "keywords": Some(phrase, 3, 8),
    },
}
IMAGE: dict[str, dict[str, Spec]] = {
    "description": {
        "description": {"overview": sentence, "detailed": lambda draw: draw.text(60)},
        "scene_type": phrase,
        "primary_subject": phrase,
        "context": sentence,
        "mood_atmosphere": phrase,
        "technical_observations": sentence,
    },
    "elements": {
        "equipment": Some(
            {
                "name": phrase,
                "category": phrase,
                "location_in_image": phrase,
                "prominence": phrase,
                "condition": phrase,
                "confidence": LEVEL,
            }
        ),
        "objects": Some({"name": phrase, "category": phrase, "material": phrase, "description": sentence}),
        "structures": Some(
            {
                "type": phrase,
                "description": sentence,
                "materials": Some(phrase),
                "construction_phase": phrase,
            }
        ),
        "people": {
            "count": number(0, 6),
            "descriptions": Some(phrase, 0, 2),
            "activities": Some(phrase, 0, 2),
        },
        "text_visible": Some({"text": phrase, "location": phrase, "type": phrase, "relevance": LEVEL}, 0, 2),
        "materials": {"primary": Some(phrase), "secondary": Some(phrase), "finishes": Some(phrase)},
        "environment": {
            "setting": phrase,
            "location_type": phrase,
            "weather_conditions": phrase,
            "time_of_day": phrase,
        },
    },
    "waterfall_classification": _classification(
        {"installation_state": phrase, "visible_components": Some(phrase)}
    ),
    "search_metadata": {
        "recording_date": DATE,
        "project": PROJECT,
        "location": {
            **LOCATION,
            "gps_coordinates": {
                "latitude": lambda draw: round(draw.dice.uniform(25, 48), 4),
                "longitude": lambda draw: round(draw.dice.uniform(-122, -75), 4),
            },
        },
        "entities": Some(ENTITY),
        "keywords": Some(phrase, 3, 8),
    },
}
KINDS = {"video": VIDEO, "image": IMAGE}
CHAPTER_FIELDS = {"index", "title", "start_time", "end_time", "summary", "detailed_summary", "key_points"}
