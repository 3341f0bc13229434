import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from schemas.analyses import REGISTRY
from schemas.analyses.waterfall_classification import THRESHOLDS
from schemas.shapes.analysis import Analysis, Reading
from schemas.shapes.text import storable
from schemas.shapes.times import clock, mend_range, mend_time, seconds
from tests.core.answers import classification, exact_answers, json_values, near_answers, unhurried

EVERY = list(REGISTRY)
every_analysis = pytest.mark.parametrize("each", EVERY, ids=[f"{each.name}-{each.kind}" for each in EVERY])


def read(name: str, answer: object, kind: str = "video") -> Reading:
    found = REGISTRY.find(name, kind)
    assert found is not None
    return found.read(answer)


def names(value: Any, path: str = "") -> Iterator[str]:
    """Name every field outside lists, and outside objects whose names are free."""
    if isinstance(value, dict) and not path.endswith((".dates", ".unknown_reasons")):
        for key, inner in value.items():
            yield f"{path}.{key}"
            if not key.endswith("_seconds"):
                yield from names(inner, f"{path}.{key}")


# ── rules that hold for every analysis and every answer ────────────────────────────────────────


@every_analysis
@unhurried
@given(data=st.data())
def test_any_answer_is_read_into_exactly_the_fields_of_the_shape(each: Analysis, data: st.DataObject) -> None:
    answer = data.draw(json_values | near_answers(each))
    reading = each.read(answer)
    assert list(names(reading.result)) == list(names(each.read({}).result))
    assert len(set(reading.missing)) == len(reading.missing)


@every_analysis
@unhurried
@given(data=st.data())
def test_any_result_can_be_stored_as_json(each: Analysis, data: st.DataObject) -> None:
    result = each.read(data.draw(near_answers(each))).result
    text = json.dumps(result, allow_nan=False, ensure_ascii=False)
    assert text == storable(text)
    assert "\\u0000" not in text
    assert json.loads(text) == result


@every_analysis
@unhurried
@given(data=st.data())
def test_the_short_way_and_the_long_way_read_the_same(each: Analysis, data: st.DataObject) -> None:
    answer = data.draw(exact_answers(each))
    long = each.read(answer)
    text = json.dumps(answer)
    assume("\\u0000" not in text)
    assert each.read_text(text) == long
    assert long.missing == ()
    assert not long.blank


@every_analysis
@unhurried
@given(data=st.data())
def test_reading_a_result_again_changes_nothing(each: Analysis, data: st.DataObject) -> None:
    result = each.read(data.draw(near_answers(each))).result
    assert each.read(result).result == result


@every_analysis
@pytest.mark.parametrize("answer", [None, {}, {"other": 1}, {"other": {"x": 1}}])
def test_an_answer_without_any_asked_for_field_is_blank(each: Analysis, answer: object) -> None:
    assert each.read(answer).blank


@every_analysis
def test_an_answer_in_an_envelope_is_taken_out(each: Analysis) -> None:
    inner = {name: value for name, value in each.read({}).result.items() if name != "word_count"}
    assert each.read({"result": inner}) == each.read([inner]) == each.read(inner)


def test_text_that_is_not_exactly_of_the_shape_is_left_to_the_long_way() -> None:
    summary = REGISTRY.find("summary", "video")
    assert summary is not None
    for text in (
        '{"text": "x"}',
        "no json",
        '{"text": "\\u0000", "depth": "brief", "language": "en"}',
        '"\\ud800',
    ):
        assert summary.read_text(text) is None


# ── missing parts ──────────────────────────────────────────────────────────────────────────────


def test_missing_parts_are_empty_and_counted_never_invented() -> None:
    reading = read("elements", {"equipment": [{"name": "pump"}], "people": None})
    assert reading.result["people"] == {"max_count": None, "multiple_speakers": None}
    assert reading.result["equipment"][0]["discussed"] is None
    assert reading.result["speakers"] == []
    assert set(reading.missing) == {
        "equipment[0].category",
        "equipment[0].time_ranges",
        "equipment[0].discussed",
        "equipment[0].confidence",
        "topics_discussed",
        "people",
        "speakers",
    }


def test_fields_that_may_be_absent_are_not_counted() -> None:
    full = read("search_metadata", {}, "video").result
    del full["dates"], full["project"]["project_code"], full["location"]["address_fragment"]
    reading = read("search_metadata", full)
    assert not {"dates", "project.project_code", "location.address_fragment"} & set(reading.missing)
    assert reading.result["dates"] == {}


