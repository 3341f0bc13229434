"""What belongs to no chunk, as a person names it for cleaning."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from daemon.cli.access import Access
from daemon.cli.going import CLEANS_ON, Ended, Going, wait_for

if TYPE_CHECKING:
    from consumers.cleanup.strangers import Stranger
    from schemas.messages import Message


class Strangers:
    """Folders of nobody, and what an earlier system left, each by its name."""

    def __init__(self, access: Access, unowned: Sequence[str], legacy: Sequence[str]) -> None:
        self._access = access
        self._messages, self._named = _named(unowned, legacy)
        for stranger in self._named:
            if why := self._objection(stranger):
                raise click.ClickException(why)
        found = [self._measured(stranger) for stranger in self._named]
        self.going = [each for each in found if each.objects]

    def messages(self) -> "Sequence[Message]":
        """Return a message for each name."""
        return self._messages

    def ended(self, wait: int) -> Ended:
        """Wait until nothing is listed any more."""
        names = {each.folder for each in self.going}
        left = [stranger for stranger in self._named if stranger.name in names]

        def count_left() -> int:
            left[:] = [stranger for stranger in left if self._measured(stranger).objects]
            return len(left)

        wait_for(count_left, len(left), wait, CLEANS_ON)
        kept = {stranger.name for stranger in left}
        return Ended(
            [(each.objects, each.bytes) for each in self.going if each.folder not in kept],
            [
                {
                    "chunk_id": None,
                    "folder": each.name,
                    "message": self._objection(each) or "sent, not gone yet",
                }
                for each in left
            ],
        )

    def _measured(self, stranger: "Stranger") -> Going:
        from consumers.cleanup.emptying import lying_at

        places, objects = stranger.places, self._access.objects
        sizes = [version.bytes for place in places for version in lying_at(place, objects)]
        return Going(None, stranger.name, len(sizes), sum(sizes))

    def _objection(self, stranger: "Stranger") -> str:
        """Ask what the consumer will ask."""
        from consumers.cleanup.strangers import Witnesses, objections

        access = self._access
        bucket = access.settings.bucket
        witnesses = Witnesses(access.store, access.objects, access.parts.jobs, bucket)
        return next(objections(stranger, witnesses), "")


def _named(unowned: Sequence[str], legacy: Sequence[str]) -> tuple[list["Message"], list["Stranger"]]:
    """Read the names; a wrong one is a wrong use of the verb."""
    from consumers.cleanup import strangers
    from schemas.messages import CleanupLegacy, CleanupUnowned

    messages: list[Message] = [CleanupUnowned(folder=folder) for folder in unowned]
    messages += [CleanupLegacy(place=place) for place in legacy]
    try:
        named = [*map(strangers.unowned, unowned), *map(strangers.legacy, legacy)]
    except ValueError as error:
        raise click.UsageError(f"{error}: `novabatch storage` tells the names") from error
    return messages, named
