"""The numbers that panels must equal, asked of the store, the queues and the processes themselves."""

import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from platform import python_version
from typing import Any

from sqlalchemy import ColumnElement, FromClause, create_engine, func, select

from consumers.core.lifecycle import ChunkState
from daemon.adapters.tables import batches, chunks, days, files, findings, job_open, jobs
from deploy.local import stack
from deploy.local.demo.command import ask_json
from schemas.models import load_models
from tests.dashboards.days import SETTINGS, Watched, processor_seconds

QUEUES = {"submit": stack.SUBMIT_QUEUE, "state": stack.STATE_QUEUE, "cleanup": stack.CLEANUP_QUEUE}
CONSUMES = {"submit": "submit", "state": "job_state", "cleanup": "cleanup"}
PLACES = 8
BUCKET_SECONDS = 60  # the first bucket of jobs and phases: a quantile is guessed to lie evenly within
WAITING = (ChunkState.PLANNED, ChunkState.PREPARING, ChunkState.READY)
THROUGH = {ChunkState.COMPLETED, ChunkState.CANCELLED}
VISIBLE = "ApproximateNumberOfMessages"
Numbers = Mapping[str, float]


class Truth:
    """Numbers by the legend of the series that must equal them."""

    def __init__(self, watched: Watched) -> None:
        self._watched = watched
        self._local = watched.local
        self._engine = create_engine(self._local.environment["NOVABATCH_DATABASE_URL"])
        self._models = load_models(None)
        self._asked = cache(lambda verb: ask_json(self._local.consumer_environment(), verb))
        self._known: dict[str, Callable[[], Numbers]] = {
            "living processes": lambda: {name: float(pid is not None) for name, pid in self._pids().items()},
            "dead letters": lambda: {queue: self._depth(f"{name}-dlq") for queue, name in QUEUES.items()},
            "visible messages": lambda: {queue: self._depth(name) for queue, name in QUEUES.items()},
            "findings": lambda: {"": sum(self._count(findings, findings.c.kind).values())},
            "findings by kind": lambda: self._count(findings, findings.c.kind),
            "findings of cleaning": lambda: self._few(findings.c.kind, "cleanup_failing", "raw_failing"),
            "share of the slots": lambda: {"": sum(self._used().values()) / self._limit()},
            "slots": lambda: self._slots({model.base_model for model in self._models.models}),
            "slots of models with chunks": lambda: self._slots(self._count(chunks, chunks.c.base_model)),
            "all, since neither day lasts five minutes": lambda: {"": 1.0},
            "batches": lambda: self._count(batches, batches.c.state),
            "chunks": lambda: self._count(chunks, chunks.c.state),
            "chunks on their way": self._on_their_way,
            "waiting chunks": lambda: {"": sum(self._few(chunks.c.state, *WAITING).values())},
            "empty slots": self._idle,
            "files": self._files,
            "phases of under a minute": lambda: dict.fromkeys(
                ("READY", "SUBMITTED", "COMPLETED", "FAILED"), 0.95 * BUCKET_SECONDS
            ),
            "jobs of under a minute": lambda: {"p50": 0.5 * BUCKET_SECONDS, "p95": 0.95 * BUCKET_SECONDS},
            "tokens": self._tokens,
            "cost": self._cost,
            "savings": self._savings,
            "committed today": self._today,
            "bytes by area": lambda: {name: float(area["bytes"]) for name, area in self._storage().items()},
            "objects by area": lambda: {
                name: float(area["objects"]) for name, area in self._storage().items()
            },
            "growth by area": lambda: {name: float(area["bytes"]) for name, area in self._storage().items()},
            "objects deleted": lambda: {"deleted": self._sum(chunks.c.cleaned_objects)},
            "bytes freed": lambda: {"freed": self._sum(chunks.c.cleaned_bytes)},
            "places": self._places,
            "memory": lambda: self._of_process(_resident),
            "open files": lambda: self._of_process(lambda pid: len([*Path(f"/proc/{pid}/fd").iterdir()])),
            "processor seconds": self._processor,
            "versions": self._versions,
        }

    def __getitem__(self, name: str) -> Numbers:
        return self._known[name]()

    def close(self) -> None:
        """Let go of the store."""
        self._engine.dispose()

    def _pids(self) -> Mapping[str, int | None]:
        children = self._local.consumers.items()
        return {name: each.process.pid if each.process.poll() is None else None for name, each in children}

    def _of_process(self, measure: Callable[[int], float]) -> Numbers:
        places = self._watched.places()
        return {places[name]: measure(pid) for name, pid in self._pids().items() if pid is not None}

    def _depth(self, queue: str) -> float:
        sqs = self._watched.sqs
        url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
        return float(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[VISIBLE])["Attributes"][VISIBLE])

    def _count(self, table: FromClause, column: ColumnElement[Any], where: Any = True) -> dict[str, float]:
        asked = select(column, func.count()).select_from(table).where(where).group_by(column)
        with self._engine.connect() as connection:
            return {str(name): float(count) for name, count in connection.execute(asked)}

    def _few(self, column: ColumnElement[Any], *names: str) -> Numbers:
        counted = self._count(column.table, column)
        return {name: counted.get(name, 0.0) for name in names}

    def _sum(self, column: ColumnElement[Any]) -> float:
        with self._engine.connect() as connection:
            return float(connection.execute(select(func.sum(column))).scalar() or 0)

    def _used(self) -> Numbers:
        return self._count(jobs, jobs.c.base_model, job_open)

    def _limit(self) -> int:
        return max(model.slots for model in self._models.models)

    def _slots(self, names: Any) -> Numbers:
        used = self._used()
        limits = {f"{name} limit": float(self._limit()) for name in names}
        return limits | {f"{name} used": used.get(name, 0.0) for name in names}

    def _on_their_way(self) -> Numbers:
        return {name: n for name, n in self._count(chunks, chunks.c.state).items() if name not in THROUGH}

    def _idle(self) -> Numbers:
        from daemon.adapters.store.database import Database
        from daemon.adapters.store.idling import Idling

        idling = Idling()
        idling.database = Database(self._engine)
        return idling.idle_seconds()

    def _files(self) -> Numbers:
        counted = self._count(files, files.c.code)
        planned = counted.pop("", 0.0)
        return {"planned": planned, "refused": sum(counted.values())}

    def _batches(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._asked("status")["batches"]
        return found

    def _tokens(self) -> Numbers:
        return self._summed(lambda batch: {f"{batch['model']} {d}": n for d, n in batch["tokens"].items()})

    def _cost(self) -> Numbers:
        names = {"batch": "cost_usd", "on demand": "cost_on_demand_usd"}
        return self._summed(
            lambda batch: {f"{batch['model']} {name}": float(batch[key]) for name, key in names.items()}
        )

    def _savings(self) -> Numbers:
        return self._summed(
            lambda batch: {batch["model"]: float(batch["cost_on_demand_usd"]) - float(batch["cost_usd"])}
        )

    def _summed(self, of: Callable[[dict[str, Any]], Numbers]) -> Numbers:
        total: dict[str, float] = {}
        for batch in self._batches():
            for name, value in of(batch).items():
                total[name] = total.get(name, 0.0) + value
        return total

    def _today(self) -> Numbers:
        asked = select(days.c.committed_usd).where(days.c.day == datetime.now(UTC).date().isoformat())
        with self._engine.connect() as connection:
            committed = float(connection.execute(asked).scalar() or 0)
        return {"committed": committed, "budget": float(SETTINGS["NOVABATCH_BUDGET_USD_PER_DAY"])}

    def _storage(self) -> dict[str, dict[str, Any]]:
        return self._asked("storage")

    def _places(self) -> Numbers:
        places, pids = self._watched.places(), self._pids()
        living = [f"{queue} {places[name]}" for queue, name in CONSUMES.items() if pids[name] is not None]
        return {f"{name} all": float(PLACES) for name in living} | {f"{name} busy": 0.0 for name in living}

    def _processor(self) -> Numbers:
        """Leave out who was started again: the last seconds of a rate are not all drawn yet."""
        now, ended = self._of_process(processor_seconds), self._watched.ended_after
        used = {**now, **ended}
        again = now.keys() & ended.keys()
        before = self._watched.watched_after
        return {place: seconds - before[place] for place, seconds in used.items() if place not in again}

    def _versions(self) -> Numbers:
        told = f"{version('novabatch')} {python_version()}"
        return {f"{name} {told}": 1.0 for name, pid in self._pids().items() if pid is not None}


def _resident(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return float(pages * os.sysconf("SC_PAGE_SIZE"))
