"""What `doctor` looks at, one thing after the other."""

from collections.abc import Iterator

from daemon.cli.access import Access
from daemon.cli.examination import account, bedrock, bucket, choices, database, queues
from daemon.cli.examination.check import Check, Level

__all__ = ["Check", "Level", "examine"]


def examine(access: Access) -> Iterator[Check]:
    """Look at everything; a fault of one thing hides none of the others."""
    yield from choices.examine(access)
    yield from account.examine(access)
    yield from queues.examine(access)
    yield from bucket.examine(access)
    yield from bedrock.examine(access)
    yield from database.examine(access)
