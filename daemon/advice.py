"""What to do about a fault, by its kind: the last line of every error a person reads."""

from consumers.core import faults

DOCTOR = "`novabatch doctor` looks at everything and says what to do"
_BY_CODE = (
    (
        {"NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError"},
        "Give this process a role, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
    ),
    ({"ExpiredToken", "ExpiredTokenException"}, "Sign in again, or set new credentials."),
    (
        {"DatabaseBusy", "DatabaseGone", "DatabaseUnusable", "DatabaseDenied"},
        f"Check NOVABATCH_DATABASE_URL, and try again; {DOCTOR}.",
    ),
)


def advice(fault: faults.Fault) -> str:
    """Say what to do next."""
    for codes, remedy in _BY_CODE:
        if fault.code in codes:
            return remedy
    match fault:
        case faults.Denied():
            return f"Allow it to these credentials; {DOCTOR}."
        case faults.Missing():
            return f"Create it, or correct the setting that names it; {DOCTOR}."
        case faults.PassingFault():
            return f"Try again; if it stays so, {DOCTOR}."
        case _:
            return f"{DOCTOR}."
