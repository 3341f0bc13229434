import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.core.layout import record_id
from consumers.core.results import BrokenLine, Judged, OutputLine, judge, raw_without_echo, read_line
from schemas.analyses import REGISTRY
from schemas.outcomes import Outcome
from schemas.shapes.analysis import Analysis
from tests.core.answers import json_values, output_line, unhurried

SUMMARY = {"text": "Two men build a waterfall.", "depth": "brief", "language": "en"}
TEXT = json.dumps(SUMMARY)


def known(name: str) -> Analysis:
    found = REGISTRY.find(name, "video")
    assert found is not None
    return found


def read(line: bytes) -> OutputLine:
    told = read_line(line)
    assert isinstance(told, OutputLine), told
    return told


def judged(text: str, name: str = "summary", **more: Any) -> Judged:
    return judge(read(output_line(text, **more)), known(name))


# ── reading a line ─────────────────────────────────────────────────────────────────────────────


def test_a_line_tells_its_record_its_text_and_its_tokens() -> None:
    line = read(output_line(TEXT, record_id="file-22153:summary"))
    assert line.name == ("22153", "summary")
    assert (line.text, line.stop_reason, line.error) == (TEXT, "end_turn", None)
    assert (line.input_tokens, line.output_tokens) == (2980, 1024)


@unhurried
@given(st.from_regex(r"[A-Za-z0-9._-]{1,64}", fullmatch=True), st.sampled_from(["summary", "combined"]))
def test_a_record_id_comes_back_as_it_was_sent(file_id: str, name: str) -> None:
    assert read(output_line(TEXT, record_id=record_id(file_id, name))).name == (file_id, name)


def test_padding_is_known_by_its_id() -> None:
    assert read(output_line("yes", record_id="padding-7")).name is None


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{",
        b"[1]",
        b"null",
        b'"text"',
        b"\xff\xfe\x00",
        b"[" * 100_000,
        b'{"modelOutput": {}}',
        b'{"recordId": null}',
        b'{"recordId": "somebody-elses"}',
        b'{"recordId": "file-a b:summary"}',
    ],
)
def test_a_line_that_tells_nothing_of_ours_is_broken_and_keeps_its_bytes(line: bytes) -> None:
    told = read_line(line)
    assert isinstance(told, BrokenLine)
    assert told.raw == line
    assert told.reason


@unhurried
@given(st.binary(max_size=80) | json_values.map(lambda value: json.dumps(value).encode()))
def test_any_line_is_read_or_broken_and_has_a_raw_form_of_one_line(line: bytes) -> None:
    read_line(line)
    if b"\n" not in line:
        assert b"\n" not in raw_without_echo(line)


@unhurried
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "modelOutput": st.fixed_dictionaries(
                {},
                optional={
                    "output": st.fixed_dictionaries(
                        {"message": st.fixed_dictionaries({"content": json_values})}
                    )
                    | json_values,
                    "stopReason": st.sampled_from(["end_turn", "max_tokens", "content_filtered"])
                    | json_values,
                    "usage": st.fixed_dictionaries({"inputTokens": json_values, "outputTokens": json_values})
                    | json_values,
                },
            )
            | json_values,
            "error": st.fixed_dictionaries(
                {}, optional={"errorCode": json_values, "errorMessage": json_values, "retryable": json_values}
            )
            | json_values,
            "modelInput": json_values,
        },
    )
)
def test_whatever_stands_in_a_line_of_ours_gives_an_outcome(fields: dict[str, Any]) -> None:
    line = json.dumps({"recordId": "file-1:summary", **fields}).encode()
    outcome = judge(read(line), known("summary"))
    assert (outcome.result is not None) >= (outcome.outcome is Outcome.SUCCEEDED)
    assert (outcome.error_code is None) is (outcome.outcome is Outcome.SUCCEEDED)
    msgspec.json.encode([outcome.raw_text, outcome.error_message, outcome.error_code, outcome.result])


def test_explicit_nulls_and_unknown_fields_do_not_matter() -> None:
    content = [{"text": TEXT, "image": None, "toolUse": None}, {"text": None, "reasoningContent": {}}]
    output = {
        "output": {"message": {"content": content, "role": None}},
        "stopReason": "end_turn",
        "usage": {"inputTokens": None, "outputTokens": None, "cacheReadInputTokens": None},
        "metrics": {"latencyMs": 5},
    }
    line = read(output_line("", modelOutput=output, error=None, extra=[1]))
    assert (line.text, line.input_tokens, line.output_tokens) == (TEXT, None, None)
    assert judge(line, known("summary")).outcome is Outcome.SUCCEEDED


