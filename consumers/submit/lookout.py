"""Looking up between two files: is the message still ours, and does the sender still want them?"""

from dataclasses import dataclass

from consumers.core.world import World

FILES_BETWEEN = 25
BYTES_BETWEEN = 500_000_000


class Cancelled(Exception):
    """The batch was cancelled while its chunk was staged."""


@dataclass
class Lookout:
    """Asks the store for the cancel flag now and then: a query for every file would cost as much as its copy.

    Small files are many a second and large ones few, so that either count is reached within about a second.
    """

    chunk_id: str
    world: World
    files: int = 0
    bytes: int = 0

    def passed(self, bytes: int) -> None:
        """Count a file that is through. Raises LeaseLost, or Cancelled."""
        self.world.checkpoint()
        self.files += 1
        self.bytes += bytes
        if self.files >= FILES_BETWEEN or self.bytes >= BYTES_BETWEEN:
            self.look()

    def look(self) -> None:
        """Ask now. Raises Cancelled."""
        self.files = self.bytes = 0
        chunk = self.world.store.chunk(self.chunk_id)
        if chunk is not None and chunk.cancelled:
            raise Cancelled
