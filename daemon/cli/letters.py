"""Dead letters as an operator reads them: what each was about, and why it is there."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from consumers.core import layout
from consumers.core.faults import Fault
from daemon.cli.access import Access, views_if_any
from daemon.cli.output import age, cell, counted, printable, show, table, wrapped
from schemas.queues import Queue

if TYPE_CHECKING:
    from daemon.adapters.dead_letters import DeadLetter
    from daemon.adapters.views import Views

MOVED = "moved by SQS, since it failed too often (maxReceiveCount)"
NAMES = ("chunk_id", "batch_id", "request_id", "folder", "place", "source")
Document = dict[str, Any]


class Reason(NamedTuple):
    """Why a message is a dead letter, and where that is known from."""

    code: str | None
    message: str | None
    source: str | None


class Reader:
    """Reads letters; the store is asked about those that carry no reason, if there is one."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._views: Views | None = None

    def describe(self, queue: Queue, letter: "DeadLetter") -> Document:
        """Describe a letter with its reason."""
        reason = self.reason(queue, letter)
        return {
            "queue": queue.value,
            "message_id": letter.id,
            "type": letter.type,
            "about": about(letter),
            "error_code": reason.code,
            "error_message": reason.message,
            "reason_from": reason.source,
            "moved_by_sqs": reason.source != "attributes",
            "receives": letter.receives,
            "sent_at": letter.sent_at.isoformat().replace("+00:00", "Z") if letter.sent_at else None,
            "body": letter.body,
        }

    def reason(self, queue: Queue, letter: "DeadLetter") -> Reason:
        """Find out why: what the consumer wrote on it, what its body is refused for, what its row notes."""
        if letter.error_code or letter.error_message:
            return Reason(letter.error_code, letter.error_message, "attributes")
        return _of_body(queue, letter.body) or self._of_row(letter) or Reason(None, None, None)

    def _of_row(self, letter: "DeadLetter") -> Reason | None:
        names = [str(letter.fields[name]) for name in NAMES[:2] if name in letter.fields]
        if "request_id" in letter.fields:
            names.append(layout.batch_id(str(letter.fields["request_id"])))
        if not names:
            return None
        try:
            self._views = self._views or views_if_any(self._access)
            errors = (self._views.last_error_of(name) for name in names) if self._views else ()
            return next((Reason(None, error, "store") for error in errors if error), None)
        except Fault:
            return None


def _of_body(queue: Queue, body: str) -> Reason | None:
    from schemas.parsing import UnreadableMessage, parse

    try:
        parse(queue, body)
    except UnreadableMessage as error:
        return Reason(error.code, error.message, "body")
    return None


def about(letter: "DeadLetter") -> str | None:
    """Name what a message is about: a chunk, a batch, a request, or a job."""
    detail = letter.fields.get("detail")
    job = detail.get("batchJobName") if isinstance(detail, dict) else None
    found = next((letter.fields[name] for name in NAMES if name in letter.fields), job)
    return None if found is None else str(found)


def show_letters(document: Sequence[Document]) -> None:
    """Show each letter with its id on a line of its own, to be copied, and why it is there."""
    now = datetime.now(UTC)
    for each in document:
        for line in _lines(each, now):
            wrapped(line, indent=2)
    if not document:
        show(table(""), otherwise="No dead letters.")


def show_codes(document: Sequence[Document]) -> None:
    """Count the letters by queue, type and code: what a redrive can choose by."""
    counts: dict[tuple[str, str | None, str | None], int] = {}
    for each in document:
        key = (each["queue"], each["type"], each["error_code"])
        counts[key] = counts.get(key, 0) + 1
    made = table("queue", "type~", "error_code~", "letters>")
    for key, count in counts.items():
        made.add_row(*map(cell, (*key, count)))
    if counts:
        show(made)


def _lines(each: Document, now: datetime) -> Iterator[str]:
    sent = datetime.fromisoformat(each["sent_at"]) if each["sent_at"] else None
    named = printable(" of ".join(filter(None, (each["type"] or "no type that can be read", each["about"]))))
    received = counted(each["receives"], "receive")
    yield f"{each['message_id']}  {each['queue']}, {age(now, sent)} old, {received}"
    yield f"  {named}"
    yield f"  {printable(_why(each))}"


def _why(each: Document) -> str:
    told = ": ".join(filter(None, (each["error_code"], each["error_message"])))
    if not each["moved_by_sqs"]:
        return told
    if each["reason_from"] == "store":
        told = f"the last error of what it is about: {told}"
    return f"{MOVED}; {told or 'the log of its consumer tells why, by this message id'}"
