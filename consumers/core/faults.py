"""What can go wrong at a port, told apart by what the caller should do about it."""


class Fault(Exception):
    """Something outside failed; ``code`` is the outside's own name for it."""

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.code = code or type(self).__name__


class PassingFault(Fault):
    """Try again later: a timeout, a broken connection, a 5xx answer."""


class Throttled(PassingFault):
    """The service asks us to slow down."""


class QuotaExceeded(PassingFault):
    """Too many jobs are submitted or in progress for this model (Bedrock: 20 by default)."""


class Denied(Fault):
    """A permission is missing; the message names the call."""


class Missing(Fault):
    """What was named does not exist."""


class Changed(Fault):
    """A condition did not hold: the object changed, or exists already."""


class Archived(Fault):
    """The object lies in an archive class and must be restored before it can be read."""


class Rejected(Fault):
    """The service refuses the request itself; sending it again cannot help."""


class NameTaken(Fault):
    """A job of this name exists already, perhaps ours from a create whose answer was lost."""


class LeaseLost(Fault):
    """Another holder may be at work: stop, write nothing."""
