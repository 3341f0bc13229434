"""What every fake port does with a call: note it, let the test strike, fail as it was told to."""

from collections.abc import Callable
from dataclasses import dataclass, field

OnCall = Callable[[str], None]


def ignore(call: str) -> None:
    """Let every call pass."""


@dataclass
class _Plan:
    call: str
    subject: str
    fault: Exception
    times: int
    lost_answer: bool

    def meets(self, call: str, subject: str, *, done: bool) -> bool:
        return self.times > 0 and self.call == call and self.subject in subject and self.lost_answer is done


@dataclass
class Calls:
    """The calls a fake has met, as ``(call, subject)``, and the faults it still has to raise.

    ``on_call`` hears ``"<fake>.<call> <subject>"`` before each call and, once the call has taken effect,
    the same with `` done`` behind it; what it raises goes to the caller: a crash before the call, or one
    that lost the answer.
    """

    fake: str
    on_call: OnCall = ignore
    log: list[tuple[str, str]] = field(default_factory=list)
    _plans: list[_Plan] = field(default_factory=list)

    def fail_next(
        self, call: str, fault: Exception, *, subject: str = "", times: int = 1, lost_answer: bool = False
    ) -> None:
        """Raise ``fault`` at the next calls about ``subject`` (a part of it is enough).

        With ``lost_answer`` the call takes effect first.
        """
        self._plans.append(_Plan(call, subject, fault, times, lost_answer))

    def heal(self) -> None:
        """Forget the faults that are still to come."""
        self._plans.clear()

    def begin(self, call: str, subject: str) -> None:
        self.log.append((call, subject))
        self.on_call(f"{self.fake}.{call} {subject}")
        self._strike(call, subject, done=False)

    def end(self, call: str, subject: str) -> None:
        self.on_call(f"{self.fake}.{call} {subject} done")
        self._strike(call, subject, done=True)

    def count(self, call: str) -> int:
        """Count the calls of one name."""
        return sum(each == call for each, _ in self.log)

    def _strike(self, call: str, subject: str, *, done: bool) -> None:
        for plan in self._plans:
            if plan.meets(call, subject, done=done):
                plan.times -= 1
                raise plan.fault
