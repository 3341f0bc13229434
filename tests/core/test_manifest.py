"""Manifest lines: what they hold, and that they survive any reader."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.core import layout
from consumers.core.context import MAX_CONTEXT_BYTES, context_of, unfit_context
from consumers.core.manifest import LONGEST_LINE, padding_line, record_line
from consumers.core.media import Media, media_of
from consumers.core.names import MAX_NAME
from daemon.analysis_files import LONGEST_PROMPT
from schemas.inference import Inference
from schemas.shapes.prompt import context_json

URI = "s3://media/nova_batch/job_20260105_070809_abcdef_000/files/a.mov"
texts = st.text(st.characters(exclude_categories=["Cs"]))
fractions = st.none() | st.floats(0, 1)


def accepted(key: str) -> Media:
    found = media_of(key)
    assert found is not None
    return found


def test_a_video_record_is_written_as_nova_takes_it() -> None:
    line = record_line("file-1:combined", URI, accepted("a.3gp"), ["Describe."], Inference(4096, 0.3, 0.9))
    assert json.loads(line) == {
        "recordId": "file-1:combined",
        "modelInput": {
            "schemaVersion": "messages-v1",
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"video": {"format": "three_gp", "source": {"s3Location": {"uri": URI}}}},
                        {"text": "Describe."},
                    ],
                }
            ],
            "inferenceConfig": {"maxTokens": 4096, "temperature": 0.3, "topP": 0.9},
        },
    }


def test_an_image_record_speaks_of_an_image() -> None:
    line = record_line("file-1:combined", URI, accepted("a.JPG"), ["Describe."], Inference(10))
    (media, _) = json.loads(line)["modelInput"]["messages"][0]["content"]
    assert media == {"image": {"format": "jpeg", "source": {"s3Location": {"uri": URI}}}}


def test_settings_left_to_the_model_are_not_written() -> None:
    line = record_line("file-1:combined", URI, accepted("a.mov"), ["Describe."], Inference(10))
    assert json.loads(line)["modelInput"]["inferenceConfig"] == {"maxTokens": 10}


@given(st.integers(0, 50_000))
def test_padding_costs_one_token_of_answer(number: int) -> None:
    line = json.loads(padding_line(number))
    assert line["recordId"] == f"padding-{number}"
    assert line["modelInput"]["inferenceConfig"] == {"maxTokens": 1}
    (content,) = line["modelInput"]["messages"][0]["content"]
    assert list(content) == ["text"]
    assert content["text"]


@given(texts, texts, texts, st.integers(1, 65_535), fractions, fractions)
def test_what_is_written_is_read_back(
    record: str, uri: str, prompt: str, most: int, temperature: float | None, top_p: float | None
) -> None:
    line = record_line(record, uri, accepted("a.mov"), [prompt], Inference(most, temperature, top_p))
    read = json.loads(line)
    video, text = read["modelInput"]["messages"][0]["content"]
    assert read["recordId"] == record
    assert video["video"]["source"]["s3Location"]["uri"] == uri
    assert text["text"] == prompt
    settings = read["modelInput"]["inferenceConfig"]
    assert settings["maxTokens"] == most
    assert (settings.get("temperature"), settings.get("topP")) == (temperature, top_p)


@given(texts | st.text("\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029ab"))
def test_no_reader_finds_a_line_end_within_a_line(prompt: str) -> None:
    line = record_line("file-1:combined", URI, accepted("a.mov"), [prompt], Inference(10))
    assert line.endswith(b"}\n")
    assert line.count(b"\n") == 1
    assert len(line.decode().splitlines()) == 1


def longest_line(prompt: str) -> bytes:
    """Write a line in which everything beside the prompt is as long as it can be."""
    record_id = layout.record_id("9" * 64, "x" * 64)
    folder = layout.folder_name(datetime(2026, 1, 5, tzinfo=UTC), layout.batch_id("r"), layout.MAX_INDEX)
    uri = layout.s3_uri("b" * 63, layout.file_key(folder, "x" * MAX_NAME))
    return record_line(record_id, uri, accepted("a.3gp"), [prompt], Inference(65_535, 1 / 3, 1 / 3))


@given(st.sampled_from(['"', "\\", "\x01", "<", "\u2028", "日"]), st.sampled_from(["<", "日", '"']))
def test_no_record_is_longer_than_the_longest_line(letter: str, of_key: str) -> None:
    """The prompt is the longest a loaded file may have, the context the longest that is not refused."""
    size = len(context_json({"x": letter}).encode()) - len(context_json({"x": ""}))
    said = {"x": letter * ((MAX_CONTEXT_BYTES - 10) // size)}
    assert unfit_context(said) is None
    key = of_key * (1024 // len(of_key.encode()))
    line = longest_line('"' * (LONGEST_PROMPT // 2) + context_json(context_of(key, said)))
    assert len(line) <= LONGEST_LINE


def test_the_longest_line_is_not_much_longer_than_a_record_can_be() -> None:
    said = {"x": "\\" * ((MAX_CONTEXT_BYTES - 10) // 2)}
    line = longest_line('"' * (LONGEST_PROMPT // 2) + context_json(context_of("<" * 1024, said)))
    assert len(line) > 0.95 * LONGEST_LINE


def test_the_same_record_gives_the_same_bytes_whatever_came_before() -> None:
    video = accepted("a.mov")
    whole = record_line("file-1:combined", URI, video, ["Same."], Inference(10, 0, 1))
    assert whole == record_line("file-1:combined", URI, video, ["Same."], Inference(10, 0.0, 1.0))
    assert b'"temperature":0.0,"topP":1.0' in whole


def test_half_a_surrogate_pair_is_refused() -> None:
    with pytest.raises(UnicodeEncodeError):
        record_line("file-1:combined", URI, accepted("a.mov"), ["\ud800"], Inference(10))
