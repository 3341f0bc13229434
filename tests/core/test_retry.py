from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.core.retry import next_max_tokens, retryable, tokens_asked_again, tokens_for_retry
from consumers.core.rows import FailedRecord
from schemas.outcomes import Outcome

TOO_FEW = "Batch job arn:aws:bedrock:… contains less records (2) than the required minimum of: 100"


def failed(outcome: Outcome, code: str = "", message: str = "", **more: Any) -> FailedRecord:
    fields: dict[str, Any] = {
        "position": 0,
        "file_id": "1",
        "analysis_type": "combined",
        "attempt": 1,
        "outcome": outcome,
        "error_code": code,
        "error_message": message,
        "retryable": False,
        "repaired": False,
        "max_tokens": 4096,
        "past": (),
        "size_bytes": 1,
        "s3_key": "a.mov",
    }
    attempts = len(more.get("past", ())) + 1
    return FailedRecord(**{**fields, "attempt": attempts, "attempts": attempts, **more})


@pytest.mark.parametrize("code", ["408", "424", "429", "500", "503", "599", "ThrottlingException"])
def test_a_passing_error_is_sent_again(code: str) -> None:
    assert tokens_for_retry(failed(Outcome.MODEL_ERROR, code), 3, 65_535) == 4096


@pytest.mark.parametrize("code", ["400", "403", "404", "5000", "50", "UNKNOWN", ""])
def test_another_error_is_sent_again_only_where_bedrock_says_so(code: str) -> None:
    assert tokens_for_retry(failed(Outcome.MODEL_ERROR, code), 3, 65_535) is None
    assert tokens_for_retry(failed(Outcome.MODEL_ERROR, code, retryable=True), 3, 65_535) == 4096


@pytest.mark.parametrize(
    ("code", "message", "again"),
    [
        ("NOT_IN_OUTPUT", "", True),
        ("JOB_EXPIRED", "", True),
        ("JOB_STOPPED", "", False),
        ("CHUNK_NOT_PREPARED", "", False),
        ("RESULT_FETCH_FAILED", "", False),
        ("JOB_FAILED", "", True),
        ("JOB_FAILED", "The service hit an internal error. Try again.", True),
        ("JOB_FAILED", "Rate exceeded while processing records", True),
        ("JOB_FAILED", TOO_FEW, False),
        ("JOB_FAILED", "Access denied to s3://media/nova_batch/", False),
        ("JOB_FAILED", "The role does not have permission to read the bucket", False),
        ("JOB_FAILED", "The input size is larger than the allowed 5 GB", False),
        ("JOB_FAILED", "The input file is not in JSONL format", False),
    ],
)
def test_a_missing_record_is_sent_again_unless_the_reason_stays(code: str, message: str, again: bool) -> None:
    assert (tokens_for_retry(failed(Outcome.MISSING, code, message), 3, 65_535) is not None) is again


def test_an_unparsable_answer_is_asked_for_once_more() -> None:
    assert tokens_for_retry(failed(Outcome.UNPARSABLE), 3, 65_535) == 4096
    assert tokens_for_retry(failed(Outcome.UNPARSABLE, past=(Outcome.MODEL_ERROR,)), 3, 65_535) == 4096
    assert tokens_for_retry(failed(Outcome.UNPARSABLE, past=(Outcome.UNPARSABLE,)), 3, 65_535) is None


@pytest.mark.parametrize("repaired", [True, False])
def test_a_cut_answer_is_asked_for_once_more_with_more_tokens(repaired: bool) -> None:
    assert tokens_for_retry(failed(Outcome.TRUNCATED, repaired=repaired), 3, 65_535) == 8192
    assert tokens_for_retry(failed(Outcome.TRUNCATED, past=(Outcome.TRUNCATED,)), 3, 65_535) is None
    kept = failed(Outcome.TRUNCATED, past=(Outcome.MODEL_ERROR,), attempt=1)
    assert tokens_for_retry(kept, 9, 65_535) is None


def test_a_cut_answer_gets_no_more_than_the_model_allows() -> None:
    assert tokens_for_retry(failed(Outcome.TRUNCATED, max_tokens=9_000), 3, 10_000) == 10_000
    assert tokens_for_retry(failed(Outcome.TRUNCATED, max_tokens=10_000), 3, 10_000) is None


@pytest.mark.parametrize(
    "outcome", [Outcome.SUCCEEDED, Outcome.FILTERED, Outcome.NOT_BOUGHT, Outcome.CANCELLED]
)
def test_what_would_come_out_the_same_is_not_sent_again(outcome: Outcome) -> None:
    assert not retryable(failed(outcome, "429", retryable=True))


@pytest.mark.parametrize("outcome", [each for each in Outcome if each is not Outcome.TRUNCATED])
def test_a_person_gets_every_record_sent_again_that_has_no_good_result(outcome: Outcome) -> None:
    past = (outcome,) * 5
    assert tokens_asked_again(failed(outcome, "400", past=past), 65_535) == 4096


def test_a_person_does_not_buy_again_what_could_be_kept_or_only_not_be_read() -> None:
    assert tokens_asked_again(failed(Outcome.TRUNCATED, repaired=True), 65_535) is None
    assert tokens_asked_again(failed(Outcome.MISSING, "RESULT_FETCH_FAILED"), 65_535) is None


@pytest.mark.parametrize(("most", "tokens"), [(65_535, 8192), (5000, 5000), (4096, 4096), (1000, 4096)])
def test_a_person_gets_more_tokens_for_a_cut_answer_within_the_limit(most: int, tokens: int) -> None:
    assert tokens_asked_again(failed(Outcome.TRUNCATED, past=(Outcome.TRUNCATED,)), most) == tokens


OUTCOMES = st.sampled_from(list(Outcome))
RECORDS = st.builds(
    failed,
    OUTCOMES,
    st.sampled_from(["", "429", "500", "400", "NOT_IN_OUTPUT", "JOB_FAILED", "JOB_EXPIRED", "JOB_STOPPED"]),
    st.text(max_size=20),
    retryable=st.booleans(),
    past=st.lists(OUTCOMES, max_size=5).map(tuple),
    max_tokens=st.integers(1, 70_000),
)


@given(RECORDS, st.integers(1, 6), st.integers(1, 70_000))
def test_no_record_is_sent_more_often_than_allowed(
    record: FailedRecord, max_attempts: int, most: int
) -> None:
    if len(record.past) + 1 >= max_attempts:
        assert tokens_for_retry(record, max_attempts, most) is None


@given(RECORDS)
def test_a_record_that_always_ends_the_same_is_given_up(record: FailedRecord) -> None:
    past: tuple[Outcome, ...] = ()
    while tokens_for_retry(failed(record.outcome, "429", past=past), 10, 65_535) is not None:
        past = (*past, record.outcome)
    assert len(past) <= 9
    if record.outcome in {Outcome.UNPARSABLE, Outcome.TRUNCATED}:
        assert len(past) == 1


@given(st.integers(1, 70_000), st.integers(1, 70_000))
def test_more_tokens_are_more_and_within_the_limit(tokens: int, most: int) -> None:
    more = next_max_tokens(tokens, most)
    assert more is None or tokens < more <= most
    assert (more is None) is (tokens >= most)
