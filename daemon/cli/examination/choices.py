"""What a team has chosen: settings, models, analyses."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from daemon.cli.access import Access
from daemon.cli.examination.check import Check, Doubt, look

if TYPE_CHECKING:
    from schemas.models import Model


def examine(access: Access) -> Iterator[Check]:
    """Look at what needs no call to anybody."""
    yield look("settings", lambda: _needed(access), "Set or correct the variables named.")
    yield look("variables", _strange, "Correct or remove them: a misspelt setting has no effect.")
    yield look("models", lambda: _models(access), "Correct NOVABATCH_MODELS_FILE.")
    yield look("analyses", lambda: _analyses(access), "Correct the files of NOVABATCH_ANALYSES_DIR.")


def _needed(access: Access) -> str:
    if access.bad:
        raise click.ClickException("; ".join(access.bad.values()))
    access.settings.require(*access.settings.needed)
    return "all that are needed are set"


def _strange() -> str:
    from daemon.settings import unknown_variables

    strange = unknown_variables()
    if strange:
        raise click.ClickException("; ".join(strange))
    return "no NOVABATCH_ variable is misspelt"


def _models(access: Access) -> str:
    from consumers.core.model_dates import warnings

    models = access.models.models
    doubts = list(warnings(access.models, datetime.now(UTC).date()))
    if unpriced := [model.id for model in models if not model.prices]:
        doubts.append(
            f"{', '.join(unpriced)}: no price is known, so neither is a cost, and no budget can be held"
        )
    if doubts:
        raise Doubt(
            "; ".join(doubts),
            "Write into NOVABATCH_MODELS_FILE the prices that are missing, one that still holds with "
            "checked_on, a new one with since; have senders name another model before theirs ends.",
        )
    return "; ".join(map(_priced, models))


def _priced(model: "Model") -> str:
    price = model.price_on(datetime.now(UTC).date())
    name = next(iter(model.aliases), model.id)
    return f"{name} priced {price.since if price else 'never'}"


def _analyses(access: Access) -> str:
    """Name the types beside the built-in ones with their versions: all processes must tell the same."""
    from schemas.analyses import REGISTRY

    own = [each for each in access.analyses if REGISTRY.find(each.name, each.kind) is None]
    told = ", ".join(f"{each.name} ({each.kind} {each.prompt_version})" for each in own)
    return f"{len(access.analyses.names)} types" + (f"; own: {told}" if own else "")
