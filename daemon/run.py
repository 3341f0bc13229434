"""``novabatch run``: start a process, work until a signal, say how it ended."""

import os
import sys
from collections.abc import Sequence

import structlog

from consumers.core.faults import Fault
from daemon import logs
from daemon.advice import advice
from daemon.app import App, CannotStart
from daemon.settings import BadSettings, Role, Settings, unknown_variables
from daemon.shutdown import Signals
from daemon.wiring import wire
from schemas.models import BadModelTable

ALL = tuple(Role)
_log = structlog.get_logger("run")


def run(roles: Sequence[Role], settings: Settings) -> int:
    """Run the consumers of these roles in this process; returns the exit code.

    A handler that hangs beyond DRAIN_SECONDS, or a second signal, ends the process here and now: threads
    that do not listen cannot be waited for.
    """
    logs.configure(settings.log_level, settings.log_format)
    for strange in unknown_variables():
        _log.warning("unknown_setting", why=strange)
    with Signals() as signals:
        try:
            app = wire(settings, roles)
            return finish(app, signals)
        except (BadSettings, BadModelTable, CannotStart) as error:
            _log.error("cannot_start", why=str(error))
        except Fault as fault:
            _log.error("cannot_start", why=f"{fault.message.rstrip('.')}. {advice(fault)}", code=fault.code)
        return 1


def finish(app: App, signals: Signals) -> int:
    """Work until a signal and return the exit code, or leave at once if something hangs."""
    if app.run(signals):
        _log.info("stopped")
        return 0
    _log.error("stopped_by_force", forced=signals.forced)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(1)
