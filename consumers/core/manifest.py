"""The lines of a chunk's manifest, as Bedrock reads them.

One JSON object a line with Nova's own body (AWS: Nova, complete request schema). Nothing in a line can be
taken for a line's end, so it may be split at `\\n` or by any reader that knows more line ends.
"""

from collections.abc import Sequence
from functools import lru_cache

import msgspec

from consumers.core.layout import padding_id
from consumers.core.media import Media
from schemas.inference import Inference

SCHEMA_VERSION = "messages-v1"
PADDING_TEXT = "Answer with one word: yes."
MAX_MANIFEST_BYTES = 500_000_000
"""Half of what AWS allows one input file, so that 4.5 GB of media and their manifest stay below 5 GB."""
LONGEST_LINE = 112_000
"""The most bytes a record may take: the longest prompt and context, and what stands around them."""
_LINE_ENDS = ((b"\xe2\x80\xa8", b"\\u2028"), (b"\xe2\x80\xa9", b"\\u2029"), (b"\xc2\x85", b"\\u0085"))


def record_line(record_id: str, uri: str, media: Media, prompt: Sequence[str], inference: Inference) -> bytes:
    """Write the line that asks for one analysis of one file, with its `\\n`.

    `uri` names the copy below the job's own input folder (AWS: Bedrock batch inference, input data); the
    prompt comes in pieces, so that those of many lines are written once. UnicodeEncodeError for a prompt
    that holds half of a surrogate pair.
    """
    return b"".join(
        (
            _head(record_id),
            b'{"',
            media.kind.encode(),
            b'":{"format":',
            _json(media.format),
            b',"source":{"s3Location":{"uri":',
            _json(uri),
            b'}}}},{"text":"',
            *map(_piece, prompt),
            b'"}]}],"inferenceConfig":',
            _settings(inference),
            b"}}\n",
        )
    )


def padding_line(number: int) -> bytes:
    """Write a line that only fills a chunk up to Bedrock's minimum: text, one token of answer."""
    return b'%b{"text":%b}]}],"inferenceConfig":{"maxTokens":1}}}\n' % (
        _head(padding_id(number)),
        _json(PADDING_TEXT),
    )


def _head(record_id: str) -> bytes:
    return b'{"recordId":%b,"modelInput":{"schemaVersion":"%b","messages":[{"role":"user","content":[' % (
        _json(record_id),
        SCHEMA_VERSION.encode(),
    )


@lru_cache(maxsize=64)
def _piece(text: str) -> bytes:
    """Write text as it stands within quotes. Kept for the next lines: those of a chunk share long pieces."""
    return _json(text)[1:-1]


@lru_cache(maxsize=64)
def _settings(inference: Inference) -> bytes:
    settings: dict[str, float] = {"maxTokens": inference.max_tokens}
    if inference.temperature is not None:
        settings["temperature"] = float(inference.temperature)
    if inference.top_p is not None:
        settings["topP"] = float(inference.top_p)
    return _json(settings)


def _json(value: object) -> bytes:
    written = msgspec.json.encode(value)
    if written.isascii():
        return written
    for raw, escaped in _LINE_ENDS:
        written = written.replace(raw, escaped)
    return written