@pytest.mark.parametrize("usage", [None, {}, {"inputTokens": -1, "outputTokens": 1e300}, "many"])
def test_token_counts_that_are_none_are_unknown(usage: object) -> None:
    output = {"output": {"message": {"content": [{"text": TEXT}]}}, "stopReason": "end_turn", "usage": usage}
    line = read(output_line("", modelOutput=output))
    assert (line.text, line.input_tokens, line.output_tokens) == (TEXT, None, None)


def test_text_with_half_a_character_or_bad_utf8_costs_only_that_character() -> None:
    half = output_line("@").replace(b'"@"', b'"a\\ud800b"')
    torn = output_line("@").replace(b'"@"', b'"a\xffb"')
    assert "\ufffd" in read(half).text
    assert "\ufffd" in read(torn).text


def test_lines_are_not_broken_by_the_line_ends_that_json_leaves_raw() -> None:
    text = json.dumps(SUMMARY | {"text": "a\u0085b\u2028c"}, ensure_ascii=False)
    result = judged(text).result
    assert result is not None
    assert result["text"] == "a\u0085b\u2028c"


def test_the_raw_line_keeps_everything_but_the_echo() -> None:
    line = output_line(TEXT, extra={"kept": [1, 2.50, None]})
    slim = json.loads(raw_without_echo(line))
    whole = json.loads(line)
    del whole["modelInput"]
    assert slim == whole
    assert b"prompt" not in raw_without_echo(line)
    assert read_line(raw_without_echo(line)) == read_line(line)


@pytest.mark.parametrize("odd", [b"\xff", b"\x01", b"\\ud800"])
def test_the_raw_form_of_a_line_that_only_the_loose_reading_takes_has_no_echo_either(odd: bytes) -> None:
    line = output_line("@").replace(b'"@"', b'"a' + odd + b'b"')
    slim = raw_without_echo(line)
    assert b"prompt" in line
    assert b"prompt" not in slim
    assert read_line(slim) == read_line(line)


@pytest.mark.parametrize("line", [b"{", b"[1]", b"\xff"])
def test_the_raw_form_of_a_broken_line_is_itself(line: bytes) -> None:
    assert raw_without_echo(line) == line


# ── the outcome ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "repaired"),
    [
        (TEXT, False),
        (f"  {TEXT}\n", False),
        (f"```json\n{TEXT}\n```", False),
        (f"```\n{TEXT}\n```", False),
        (f"```json\n{TEXT}", False),
        (f"Here it is:\n```json\n{TEXT}\n```\nAnything else?", False),
        (f"Here is the JSON: {TEXT} I hope it helps.", True),
        (TEXT.replace("Two", r"C:\pool\d \'s"), True),
        (TEXT.replace("build a", "build\na"), True),
        (TEXT[:-1] + ",}", True),
        (TEXT.replace('"', "'"), True),
        (TEXT[:-1], True),
        (f"[{TEXT}]", False),
        (json.dumps({"summary": SUMMARY}), False),
    ],
)
def test_an_answer_is_found_in_what_models_write_around_it(text: str, repaired: bool) -> None:
    outcome = judged(text)
    assert outcome.outcome is Outcome.SUCCEEDED
    assert outcome.repaired is repaired
    assert outcome.result is not None
    assert outcome.result["depth"] == "brief"
    assert outcome.raw_text is outcome.error_code is None
    assert (outcome.input_tokens, outcome.output_tokens, outcome.stop_reason) == (2980, 1024, "end_turn")


def test_a_windows_path_survives_bad_escapes() -> None:
    result = judged(TEXT.replace("Two men", r"C:\pool\data of 5\' men")).result
    assert result is not None
    assert result["text"] == r"C:\pool\data of 5' men build a waterfall."


def test_a_code_fence_inside_the_answer_does_not_end_it() -> None:
    text = json.dumps(SUMMARY | {"text": "Write ```json here."})
    assert judged(f"```json\n{text}\n```").result == judged(text).result


def test_an_answer_closed_too_early_is_put_together_again() -> None:
    outcome = judged(f'{{"summary": {TEXT}}}, "chapters": {{"chapters": []}}}}', "combined")
    assert outcome.outcome is Outcome.SUCCEEDED
    assert not {"summary", "chapters"} & set(outcome.missing)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("I am sorry, I cannot see the video.", "NOT_JSON"),
        ("7", "NOT_JSON"),
        ("{sorry}", "NOT_JSON"),
        ("{}", "NOT_THE_SHAPE"),
        ('{"error": "no video"}', "NOT_THE_SHAPE"),
        ("[" * 50_000, "NOT_JSON"),
        ('{"a":' * 50_000, "NOT_JSON"),
    ],
)
def test_text_that_is_no_answer_is_unparsable_and_kept(text: str, code: str) -> None:
    outcome = judged(text)
    assert (outcome.outcome, outcome.error_code) == (Outcome.UNPARSABLE, code)
    assert outcome.raw_text == text
    assert outcome.result is None
    assert outcome.input_tokens == 2980


