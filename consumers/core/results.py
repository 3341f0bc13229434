"""One line of Bedrock's output: what it says, and the outcome of its record.

Field names: AWS, Bedrock batch inference output, and the Nova response schema. Lines seen in production
add `expired` and `retryable` to errors, write codes as integers, and leave counters null.
"""

import json
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple

import msgspec

from consumers.core import layout
from consumers.core.answers import parse_answer, without_fence
from schemas.outcomes import Outcome
from schemas.shapes.analysis import Analysis, Reading, RuleFailed
from schemas.shapes.compiler import reader_of
from schemas.shapes.fields import MAIN
from schemas.shapes.notes import Notes
from schemas.shapes.text import storable

CUT = "max_tokens"
WITHHELD = frozenset({"content_filtered", "guardrail_intervened", "guardrail"})
_MOST_TOKENS = 2**53


@dataclass(frozen=True, slots=True)
class LineError:
    """What Bedrock says of a record it could not do; `retryable` is its own hint."""

    code: str
    message: str
    retryable: bool


class OutputLine(NamedTuple):
    """A readable line: either `text` (perhaps empty) or `error`; tokens None where Bedrock gave none.

    `name` is the record it is about; None where the record was only there to fill the job up.
    """

    record_id: str
    name: layout.RecordName | None
    text: str
    stop_reason: str | None
    input_tokens: int | None
    output_tokens: int | None
    error: LineError | None

    @property
    def tells_usage(self) -> bool:
        """Tell whether Bedrock said how many tokens it took."""
        return self.input_tokens is not None and self.output_tokens is not None


@dataclass(frozen=True, slots=True)
class BrokenLine:
    """A line that tells nothing of any record of ours; it costs no other line."""

    reason: str
    raw: bytes


class Judged(NamedTuple):
    """The outcome of one record. `raw_text` is the model's text, kept where the outcome is not SUCCEEDED.

    `missing` are the paths of the answer that were left empty; `retryable` is Bedrock's own hint.
    """

    outcome: Outcome
    result: dict[str, Any] | None = None
    error_code: str | None = None
    error_message: str | None = None
    retryable: bool = False
    repaired: bool = False
    stop_reason: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    raw_text: str | None = None
    missing: tuple[str, ...] = ()


def read_line(line: bytes) -> OutputLine | BrokenLine:
    """Read one line of a `.jsonl.out` file, without its line end; the echoed prompt is skipped unread."""
    told = _strictly(line) or _loosely(line)
    if told is None:
        return BrokenLine("The line is no JSON object.", line)
    if not told.record_id:
        return BrokenLine("The line has no recordId.", line)
    if layout.is_padding(told.record_id):
        return _output_line(told, told.record_id, None)
    name = _name_of(told.record_id)
    if name is None:
        return BrokenLine(f"The recordId {storable(told.record_id)[:200]!r} is none of ours.", line)
    return _output_line(told, told.record_id, name)


def raw_without_echo(line: bytes) -> bytes:
    """Return the line without the echoed `modelInput`; one that is no JSON object as it is."""
    try:
        fields = _FIELDS.decode(line)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return _without_echo_loosely(line)
    fields.pop("modelInput", None)
    return msgspec.json.encode(fields)


def _without_echo_loosely(line: bytes) -> bytes:
    """Drop the echo from a line that is JSON only by the loose reading, which still can read the rest."""
    fields = _loose_object(line)
    if fields is None or "modelInput" not in fields:
        return line
    del fields["modelInput"]
    return json.dumps(fields).encode()


def judge(line: OutputLine, analysis: Analysis) -> Judged:
    """Decide what a record gave. Any text of the model leads to an outcome, none to an exception."""
    if line.error is not None:
        return _failed(line, Outcome.MODEL_ERROR, line.error.code, line.error.message, line.error.retryable)
    if line.stop_reason in WITHHELD:
        return _failed(line, Outcome.FILTERED, "CONTENT_FILTERED", "The model's answer was withheld.")
    if line.stop_reason != CUT and not line.text.strip():
        return _failed(line, Outcome.FILTERED, "EMPTY_ANSWER", "The model gave no text.")
    try:
        return _judge_text(line, analysis)
    except RuleFailed as error:
        return _failed(line, Outcome.UNPARSABLE, "RULE_FAILED", str(error))


def _judge_text(line: OutputLine, analysis: Analysis) -> Judged:
    reading, repaired = _read(line.text, analysis)
    if line.stop_reason == CUT:
        return _truncated(line, reading)
    if reading is None or reading.blank:
        return _unparsable(line, analysis, reading)
    return Judged(
        Outcome.SUCCEEDED,
        reading.result,
        repaired=repaired,
        stop_reason=line.stop_reason,
        input_tokens=line.input_tokens,
        output_tokens=line.output_tokens,
        missing=reading.missing,
    )


