"""Reading a record's modelInput as strictly as the model does."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

VIDEO_FORMATS = ("mkv", "mov", "mp4", "webm", "flv", "mpeg", "mpg", "wmv", "three_gp")
IMAGE_FORMATS = ("png", "jpeg", "gif", "webp")
FORMATS = {"video": VIDEO_FORMATS, "image": IMAGE_FORMATS}
TOP_LEVEL = {
    "schemaVersion",
    "system",
    "messages",
    "inferenceConfig",
    "toolConfig",
    "reasoningConfig",
    "additionalModelRequestFields",
}
INFERENCE = {"maxTokens", "max_new_tokens", "temperature", "topP", "top_p", "topK", "top_k", "stopSequences"}
DEFAULT_MAX_TOKENS = 5000


class RecordRefusedError(Exception):
    """One record's error; the job goes on."""

    def __init__(self, message: str, code: int = 400, *, retryable: bool = False) -> None:
        super().__init__(message)
        self.message, self.code, self.retryable = message, code, retryable


@dataclass(frozen=True)
class Media:
    """A video or image named in a prompt."""

    kind: str
    format: str
    uri: str


@dataclass(frozen=True)
class Prompt:
    """What a record asks."""

    text: str
    media: tuple[Media, ...]
    max_tokens: int


def read(model_input: Any, token_limit: int) -> Prompt:
    """Return the prompt of a modelInput, or raise the record's error."""
    body = _object(model_input, "#")
    unknown = sorted(set(body) - TOP_LEVEL)
    if unknown:
        raise _malformed(f"#: extraneous key [{unknown[0]}] is not permitted")
    if body.get("schemaVersion", "messages-v1") != "messages-v1":
        raise _malformed("#/schemaVersion: messages-v1 is the only known version")
    texts = [_text(each, "#/system") for each in _list(body.get("system", []), "#/system")]
    parts = list(_contents(body.get("messages")))
    texts += [part for part in parts if isinstance(part, str)]
    media = tuple(part for part in parts if isinstance(part, Media))
    if sum(each.kind == "video" for each in media) > 1:
        raise _malformed("#/messages: only one video is supported per request")
    return Prompt("\n".join(texts), media, _max_tokens(body.get("inferenceConfig", {}), token_limit))


def _contents(messages: Any) -> Iterator[str | Media]:
    found = _list(messages, "#/messages")
    if not found:
        raise _malformed("#: required key [messages] not found")
    for number, each in enumerate(found):
        place = f"#/messages/{number}"
        message = _object(each, place)
        if message.get("role") not in ("user", "assistant") or (number == 0 and message["role"] != "user"):
            raise _malformed(
                f"{place}/role: a conversation alternates user and assistant and starts with user"
            )
        content = _list(message.get("content"), f"{place}/content")
        if not content:
            raise _malformed(f"{place}/content: at least one content block is required")
        for part in content:
            yield _part(_object(part, f"{place}/content"), f"{place}/content")


def _part(part: dict[str, Any], place: str) -> str | Media:
    members = [name for name, value in part.items() if value is not None]
    if len(members) != 1 or members[0] not in ("text", "video", "image"):
        raise _malformed(f"{place}: exactly one of [text, image, video] is required, found {members}")
    if members == ["text"]:
        return _text(part, place)
    kind = members[0]
    media = _object(part[kind], f"{place}/{kind}")
    uri = _object(
        _object(media.get("source"), f"{place}/{kind}/source").get("s3Location"), f"{place}/s3Location"
    ).get("uri")
    if not isinstance(uri, str):
        raise _malformed(f"{place}/{kind}/source/s3Location: required key [uri] not found")
    if media.get("format") not in FORMATS[kind]:
        raise _malformed(
            f"{place}/{kind}/format: {media.get('format')} is not a valid enum value of {FORMATS[kind]}"
        )
    return Media(kind, str(media["format"]), uri)


def _max_tokens(config: Any, limit: int) -> int:
    inference = _object(config, "#/inferenceConfig")
    unknown = sorted(set(inference) - INFERENCE)
    if unknown:
        raise _malformed(f"#/inferenceConfig: extraneous key [{unknown[0]}] is not permitted")
    for name in ("temperature", "topP", "top_p"):
        value = inference.get(name, 0.5)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
            raise _malformed(f"#/inferenceConfig/{name}: {value} is not between 0 and 1")
    wanted = inference.get("maxTokens", inference.get("max_new_tokens", DEFAULT_MAX_TOKENS))
    if isinstance(wanted, bool) or not isinstance(wanted, int) or wanted < 1:
        raise _malformed(f"#/inferenceConfig/maxTokens: {wanted} is not a positive integer")
    if wanted > limit:
        raise RecordRefusedError(f"The maximum tokens you requested exceeds the model limit of {limit}")
    return wanted


def _object(value: Any, place: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _malformed(f"{place}: expected type: Object, found: {type(value).__name__}")
    return value


def _list(value: Any, place: str) -> list[Any]:
    if not isinstance(value, list):
        raise _malformed(f"{place}: expected type: Array, found: {type(value).__name__}")
    return value


def _text(part: Any, place: str) -> str:
    text = _object(part, place).get("text")
    if not isinstance(text, str) or not text:
        raise _malformed(f"{place}/text: expected a non-empty String")
    return text


def _malformed(why: str) -> RecordRefusedError:
    return RecordRefusedError(f"Malformed input request: {why}, please reformat your input and try again.")
