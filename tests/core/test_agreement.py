import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.core.agreement import COUNT_MISMATCH, TOKEN_MISMATCH, Counts, differences, read_summary
from tests.core.answers import json_values

OURS = Counts("the store", 200, 200, 190, 10, 13_142, 84_959)
SUMMARY = {
    "totalRecordCount": 200,
    "processedRecordCount": 200,
    "successRecordCount": 190,
    "errorRecordCount": 10,
    "inputTokenCount": 13142,
    "outputTokenCount": 84959,
}


def told(**other: Any) -> Counts:
    counts = read_summary(json.dumps(SUMMARY | other).encode(), "the summary")
    assert counts is not None
    return counts


def sentences(*others: Counts, whole: bool = True, ours: Counts = OURS) -> list[str]:
    return [each.sentence for each in differences(ours, others, whole=whole)]


def test_counts_that_agree_differ_in_nothing() -> None:
    assert sentences(told(), Counts("Get", 200, 200, 190, 10)) == []


@pytest.mark.parametrize(
    ("key", "count", "sentence"),
    [
        ("totalRecordCount", 201, "the summary counts 201 records in the manifest, the store 200"),
        ("processedRecordCount", 199, "the summary counts 199 records with a line, the store 200"),
        ("successRecordCount", 200, "the summary counts 200 records with an answer, the store 190"),
        ("errorRecordCount", 0, "the summary counts 0 records with an error, the store 10"),
        ("inputTokenCount", 1, "the summary counts 1 input tokens, the store 13142"),
        ("outputTokenCount", 2, "the summary counts 2 output tokens, the store 84959"),
    ],
)
def test_each_difference_is_named_in_a_sentence(key: str, count: int, sentence: str) -> None:
    assert sentences(told(**{key: count})) == [sentence]
    (found,) = differences(OURS, [told(**{key: count})], whole=True)
    assert found.kind == (TOKEN_MISMATCH if "Token" in key else COUNT_MISMATCH)


@pytest.mark.parametrize("key", SUMMARY)
@pytest.mark.parametrize("value", [None, "200", 200.5, True, -1, [], {}])
def test_a_counter_that_is_none_is_skipped_and_never_nought(key: str, value: object) -> None:
    assert sentences(told(**{key: value})) == []


def test_counters_that_are_absent_or_new_do_not_matter() -> None:
    assert sentences(told(cacheReadTokenCount=7), Counts("Get")) == []
    assert read_summary(b"{}", "the summary") == Counts("the summary")


@pytest.mark.parametrize("data", [b"", b"{", b"[200]", b"null", b"\xff", b"[" * 100_000])
def test_a_broken_summary_tells_nothing(data: bytes) -> None:
    assert read_summary(data, "the summary") is None


@given(st.binary(max_size=60) | json_values.map(lambda value: json.dumps(value).encode()))
def test_any_summary_is_read_or_broken(data: bytes) -> None:
    counts = read_summary(data, "the summary")
    assert counts is None or list(differences(OURS, [counts], whole=True)) is not None


def test_a_record_without_a_line_is_told_although_nobody_else_counts() -> None:
    short = replace(OURS, processed=198)
    assert sentences(ours=short) == ["the manifest has 200 records, the output lines for 198"]


def test_a_job_that_did_not_run_to_its_end_is_held_to_what_it_processed() -> None:
    short = replace(OURS, processed=67, succeeded=60, failed=7)
    stopped = told(processedRecordCount=67, successRecordCount=60, errorRecordCount=7, totalRecordCount=500)
    assert sentences(stopped, whole=False, ours=short) == []
    more = told(processedRecordCount=68, successRecordCount=60, errorRecordCount=7)
    assert sentences(more, whole=False, ours=short) == [
        "the summary counts 68 records with a line, the store 67"
    ]