def _read(text: str, analysis: Analysis) -> tuple[Reading | None, bool]:
    """Return the reading of the text, None where it holds no JSON, and whether it had to be repaired."""
    body = without_fence(text)
    if (reading := analysis.read_text(body)) is not None:
        return reading, False
    answer = parse_answer(body)
    return (None, False) if answer is None else (analysis.read(answer.value), answer.repaired)


def _unparsable(line: OutputLine, analysis: Analysis, reading: Reading | None) -> Judged:
    if reading is None:
        return _failed(line, Outcome.UNPARSABLE, "NOT_JSON", "The model's text holds no JSON object.")
    why = f"The model's answer has none of the fields of {analysis.name}."
    return _failed(line, Outcome.UNPARSABLE, "NOT_THE_SHAPE", why)


def _truncated(line: OutputLine, reading: Reading | None) -> Judged:
    """Keep the readable part of a cut answer; what could be kept counts as repaired."""
    kept = None if reading is None or reading.blank else reading
    return Judged(
        Outcome.TRUNCATED,
        kept.result if kept else None,
        error_code="MAX_TOKENS",
        error_message="The answer was cut at its token limit. Allow more with options.max_tokens.",
        repaired=kept is not None,
        stop_reason=line.stop_reason,
        input_tokens=line.input_tokens,
        output_tokens=line.output_tokens,
        raw_text=storable(line.text),
        missing=kept.missing if kept else (),
    )


def _failed(line: OutputLine, outcome: Outcome, code: str, message: str, retryable: bool = False) -> Judged:
    return Judged(
        outcome,
        error_code=code,
        error_message=message,
        retryable=retryable,
        stop_reason=line.stop_reason,
        input_tokens=line.input_tokens,
        output_tokens=line.output_tokens,
        raw_text=storable(line.text) or None,
    )


class _Content(msgspec.Struct, rename="camel"):
    text: Annotated[str | None, MAIN] = None


class _Message(msgspec.Struct, rename="camel"):
    content: list[_Content] | None = None


class _Output(msgspec.Struct, rename="camel"):
    message: _Message | None = None


class _Usage(msgspec.Struct, rename="camel"):
    input_tokens: float | None = None
    output_tokens: float | None = None


class _ModelOutput(msgspec.Struct, rename="camel"):
    output: _Output | None = None
    stop_reason: str | None = None
    usage: _Usage | None = None


class _Error(msgspec.Struct, rename="camel"):
    error_code: str | int | None = None
    error_message: Annotated[str | None, MAIN] = None
    expired: bool | None = None
    retryable: bool | None = None


class _Line(msgspec.Struct, rename="camel"):
    record_id: str | None = None
    model_output: _ModelOutput | None = None
    error: _Error | None = None


_DECODER = msgspec.json.Decoder(_Line)
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_READER = reader_of(_Line)


def _strictly(line: bytes) -> _Line | None:
    try:
        return _DECODER.decode(line)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None


def _loosely(line: bytes) -> _Line | None:
    """Read a line whose fields are of other types than AWS documents, or whose text is not sound UTF-8."""
    value = _loose_object(line)
    return None if value is None else msgspec.convert(_READER.mend(value, "", Notes()), _Line)


def _loose_object(line: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(line.decode("utf-8", "replace"), strict=False)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _name_of(record_id: str) -> layout.RecordName | None:
    try:
        return layout.parse_record_id(record_id)
    except ValueError:
        return None


def _output_line(told: _Line, record_id: str, name: layout.RecordName | None) -> OutputLine:
    output = told.model_output or _ModelOutput()
    usage = output.usage or _Usage()
    message = (output.output and output.output.message) or _Message()
    return OutputLine(
        record_id,
        name,
        "".join(part.text for part in message.content or () if part.text),
        output.stop_reason,
        _count(usage.input_tokens),
        _count(usage.output_tokens),
        _error(told),
    )


def _error(told: _Line) -> LineError | None:
    error = told.error
    if error is not None and (error.error_code or error.error_message or told.model_output is None):
        return LineError(
            "UNKNOWN" if error.error_code is None else storable(str(error.error_code)),
            storable(error.error_message or "Bedrock gave no message."),
            bool(error.retryable or error.expired),
        )
    if told.model_output is None:
        return LineError("NO_OUTPUT", "The line holds neither modelOutput nor error.", retryable=True)
    return None


def _count(number: float | None) -> int | None:
    return int(number) if number is not None and 0 <= number < _MOST_TOKENS else None
