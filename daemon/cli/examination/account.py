"""Who calls AWS, by which clock, with which role."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from consumers.core.faults import Denied, Missing, PassingFault, Rejected
from daemon.cli.access import Access
from daemon.cli.examination.check import Check, Doubt, look

if TYPE_CHECKING:
    from daemon.adapters.identity import Caller

DRIFT, TOO_FAR = timedelta(seconds=30), timedelta(minutes=5)
"""AWS refuses what is signed more than five minutes off, S3 fifteen."""
ROLE_ADVICE = (
    "Correct NOVABATCH_ROLE_ARN, or create the role: bedrock.amazonaws.com takes it on (sts:AssumeRole), it "
    "may list, get and put in the bucket and invoke the model."
)
ALLOW_PASSING = "Allow iam:PassRole on the role of NOVABATCH_ROLE_ARN to whoever runs the consumer submit."
AT_FIRST_JOB = "Nothing, if jobs are created. To have it checked here, allow {}."
EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException"})


def examine(access: Access) -> Iterator[Check]:
    """Look at credentials, clock and role."""
    advice = "Give this process a role, or set AWS_ACCESS_KEY_ID and the like."
    yield look("credentials", lambda: _credentials(access), advice)
    yield look("clock", lambda: _clock(access), "Have this machine's clock set by NTP (timedatectl).")
    if "role_arn" in access.bad:
        return  # the check of the settings says what to write
    yield look("role", lambda: _role(access), ROLE_ADVICE)
    yield look("pass role", lambda: _pass_role(access), ALLOW_PASSING)


def _credentials(access: Access) -> str:
    from daemon.adapters.identity import identity

    found = identity()
    try:
        who = _caller(access)
    except PassingFault as fault:
        if fault.code in EXPIRED:
            raise
        doubt = f"{found}; whose they are could not be asked: {fault.message}"
        raise Doubt(doubt, "Let this machine reach STS, or leave it.") from fault
    return f"{found}, as {who.arn}"


def _caller(access: Access) -> "Caller":
    from daemon.adapters.identity import caller

    return caller(access.parts.region)


def _clock(access: Access) -> str:
    from daemon.adapters.identity import time_at

    access.settings.require("bucket")
    return judge_clock(time_at(access.parts.s3_client, access.settings.bucket), datetime.now(UTC))


def judge_clock(theirs: datetime, ours: datetime) -> str:
    """Compare AWS's time, which is told in whole seconds, with this machine's."""
    drift = ours - theirs
    seconds = abs(drift).total_seconds()
    told = f"{seconds:.0f} s {'ahead of' if drift > timedelta() else 'behind'} AWS"
    if abs(drift) >= TOO_FAR:
        raise click.ClickException(f"{told}: signed requests are refused")
    if abs(drift) >= DRIFT:
        raise Doubt(told, "Have this machine's clock set by NTP (timedatectl) before it drifts further.")
    return f"agrees with AWS within {max(seconds, 1):.0f} s"


def _role(access: Access) -> str:
    from daemon.adapters.roles import Roles

    arn = _role_arn(access)
    try:
        trusted = Roles(access.parts.region).trusts_bedrock(arn)
    except (Denied, PassingFault) as fault:
        doubt = f"could not be looked at: {fault.message}"
        raise Doubt(doubt, AT_FIRST_JOB.format("iam:GetRole")) from fault
    if not trusted:
        raise Rejected(f"{arn} does not let bedrock.amazonaws.com take it on")
    return f"{arn} lets Bedrock take it on; what it may do shows at the first job"


def _pass_role(access: Access) -> str:
    arn = _role_arn(access)
    try:
        caller = _caller(access)
        _same_account(caller, arn)
        return _who_may_pass(access, caller, arn)
    except (Denied, Missing, PassingFault) as fault:
        doubt = f"could not be asked: {fault.message}"
        raise Doubt(doubt, AT_FIRST_JOB.format("iam:SimulatePrincipalPolicy and iam:GetRole")) from fault


def _who_may_pass(access: Access, caller: "Caller", arn: str) -> str:
    """Ask of the caller; where he may not, of the role that our template gives to submit."""
    from daemon.adapters.roles import Roles

    roles = Roles(access.parts.region)
    principal = roles.principal(caller)
    if principal is None:
        raise Doubt(f"IAM cannot say it of {caller.arn}", "Nothing, if jobs are created.")
    if roles.may_pass(principal, arn):
        return f"{caller.arn} may pass the role"
    submit = caller.role(f"{access.settings.job_name_prefix}-{access.parts.region}-submit")
    try:
        if roles.may_pass(submit, arn):
            return f"{submit} may pass the role; {caller.arn} may not, and only submit needs to"
    except Missing as fault:
        doubt = f"{caller.arn} may not pass {arn} to Bedrock"
        raise Doubt(doubt, f"Nothing, if submit has another role. {ALLOW_PASSING}") from fault
    raise Rejected(f"neither {submit} nor {caller.arn} may pass {arn} to Bedrock")


def _same_account(caller: "Caller", role_arn: str) -> None:
    if role_arn.split(":")[4] != caller.account:
        raise Rejected(f"{role_arn} is of another account than {caller.account}, whose credentials these are")


def _role_arn(access: Access) -> str:
    access.settings.require("role_arn")
    return access.settings.role_arn
