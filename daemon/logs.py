"""Log lines: one fact each, a constant name, JSON for machines or colours for people, on stderr.

What an error says may repeat the data it met: a row, a prompt, an answer of the model. Above debug a line
tells the kind of an error and where it arose, never its words nor the values of variables.
"""

import logging
import sys
import traceback
from collections.abc import Iterator
from typing import Any, Literal

import msgspec
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

LIBRARY = "library_said"
_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}


def configure(level: Literal["debug", "info", "warning", "error"], form: Literal["json", "console"]) -> None:
    """Set up logging for this process; warnings of libraries come in the same shape."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    tail: list[Processor] = [_with_words if level == "debug" else _without_words, _renderer(form)]
    structlog.configure(
        processors=[*shared, *tail],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    remove = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=[*shared, _named], processors=[remove, *tail])
    )
    logging.basicConfig(handlers=[handler], level=max(_LEVELS[level], logging.WARNING), force=True)


def _renderer(form: Literal["json", "console"]) -> Processor:
    if form == "json":
        return structlog.processors.JSONRenderer(serializer=_to_json)
    return structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())


def _to_json(line: Any, **_: Any) -> str:
    return msgspec.json.encode(line, enc_hook=str).decode()


def _named(_: WrappedLogger, __: str, line: EventDict) -> EventDict:
    """Give what a library says a constant name too."""
    return {**line, "event": LIBRARY, "logger": line["_record"].name, "why": line["event"]}


def _with_words(_: WrappedLogger, __: str, line: EventDict) -> EventDict:
    error = _error(line.pop("exc_info", None))
    return line if error is None else {**line, "exception": "".join(traceback.format_exception(error))}


def _without_words(_: WrappedLogger, __: str, line: EventDict) -> EventDict:
    error = _error(line.pop("exc_info", None))
    return line if error is None else {**line, "exception": "".join(_places(error))}


def _error(found: Any) -> BaseException | None:
    """Return the error of a line: given as itself by us, as a triple by the standard library."""
    error = found[1] if isinstance(found, tuple) else found
    return error if isinstance(error, BaseException) else None


def _places(error: BaseException) -> Iterator[str]:
    """Write where an error and those it follows from arose, the first one first."""
    earlier = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if earlier is not None:
        yield from _places(earlier)
    yield from traceback.format_tb(error.__traceback__)
    yield f"{type(error).__qualname__}\n"