def test_other_dates_are_taken_as_they_come() -> None:
    assert read("search_metadata", {"dates": {"built": {"year": 2019}}}).result["dates"] == {
        "built": {"year": 2019}
    }


def test_a_date_that_is_none_becomes_null() -> None:
    given_date = {"date": "last summer", "date_source": "transcript", "raw_date_string": "last summer"}
    dated = read("search_metadata", {"recording_date": given_date}).result["recording_date"]
    assert (dated["date"], dated["raw_date_string"]) == (None, "last summer")


def test_a_list_that_came_as_one_string_is_a_list_of_one() -> None:
    metadata = read("search_metadata", {"keywords": "pool, grotto"})
    assert metadata.result["keywords"] == ["pool, grotto"]


def test_an_object_that_came_as_its_name_keeps_the_name() -> None:
    assert read("elements", {"equipment": ["pump"]}).result["equipment"][0]["name"] == "pump"


def test_chapters_may_come_as_a_bare_list() -> None:
    chapter = {"index": 1, "title": "Digging", "start_time": "00:00", "end_time": "01:00"}
    assert read("chapters", [chapter]).result == read("chapters", {"chapters": [chapter]}).result
    assert read("combined", {"chapters": [chapter]}).result["chapters"]["chapters"][0]["title"] == "Digging"


def test_items_that_cannot_be_read_are_left_out_and_counted() -> None:
    reading = read("elements", {"topics_discussed": [{"topic": "stone"}, None, [1, 2]]})
    assert [topic["topic"] for topic in reading.result["topics_discussed"]] == ["stone"]
    assert {"topics_discussed[1]", "topics_discussed[2]"} <= set(reading.missing)


@pytest.mark.parametrize(
    ("given_value", "read_value"),
    [("3", 3), (3.0, 3), ("3.5", None), (-1, None), (True, None), (1e400, None)],
)
def test_a_number_is_read_from_text_and_a_senseless_one_is_null(
    given_value: object, read_value: object
) -> None:
    assert (
        read("elements", {"people": {"max_count": given_value}}).result["people"]["max_count"] == read_value
    )


def test_a_confidence_may_be_a_level_or_a_number() -> None:
    entities = [{"value": "a", "confidence": "High"}, {"value": "b", "confidence": 0.4}]
    result = read("search_metadata", {"entities": entities}).result
    assert [entity["confidence"] for entity in result["entities"]] == ["high", 0.4]


# ── sets ───────────────────────────────────────────────────────────────────────────────────────


def test_a_value_outside_a_set_without_unknown_is_empty_and_counted() -> None:
    reading = read("waterfall_classification", classification(content_type="music video"))
    assert reading.result["content_type"] == ""
    assert reading.missing == ("content_type",)


def test_capitals_and_punctuation_do_not_put_a_value_outside_its_set() -> None:
    answer = classification(
        family="genesis natural", sub_type="two tier split", content_type="Product Overview"
    )
    result = read("waterfall_classification", answer).result
    assert (result["family"], result["sub_type"]) == ("Genesis Natural", "Two-Tier Split")
    assert result["content_type"] == "product_overview"


def test_a_value_outside_the_taxonomy_is_unknown_with_that_reason() -> None:
    reading = read("waterfall_classification", classification(family="Mega Falls"))
    assert reading.result["family"] == "Unknown"
    assert reading.result["unknown_reasons"] == {"family": "not in the taxonomy"}
    assert reading.missing == ()


def test_the_same_holds_inside_a_combined_answer() -> None:
    reading = read("combined", {"waterfall_classification": classification(tier_level="Huge")})
    part = reading.result["waterfall_classification"]
    assert part["unknown_reasons"] == {"tier_level": "not in the taxonomy"}
    assert reading.missing == ("summary", "chapters", "elements", "search_metadata")


# ── the waterfall's rules ──────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("dimension", "sure", "stays"),
    [
        ("family", 0.70, True),
        ("family", 0.69, False),
        ("tier_level", 0.69, False),
        ("sub_type", 0.70, True),
        ("functional_type", 0.74, False),
        ("functional_type", 0.75, True),
    ],
)
def test_a_doubtful_dimension_is_unknown_with_a_reason(dimension: str, sure: float, stays: bool) -> None:
    confidence = classification()["confidence"] | {dimension: sure}
    result = read("waterfall_classification", classification(confidence=confidence)).result
    assert (result[dimension] != "Unknown") is stays
    assert (dimension not in result["unknown_reasons"]) is stays
    assert result["confidence"][dimension] == sure


