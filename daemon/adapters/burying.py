"""Putting messages among the dead letters, with the reason they are there."""

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from consumers.core.faults import Fault, Rejected
from daemon.adapters.sqs_entries import failed, fitting, printable, sqs_faults
from daemon.mailbox import Letter

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

MAX_CODE_BYTES = 128
MAX_REASON_BYTES = 1024
NO_ROOM = "see the log"
NAMES = ("error_code", "error_message")


class Burial:
    """A queue of dead letters."""

    def __init__(self, client: "SQSClient", url: str) -> None:
        self._client = client
        self._url = url

    def bury(self, letters: Sequence[Letter]) -> Sequence[bool | Fault]:
        """Send letters, their reasons cut where they must be; False for a body that leaves no room for any.

        Those that did not get through together are tried by themselves.
        """
        letters = [_fit(letter) for letter in letters]
        sent: list[bool | Fault] = [True] * len(letters)
        for positions in fitting([_size(letter) for letter in letters]):
            for position in self._in_one_call({n: letters[n] for n in positions}):
                sent[position] = self._alone(letters[position])
        return sent

    def _in_one_call(self, letters: Mapping[int, Letter]) -> Collection[int]:
        """Send letters that fit in one call; returns those that have to be tried by themselves."""
        if len(letters) == 1:
            return letters.keys()
        entries: Any = [{"Id": str(n), **_entry(letter)} for n, letter in letters.items()]
        try:
            with sqs_faults("SendMessageBatch", self._url):
                answer = self._client.send_message_batch(QueueUrl=self._url, Entries=entries)
        except Fault:
            return letters.keys()
        return [int(position) for position in failed(answer)]

    def _alone(self, letter: Letter) -> bool | Fault:
        """Send one letter, without its reason where that does not fit."""
        for each in (letter, letter._replace(why=NO_ROOM)):
            try:
                with sqs_faults("SendMessage", self._url):
                    self._client.send_message(QueueUrl=self._url, **_entry(each))
            except Rejected:
                continue
            except Fault as fault:
                return fault
            return True
        return False


def _fit(letter: Letter) -> Letter:
    code, why = printable(letter.code, MAX_CODE_BYTES), printable(letter.why, MAX_REASON_BYTES)
    return letter._replace(code=code, why=why)


def _entry(letter: Letter) -> dict[str, Any]:
    reasons = zip(NAMES, letter[1:], strict=True)
    attributes = {name: {"DataType": "String", "StringValue": text} for name, text in reasons}
    return {"MessageBody": letter.body, "MessageAttributes": attributes}


def _size(letter: Letter) -> int:
    """Count a letter's bytes as SQS does: its body, and names, types and values of its attributes."""
    return sum(len(text.encode()) for text in (*letter, *NAMES)) + len("String") * len(NAMES)
