"""The places for messages in work: as many as there are threads, never more, never leaked."""

import threading


class Slots:
    """Counted permits; 0 <= busy <= total always."""

    def __init__(self, total: int) -> None:
        self.total = total
        self._free = total
        self._wanted = 1
        self._changed = threading.Condition()

    @property
    def free(self) -> int:
        """Return how many places are free."""
        return self._free

    @property
    def busy(self) -> int:
        """Return how many places are taken."""
        return self.total - self._free

    def take(self, most: int) -> int:
        """Take up to so many free places; returns how many."""
        with self._changed:
            taken = min(most, self._free)
            self._free -= taken
            return taken

    def give(self, count: int = 1) -> None:
        """Give places back."""
        with self._changed:
            if self._free + count > self.total:
                raise ValueError(f"{count} places given back, but only {self.busy} were taken")
            self._free += count
            if self._free >= self._wanted:
                self._changed.notify()

    def wait(self, count: int, seconds: float) -> bool:
        """Wait, in one thread only, until so many places are free; tells whether they are."""
        with self._changed:
            self._wanted = count
            return self._changed.wait_for(lambda: self._free >= count, seconds)