def test_overall_is_the_smallest_of_the_four_whatever_the_model_says() -> None:
    assert read("waterfall_classification", classification()).result["confidence"]["overall"] == 0.75


def test_reasons_are_kept_for_unknown_dimensions_only() -> None:
    reasons = {"family": "covered by snow", "sub_type": "but it is known"}
    result = read(
        "waterfall_classification", classification(family="Unknown", unknown_reasons=reasons)
    ).result
    assert result["unknown_reasons"] == {"family": "covered by snow"}


@unhurried
@given(near_answers(next(each for each in EVERY if each.name == "waterfall_classification")))
def test_a_known_dimension_is_sure_and_an_unknown_one_has_a_reason(answer: Any) -> None:
    result = read("waterfall_classification", answer).result
    unknown = {dimension for dimension in THRESHOLDS if result[dimension] == "Unknown"}
    assert set(result["unknown_reasons"]) == unknown
    assert all(result["confidence"][known] >= THRESHOLDS[known] for known in THRESHOLDS.keys() - unknown)


# ── other rules of a type ──────────────────────────────────────────────────────────────────────


def test_the_words_of_a_summary_are_counted() -> None:
    answer = {"text": "Two men build\na waterfall.", "depth": "brief", "language": "en"}
    assert read("summary", answer).result == answer | {"word_count": 5}


@pytest.mark.parametrize(
    ("customer", "project", "both"), [("Smith", "Pool", "Smith"), ("", "Pool", "Pool"), (None, None, "")]
)
def test_customer_and_project_have_the_same_name(customer: object, project: object, both: str) -> None:
    given_project = {"customer_name": customer, "project_name": project}
    result = read("search_metadata", {"project": given_project}).result["project"]
    assert (result["customer_name"], result["project_name"]) == (both, both)


# ── times ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("given_range", "text", "span"),
    [
        ("00:05-00:10", "00:05-00:10", (5, 10, 5)),
        ("00:59:50-01:00:05", "00:59:50-01:00:05", (3590, 3605, 15)),
        ("00:10-00:05", "00:10-00:05", (10, 10, 0)),
        ("1:05 – 2:10", "01:05-02:10", (65, 130, 65)),
        ("00:05 to 00:10", "00:05-00:10", (5, 10, 5)),
        ("00:05", "00:05-00:05", (5, 5, 0)),
        (["00:05", "00:10"], "00:05-00:10", (5, 10, 5)),
        ({"start": "00:05", "end": 10}, "00:05-00:10", (5, 10, 5)),
        ("75:00-76:00", "75:00-76:00", (4500, 4560, 60)),
    ],
)
def test_time_ranges_are_stored_as_seconds_too(
    given_range: object, text: str, span: tuple[int, int, int]
) -> None:
    speaker = read("elements", {"speakers": [{"speaker_id": "s", "time_ranges": [given_range]}]}).result
    assert speaker["speakers"][0]["time_ranges"] == [text]
    assert speaker["speakers"][0]["time_ranges_seconds"] == [
        dict(zip(("start", "end", "duration"), span, strict=True))
    ]


def test_one_range_in_place_of_a_list_is_a_list_of_one() -> None:
    speakers = read("elements", {"speakers": [{"time_ranges": "00:05-00:10"}]}).result["speakers"]
    assert speakers[0]["time_ranges"] == ["00:05-00:10"]


def test_a_range_that_cannot_be_read_is_left_out_and_counted() -> None:
    reading = read(
        "elements", {"equipment": [{"name": "pump", "time_ranges": ["throughout", "00:01-00:02"]}]}
    )
    assert reading.result["equipment"][0]["time_ranges"] == ["00:01-00:02"]
    assert "equipment[0].time_ranges[0]" in reading.missing


def test_a_chapter_has_its_seconds_and_none_where_an_end_is_missing() -> None:
    whole = {"start_time": "00:10", "end_time": "00:05"}
    chapters = read("chapters", {"chapters": [whole, {"start_time": "00:10"}]}).result["chapters"]
    assert chapters[0]["time_range_seconds"] == {"start": 10, "end": 10, "duration": 0}
    assert chapters[1]["time_range_seconds"] is None


@unhurried
@given(st.integers(0, 900 * 3600))
def test_a_clock_time_is_read_as_the_seconds_it_was_written_from(total: int) -> None:
    assert seconds(clock(total)) == total
    assert mend_time(clock(total)) == mend_time(total) == clock(total)


@unhurried
@given(json_values)
def test_any_value_is_a_well_formed_range_or_none(value: object) -> None:
    text = mend_range(value)
    assert text is None or mend_range(text) == text
