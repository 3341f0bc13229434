"""What IAM tells of Bedrock's service role, as far as these credentials may ask."""

from typing import Any

from consumers.core.faults import Denied
from daemon.adapters.aws import faults_of, make_client
from daemon.adapters.identity import Caller

BEDROCK = "bedrock.amazonaws.com"


class Roles:
    """The roles of the account."""

    def __init__(self, region: str) -> None:
        self._client = make_client("iam", region=region)

    def trusts_bedrock(self, arn: str) -> bool:
        """Tell whether Bedrock may take a role on; raises Missing, or Denied who may not look at it."""
        trust = self._get(arn.rpartition("/")[2])["AssumeRolePolicyDocument"]
        return any(map(_lets_bedrock, _listed(trust.get("Statement"))))

    def may_pass(self, principal: str, arn: str) -> bool:
        """Ask IAM whether a user or a role, by ARN, may give the role to Bedrock; raises Missing."""
        context = {
            "ContextKeyName": "iam:PassedToService",
            "ContextKeyValues": [BEDROCK],
            "ContextKeyType": "string",
        }
        with faults_of("SimulatePrincipalPolicy", principal):
            answer = self._client.simulate_principal_policy(
                PolicySourceArn=principal,
                ActionNames=["iam:PassRole"],
                ResourceArns=[arn],
                ContextEntries=[context],
            )
        return all(each["EvalDecision"] == "allowed" for each in answer["EvaluationResults"])

    def principal(self, caller: Caller) -> str | None:
        """Return whose policies count: those of the role that was taken on, not those of its session.

        None for callers that IAM knows no policies of.
        """
        *_, service, _, _, named = caller.arn.split(":", 5)
        kind, *names = named.split("/")
        if service == "sts" and kind == "assumed-role":
            return self._role(caller, names[0])
        return caller.arn if service == "iam" and kind in {"user", "role"} else None

    def _role(self, caller: Caller, name: str) -> str:
        """Return a role's ARN; who may not look at it is most often taken on as one without a path."""
        try:
            return str(self._get(name)["Arn"])
        except Denied:
            return caller.role(name)

    def _get(self, name: str) -> Any:
        with faults_of("GetRole", name):
            return self._client.get_role(RoleName=name)["Role"]


def _lets_bedrock(statement: Any) -> bool:
    principal = statement.get("Principal")
    services = principal.get("Service") if isinstance(principal, dict) else principal
    return statement.get("Effect") == "Allow" and bool({BEDROCK, "*"} & set(_listed(services)))


def _listed(value: Any) -> list[Any]:
    """Read what a policy may write as one value or as a list."""
    return value if isinstance(value, list) else [] if value is None else [value]
