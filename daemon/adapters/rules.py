"""The EventBridge rules that tell of Bedrock's jobs."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from daemon.adapters.aws import faults_of

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient

SOURCE, KIND = "aws.bedrock", "Batch Inference Job State Change"


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule, whether it is in force, and the beginnings of job names it lets through; none lets all."""

    name: str
    enabled: bool
    prefixes: tuple[str, ...]

    def passes(self, job_name: str) -> bool:
        """Tell whether the events of a job get through."""
        return not self.prefixes or job_name.startswith(self.prefixes)


def rules_to(client: "EventBridgeClient", queue_arn: str) -> Iterator[Rule]:
    """Return the rules of the default bus that send events of batch jobs to a queue."""
    with faults_of("ListRuleNamesByTarget", queue_arn):
        names = client.list_rule_names_by_target(TargetArn=queue_arn)["RuleNames"]
    for name in names:
        with faults_of("DescribeRule", name):
            rule = client.describe_rule(Name=name)
        pattern = json.loads(rule.get("EventPattern") or "{}")
        if SOURCE in pattern.get("source", (SOURCE,)) and KIND in pattern.get("detail-type", (KIND,)):
            yield Rule(name, rule.get("State") != "DISABLED", _prefixes(pattern))


def _prefixes(pattern: Any) -> tuple[str, ...]:
    wanted = pattern.get("detail", {}).get("batchJobName", ())
    return tuple(each.get("prefix", "") if isinstance(each, dict) else each for each in wanted)