def test_a_cut_answer_keeps_what_can_be_read() -> None:
    outcome = judged(
        '{"summary": ' + TEXT + ', "chapters": {"chapters": [{"ind', "combined", stop="max_tokens"
    )
    assert (outcome.outcome, outcome.repaired) == (Outcome.TRUNCATED, True)
    assert outcome.result is not None
    assert outcome.result["summary"]["depth"] == "brief"
    assert "elements" in outcome.missing
    assert outcome.raw_text is not None
    assert outcome.error_code == "MAX_TOKENS"


@pytest.mark.parametrize(
    ("text", "kept"), [(TEXT, True), ("", False), ('{"te', False), ("Let me think", False)]
)
def test_a_stop_at_max_tokens_is_truncated_whatever_could_be_read(text: str, kept: bool) -> None:
    outcome = judged(text, stop="max_tokens")
    assert outcome.outcome is Outcome.TRUNCATED
    assert (outcome.result is not None) is outcome.repaired is kept


@pytest.mark.parametrize(
    ("text", "stop", "code"),
    [
        ("", "end_turn", "EMPTY_ANSWER"),
        (" \n", "end_turn", "EMPTY_ANSWER"),
        ("", "content_filtered", "CONTENT_FILTERED"),
        (TEXT, "content_filtered", "CONTENT_FILTERED"),
        (TEXT, "guardrail_intervened", "CONTENT_FILTERED"),
    ],
)
def test_a_withheld_or_empty_answer_is_filtered(text: str, stop: str, code: str) -> None:
    outcome = judged(text, stop=stop)
    assert (outcome.outcome, outcome.error_code, outcome.result) == (Outcome.FILTERED, code, None)


@pytest.mark.parametrize(
    ("code", "text"), [(400, "400"), ("400", "400"), ("ThrottlingException", "ThrottlingException")]
)
def test_an_error_is_no_result(code: object, text: str) -> None:
    message = "Provided S3 URI is invalid"
    error = {"errorCode": code, "errorMessage": message, "expired": False, "retryable": False}
    line = json.dumps({"modelInput": {}, "error": error, "recordId": "file-33938:summary"}).encode()
    outcome = judge(read(line), known("summary"))
    assert outcome.outcome is Outcome.MODEL_ERROR
    assert (outcome.error_code, outcome.error_message) == (text, message)
    assert (outcome.result, outcome.retryable, outcome.input_tokens) == (None, False, None)


@pytest.mark.parametrize("hint", [{"retryable": True}, {"expired": True}])
def test_bedrocks_hint_that_a_record_may_be_sent_again_is_kept(hint: dict[str, bool]) -> None:
    line = json.dumps({"error": {"errorCode": 400, **hint}, "recordId": "file-1:summary"}).encode()
    assert judge(read(line), known("summary")).retryable


@pytest.mark.parametrize("line", [{}, {"modelOutput": None, "error": None}, {"error": {}}])
def test_a_line_with_neither_output_nor_error_is_an_error(line: dict[str, Any]) -> None:
    outcome = judge(read(json.dumps({"recordId": "file-1:summary", **line}).encode()), known("summary"))
    assert outcome.outcome is Outcome.MODEL_ERROR
    assert outcome.error_code


@unhurried
@given(st.text() | st.text(st.sampled_from('{}[]":,\\ntu01 `')), st.sampled_from(["end_turn", "max_tokens"]))
def test_no_text_of_the_model_is_too_strange_to_judge(text: str, stop: str) -> None:
    outcome = judged(text, stop=stop)
    assert outcome.outcome in {Outcome.SUCCEEDED, Outcome.TRUNCATED, Outcome.UNPARSABLE, Outcome.FILTERED}


@unhurried
@given(st.integers(0, len(TEXT)))
def test_a_cut_anywhere_loses_no_more_than_what_was_cut(at: int) -> None:
    outcome = judged(TEXT[:at], stop="max_tokens")
    assert outcome.outcome is Outcome.TRUNCATED
    if outcome.result is not None:
        assert SUMMARY["text"].startswith(outcome.result["text"])
