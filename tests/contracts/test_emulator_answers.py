import itertools
import json
import re
from typing import Any

import pytest

from deploy.local.bedrock.answers import answer

VIDEO_FIELDS = {
    "summary": "text depth language",
    "chapters": "chapters index title start_time end_time summary detailed_summary key_points",
    "elements": """equipment name category time_ranges discussed confidence topics_discussed topic
        importance description keywords people max_count multiple_speakers speakers speaker_id
        role speaking_percentage""",
    "waterfall_classification": """family tier_level functional_type sub_type confidence overall evidence
        unknown_reasons search_tags product_keywords content_type skill_level building_techniques""",
    "search_metadata": """recording_date date date_source raw_date_string project customer_name project_name
        name_source name_confidence project_code job_number project_type location site_name city state_region
        country address_fragment location_source location_confidence water_feature family type_keywords
        style_keywords content content_type skill_level entities type value normalized sources evidence
        confidence keywords""",
}
IMAGE_FIELDS = """description overview detailed scene_type primary_subject context mood_atmosphere
    technical_observations"""
FAMILIES = ("Custom Natural Stone", "Custom Formal", "Genesis Natural", "Genesis Formal", "Unknown")


def asked(prompt: str, seed: str = "a.mp4", kind: str = "video") -> dict[str, Any]:
    """The object in an answer, fences and sentences around it removed."""
    text = answer(prompt, kind, seed, 120.0)
    found: dict[str, Any] = json.loads(text[text.index("{") : text.rindex("}") + 1])
    return found


@pytest.mark.parametrize("analysis", VIDEO_FIELDS)
def test_a_prompt_with_a_type_s_fields_gets_that_type(analysis: str) -> None:
    found = asked(f"Give these fields: {VIDEO_FIELDS[analysis]}")
    assert set(found) <= set(VIDEO_FIELDS[analysis].split())
    assert len(found) >= {"summary": 3, "chapters": 1}.get(analysis, 4)


def test_a_prompt_that_forgets_a_field_does_not_get_it() -> None:
    fields = VIDEO_FIELDS["waterfall_classification"]
    assert "sub_type" in asked(fields)
    assert "sub_type" not in asked(fields.replace("sub_type", ""))
    assert "sub_type" not in asked(fields.replace("sub_type", ""))["confidence"]


def test_values_come_from_the_set_only_when_the_prompt_names_it() -> None:
    fields = VIDEO_FIELDS["waterfall_classification"]
    seeds = [f"{number}.mp4" for number in range(20)]
    named = {asked(f"{fields} {', '.join(FAMILIES)}", seed)["family"] for seed in seeds}
    unnamed = {asked(fields, seed)["family"] for seed in seeds} - {"Unknown"}
    assert named <= set(FAMILIES)
    assert len(named) > 2
    assert not unnamed & set(FAMILIES)


def test_a_combined_prompt_gets_the_keys_that_stand_in_it() -> None:
    prompt = " ".join(f"{name}: {fields}" for name, fields in VIDEO_FIELDS.items())
    found = asked(prompt)
    assert list(found) == list(VIDEO_FIELDS)
    assert set(found["summary"]) == {"text", "depth", "language"}
    assert list(asked(re.sub("search_metadata", "", prompt))) == list(VIDEO_FIELDS)[:-1]


def test_chapters_follow_one_another_over_the_whole_video() -> None:
    chapters = asked(VIDEO_FIELDS["chapters"])["chapters"]
    assert (chapters[0]["start_time"], chapters[-1]["end_time"]) == ("00:00", "02:00")
    for earlier, later in itertools.pairwise(chapters):
        assert earlier["end_time"] == later["start_time"]


def test_an_image_is_answered_with_the_fields_of_images() -> None:
    found = asked(IMAGE_FIELDS, "a.png", "image")
    assert set(found) == set(IMAGE_FIELDS.split()) - {"overview", "detailed"}


def test_a_prompt_without_known_fields_gets_prose() -> None:
    assert "{" not in answer("What do you see?", "video", "a.mp4", 10)


def test_the_same_question_gets_the_same_answer_and_another_file_another() -> None:
    prompt = VIDEO_FIELDS["summary"]
    assert answer(prompt, "video", "a.mp4", 10) == answer(prompt, "video", "a.mp4", 10)
    assert answer(prompt, "video", "a.mp4", 10) != answer(prompt, "video", "b.mp4", 10)


def test_answers_are_fenced_now_and_then_and_hold_rare_line_breaks() -> None:
    texts = [answer(VIDEO_FIELDS["summary"], "video", f"{number}.mp4", 10) for number in range(60)]
    fenced = [text for text in texts if "```json" in text]
    assert 5 < len(fenced) < 40
    assert any(not text.startswith("```") for text in fenced)
    assert any("\u2028" in text for text in texts)
    assert any("\u0085" in text for text in texts)
