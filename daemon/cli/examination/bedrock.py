"""Whether Bedrock answers, and which models it offers here."""

from collections.abc import Iterator
from datetime import UTC, datetime

from consumers.core.faults import Denied, Missing, PassingFault, Rejected
from daemon.cli.access import Access
from daemon.cli.examination.check import Check, Doubt, look

OTHERS = (
    "Have senders name models that are offered, and write those of this Region into NOVABATCH_MODELS_FILE; "
    "or ask for access to a model in the Bedrock console."
)


def examine(access: Access) -> Iterator[Check]:
    """Look at Bedrock."""
    yield look("bedrock", lambda: _bedrock(access), "Allow bedrock:ListModelInvocationJobs in this Region.")
    yield look("offers", lambda: _offers(access), OTHERS)


def _bedrock(access: Access) -> str:
    next(iter(access.parts.jobs.since(datetime.now(UTC))), None)
    return f"jobs can be listed in {access.parts.region}"


def _offers(access: Access) -> str:
    """Ask for each model of the table; the built-in ones are not all offered everywhere."""
    from daemon.adapters.offers import ACTIVE, Offers

    offers, region = Offers(access.parts.bedrock_client), access.parts.region
    had: list[str] = []
    missing: list[str] = []
    doubts: list[str] = []
    for model in access.models.models:
        try:
            standing = offers.standing(model.id)
        except (Missing, Rejected):
            missing.append(model.id)
        except Denied as fault:
            raise Doubt(f"cannot be known: {fault.message}", "Allow it to have it checked.") from fault
        except PassingFault as fault:
            raise Doubt(f"could not be asked: {fault.message}", "Ask again in a while.") from fault
        else:
            had.append(model.id)
            doubts += [] if standing == ACTIVE else [f"{model.id} is {standing}"]
    if not had:
        raise Rejected(f"none of {', '.join(missing)} is offered in {region}")
    if missing:
        doubts.append(f"not offered in {region}: {', '.join(missing)}")
    if doubts:
        raise Doubt("; ".join(doubts), OTHERS)
    return f"{', '.join(had)} offered in {region}"
