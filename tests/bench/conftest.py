"""Log lines are no part of what benches tell."""

from tests.daemon.conftest import quiet

__all__ = ["quiet"]
