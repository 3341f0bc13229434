"""A client of the /_local paths."""

import json
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen


class RefusedError(Exception):
    """The local AWS did not accept what it was told."""


class Control:
    """Steers a running local AWS: faults, settings, counts."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")

    def add_faults(self, **faults: Any) -> dict[str, Any]:
        """Add faults: `calls=[…], jobs=[…], records=[…], events={…}`."""
        return self._ask("POST", "faults", faults)

    def faults(self) -> dict[str, Any]:
        """Return the faults in force, with their hits."""
        return self._ask("GET", "faults")

    def clear_faults(self) -> dict[str, Any]:
        """Forget every fault; jobs kept in a state go on."""
        return self._ask("DELETE", "faults")

    def set(self, **settings: Any) -> dict[str, Any]:
        """Change settings such as `step_seconds`."""
        return self._ask("POST", "settings", settings)

    def return_messages(self, queue: str) -> int:
        """Make a queue's messages visible again that somebody has received; return how many there were."""
        return int(self._ask("POST", "return", {"queue": queue})["returned"])

    def calls(self) -> dict[str, Any]:
        """Return the calls counted so far, by service and operation."""
        counted: dict[str, Any] = self._ask("GET", "calls")["calls"]
        return counted

    def calls_of(self, caller: str) -> dict[str, Any]:
        """Return the calls `made` by who signs with an access key id, by operation, and those `open` now."""
        return self._ask("POST", "caller", {"caller": caller})

    def permissions(self) -> dict[str, Any]:
        """Return what each role's callers are `given`, have `used` of it, and were `refused`."""
        return self._ask("GET", "permissions")

    def deny(self, caller: str, *actions: str) -> None:
        """Deny a role actions from now on, whatever its policies allow; none ends that."""
        self._ask("POST", "deny", {"caller": caller, "actions": actions})

    def jobs(self) -> list[dict[str, Any]]:
        """Return every job made, with the ids of its records and of those bought."""
        jobs: list[dict[str, Any]] = self._ask("GET", "calls")["jobs"]
        return jobs

    def reset(self) -> None:
        """Empty the whole local AWS, queues and buckets too."""
        self._ask("POST", "reset")

    def is_ready(self) -> bool:
        """Tell whether the server answers."""
        try:
            return bool(self._ask("GET", "health")["ready"])
        except OSError:
            return False

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        request = Request(f"{self.url}/_local/{path}", data=data, method=method)
        try:
            with urlopen(request, timeout=10) as answer:
                read: dict[str, Any] = json.load(answer)
        except HTTPError as error:
            raise RefusedError(error.read().decode()) from error
        return read
