"""A day on which everything goes wrong that can: it must end with every record accounted for."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from deploy.local import stack
from deploy.local.demo import findings, tables, troubles
from deploy.local.demo.command import ask
from deploy.local.demo.day import Day
from deploy.local.demo.originals import NoMediaError

DEAD_LETTERS = tuple(f"{queue}-dlq" for queue in (stack.SUBMIT_QUEUE, stack.STATE_QUEUE, stack.CLEANUP_QUEUE))


class BadDay(Day):
    """One run among throttles, lost answers, lost and doubled events, failing jobs and spoilt answers."""

    SETTINGS: ClassVar[Mapping[str, str]] = troubles.SETTINGS

    def __post_init__(self) -> None:
        super().__post_init__()
        if sum(each.path is not None for each in self.files) < troubles.NEEDED_FILES:
            raise NoMediaError(f"a bad day needs {troubles.NEEDED_FILES} files of media or more")
        self.files = troubles.expecting(self.files)
        self.control = self.local.server.control
        troubles.begin(self.control)

    def clean_up(self, status: Mapping[str, Any]) -> None:
        """Clean what is kept for a person to look at: the folder of the job that failed."""
        self.say("the folder of the failed job is kept until somebody cleans it: novabatch cleanup")
        ask(self.environment, "cleanup", str(status["batch_id"]), "--yes")

    def problems(self, found: Sequence[findings.Answer]) -> list[str]:
        """Say what came out otherwise than it should, what never went wrong, and what was bought twice."""
        struck = troubles.hits(self.control)
        self.console.print()
        tables.show_troubles(self.console, struck)
        return [
            *super().problems(found),
            *troubles.problems_of_faults(struck),
            *troubles.problems_of_purchases(found, self.control.jobs()),
            *troubles.problems_of_queues({queue: self._depth(queue) for queue in DEAD_LETTERS}),
        ]

    def _depth(self, queue: str) -> int:
        url = self.sqs.get_queue_url(QueueName=queue)["QueueUrl"]
        name = "ApproximateNumberOfMessages"
        return int(self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])["Attributes"][name])
