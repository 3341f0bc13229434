"""What of the emulator can be set while it runs, with the values it starts with."""

from dataclasses import dataclass
from typing import Any


@dataclass
class Knobs:
    """Limits and habits of the emulated Bedrock; the defaults are the documented ones.

    A job stays ``step_seconds`` in each state, and in InProgress ``run_seconds`` longer, give or take the
    share ``run_spread`` of them. ``foreign_jobs`` of somebody else in the account take quota.
    """

    step_seconds: float = 0.2
    run_seconds: float = 0.0
    run_spread: float = 0.0
    jobs_per_model: int = 20
    foreign_jobs: int = 0
    min_records: int = 100
    max_records: int = 50_000
    max_input_file_bytes: int = 1_000_000_000
    max_job_bytes: int = 5_000_000_000
    max_video_bytes: int = 1_000_000_000
    duplicate_name_error: str = "ConflictException"
    forget_tokens: bool = False
    missing_object_code: int = 404
    report_counts: bool = True
    check_media: bool = False
    stopped_share: float = 0.5

    def update(self, changes: dict[str, Any]) -> None:
        """Set the named knobs, or none of them when a name is unknown or a value of the wrong kind."""
        known: dict[str, type[Any]] = {name: type(value) for name, value in vars(Knobs()).items()}
        unknown = sorted(set(changes) - set(known))
        if unknown:
            raise ValueError(f"unknown setting {', '.join(unknown)}; there are {', '.join(sorted(known))}")
        for name, value in changes.items():
            wanted = known[name]
            if type(value) is not wanted and not (wanted is float and type(value) is int):
                raise ValueError(f"{name} must be of type {wanted.__name__}, not {type(value).__name__}")
        for name, value in changes.items():
            setattr(self, name, known[name](value))
