"""A process that logs what goes wrong in the loop: ``python -m tests.daemon.telling LEVEL FORM``.

The words of every error that arises hold MARK, and so does a variable beside it.
"""

import logging
import sys
from typing import Any

from sqlalchemy import text

from consumers.core.faults import PassingFault
from consumers.core.world import Done, Outcome, World
from daemon import logs
from daemon.adapters.store import make_engine
from daemon.adapters.store.database import border
from daemon.systemd import Systemd
from tests.daemon.bench import BODY, Bench
from tests.fakes.clock import FakeClock

MARK = "a-text-of-the-model"


def breaks(_: Any, __: World) -> Outcome:
    answer = f"local {MARK}"
    known: dict[str, Outcome] = {}
    try:
        return known[answer]
    except KeyError as error:
        raise ValueError(f"cannot read {answer}") from error


def breaks_in_the_database(_: Any, __: World) -> Outcome:
    with border(), make_engine(f"sqlite:///{sys.argv[3]}").begin() as connection:
        connection.execute(text("SELECT json_extract(:answer, '$.text'), :answer, no"), {"answer": MARK})
    return Done()


def breaks_in_a_statement(_: Any, __: World) -> Outcome:
    with border(), make_engine(f"sqlite:///{sys.argv[3]}").begin() as connection:
        connection.execute(text("SELECT :answer, :missing"), {"answer": MARK})
    return Done()


def is_throttled(_: Any, __: World) -> Outcome:
    raise PassingFault("SQS is busy")


def main() -> None:
    level, form, _ = sys.argv[1:]
    logs.configure(level, form)  # type: ignore[arg-type]
    for stage in (breaks, breaks_in_the_database, breaks_in_a_statement, is_throttled):
        bench = Bench(stage)
        bench.mailbox.post(BODY)
        bench.run()
    bench.mailbox.post('{"type": "plan_batch"}')
    bench.run()
    systemd = Systemd("/nobody/listens", 2, FakeClock())
    systemd.ready()
    systemd.stopping()
    try:
        breaks(None, None)  # type: ignore[arg-type]
    except ValueError:
        logging.getLogger("library").exception("it went wrong")


if __name__ == "__main__":
    main()
