from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from consumers.core.lines import ResultRow, lines_of
from schemas.analyses import REGISTRY

KEYS = """\
schema_version batch_id request_id file_id bucket s3_key etag analysis_type outcome result error record_id
attempt repaired reused_from stop_reason model_id prompt_version input_tokens output_tokens cost_usd
created_at"""

ROW = ResultRow(
    batch_id="b" + "0" * 20,
    request_id="catalog-1",
    file_id=22153,
    bucket="media",
    s3_key="proxy_video/a.mov",
    kind="video",
    outcome="SUCCEEDED",
    created_at=datetime(2026, 11, 1, 12, tzinfo=UTC),
    etag="e1",
    analysis_type="combined",
    result={name: {"of": name} for name in REGISTRY.parts_of("combined", "video")},
    record_id="file-22153:combined",
    attempt=1,
    model_id="us.amazon.nova-2-lite-v1:0",
    prompt_version="0123456789ab",
    input_tokens=2980,
    output_tokens=1024,
    cost_usd=Decimal("0.0018997"),
)


@pytest.mark.parametrize("kind", ["video", "image"])
def test_a_combined_record_becomes_a_line_per_part_paid_for_once(kind: str) -> None:
    parts = REGISTRY.parts_of("combined", kind)
    row = replace(ROW, kind=kind, result={name: {"of": name} for name in parts})
    lines = list(lines_of(row, REGISTRY))
    assert [line["analysis_type"] for line in lines] == list(parts)
    assert [line["result"] for line in lines] == [{"of": name} for name in parts]
    paid = [(line["input_tokens"], line["output_tokens"], line["cost_usd"]) for line in lines]
    assert paid == [(2980, 1024, "0.0018997")] + [(None, None, None)] * (len(parts) - 1)


def test_every_line_has_every_key_in_the_documented_order() -> None:
    failed = replace(ROW, outcome="MISSING", result=None, error_code="NOT_IN_OUTPUT")
    for row in (ROW, failed):
        assert all(list(line) == KEYS.split() for line in lines_of(row, REGISTRY))


def test_a_file_id_is_echoed_as_it_was_sent() -> None:
    assert next(lines_of(ROW, REGISTRY))["file_id"] == 22153
    assert next(lines_of(replace(ROW, file_id="22153"), REGISTRY))["file_id"] == "22153"


def test_a_failed_combined_record_has_one_line() -> None:
    failed = replace(ROW, outcome="MODEL_ERROR", result=None, error_code="400", error_message="Bad URI")
    (line,) = lines_of(failed, REGISTRY)
    assert (line["analysis_type"], line["result"]) == ("combined", None)
    assert line["error"] == {"code": "400", "message": "Bad URI"}


def test_a_cut_combined_record_with_a_kept_part_becomes_its_lines_too() -> None:
    cut = replace(ROW, outcome="TRUNCATED", repaired=True, error_code="MAX_TOKENS")
    assert {line["outcome"] for line in lines_of(cut, REGISTRY)} == {"TRUNCATED"}
    assert len(list(lines_of(cut, REGISTRY))) == 5


def test_a_single_analysis_has_one_line_with_its_result() -> None:
    (line,) = lines_of(replace(ROW, analysis_type="summary", result={"text": "x"}), REGISTRY)
    assert (line["analysis_type"], line["result"], line["error"]) == ("summary", {"text": "x"}, None)


def test_a_refused_file_has_one_line_without_an_analysis() -> None:
    refused = ResultRow(
        "b1", "r1", "x", "media", "k", "image", "REFUSED", ROW.created_at, error_code="not_found"
    )
    (line,) = lines_of(refused, REGISTRY)
    assert (line["analysis_type"], line["outcome"], line["cost_usd"]) == (None, "REFUSED", None)
    assert line["error"] == {"code": "not_found", "message": None}


@pytest.mark.parametrize(
    "moment",
    [
        datetime(2026, 11, 1, 12, tzinfo=UTC),
        datetime(2026, 11, 1, 12),
        datetime(2026, 11, 1, 14, tzinfo=timezone(timedelta(hours=2))),
    ],
)
def test_times_are_utc_with_z(moment: datetime) -> None:
    assert next(lines_of(replace(ROW, created_at=moment), REGISTRY))["created_at"] == "2026-11-01T12:00:00Z"
