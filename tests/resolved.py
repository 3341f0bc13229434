"""A template's resources with its functions worked out as CloudFormation does, without a server."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.local import stack, template
from deploy.local.permissions.policy import Policies

ARNS = {
    "AWS::SQS::Queue": f"arn:{{partition}}:sqs:{stack.REGION}:{stack.ACCOUNT}:{{QueueName}}",
    "AWS::IAM::Role": f"arn:{{partition}}:iam::{stack.ACCOUNT}:role/{{RoleName}}",
    "AWS::Events::Rule": f"arn:{{partition}}:events:{stack.REGION}:{stack.ACCOUNT}:rule/{{Name}}",
    "AWS::KMS::Key": f"arn:{{partition}}:kms:{stack.REGION}:{stack.ACCOUNT}:key/of-the-queues",
}
NOTHING = object()


@dataclass(frozen=True)
class Resolved:
    """A template with its parameters given; those not given have their defaults."""

    parts: Mapping[str, Any]
    names: Mapping[str, Any]

    def has(self, resource: str) -> bool:
        """Tell whether a resource is made at all."""
        condition = self.parts["Resources"][resource].get("Condition")
        return condition is None or self._holds(condition)

    def properties(self, resource: str) -> Any:
        """Return the properties of a resource."""
        return self.value(self.parts["Resources"][resource]["Properties"])

    def broken_rules(self) -> list[str]:
        """Say what the template's rules have against the parameters."""
        return [
            assertion["AssertDescription"]
            for rule in self.parts.get("Rules", {}).values()
            if "RuleCondition" not in rule or self._holds(rule["RuleCondition"])
            for assertion in rule["Assertions"]
            if not self._holds(assertion["Assert"])
        ]

    def attached(self, role: str) -> Policies:
        """Return all that a role may do."""
        return Policies(self._documents(role))

    def _documents(self, role: str) -> Iterator[Mapping[str, Any]]:
        for name, each in self.parts["Resources"].items():
            roles = each["Properties"].get("Roles", ())
            if each["Type"] == "AWS::IAM::ManagedPolicy" and {"Ref": role} in roles and self.has(name):
                yield self.properties(name)["PolicyDocument"]
        for inline in self.properties(role).get("Policies", ()):
            yield inline["PolicyDocument"]

    def value(self, part: Any) -> Any:
        """Work out all functions within a part."""
        match part:
            case {"Ref": str(name)} if len(part) == 1:
                return self._ref(name)
            case {"Fn::GetAtt": [name, "Arn"]}:
                return self._arn(name)
            case {"Fn::GetAtt": [name, "QueueName"]}:
                return self.properties(name)["QueueName"]
            case {"Fn::ImportValue": name}:
                return self._imported(self.value(name))
            case {"Fn::Sub": str(text)}:
                return self._sub(text, {})
            case {"Fn::Sub": [text, more]}:
                return self._sub(text, self.value(more))
            case {"Fn::If": [condition, yes, no]}:
                return self.value(yes if self._holds(condition) else no)
            case {"Fn::Join": [between, several]}:
                return self.value(between).join(self.value(several))
            case {"Fn::Split": [between, text]}:
                return self.value(text).split(between)
            case {"Fn::FindInMap": [table, first, second]}:
                return self.parts["Mappings"][table][self.value(first)][second]
            case dict():
                return {k: v for k, each in part.items() if (v := self.value(each)) is not NOTHING}
            case list():
                return [v for each in part if (v := self.value(each)) is not NOTHING]
        return part

    def _ref(self, name: str) -> Any:
        return self.names.get(name, name)

    def _arn(self, name: str) -> str:
        each = self.parts["Resources"][name]
        named = {k: v for k, v in each["Properties"].items() if k in {"QueueName", "RoleName", "Name"}}
        known = {"RoleName": name, **self.value(named)}  # one without a name gets one of CloudFormation
        return ARNS.get(each["Type"], name).format(partition=self.names["AWS::Partition"], **known)

    def _imported(self, name: str) -> Any:
        """Return an output of the first stack, whose parameters are the defaults."""
        first = resolved({"BucketName": stack.BUCKET})
        (found,) = (
            each["Value"]
            for each in first.parts["Outputs"].values()
            if first.value(each.get("Export", {"Name": ""})["Name"]) == name
        )
        return first.value(found)

    def _sub(self, text: str, more: Mapping[str, str]) -> str:
        return re.sub(r"\$\{([\w:]+)\}", lambda found: str(more.get(found[1]) or self._ref(found[1])), text)

    def _holds(self, condition: Any) -> bool:
        match condition:
            case str():
                return self._holds(self.parts["Conditions"][condition])
            case {"Condition": name}:
                return self._holds(name)
            case {"Fn::Equals": [one, other]}:
                return bool(self.value(one) == self.value(other))
            case {"Fn::Not": [one]}:
                return not self._holds(one)
            case {"Fn::And": several}:
                return all(map(self._holds, several))
        raise ValueError(f"no such condition is known here: {condition}")


def resolved(given: Mapping[str, str], path: Path = template.RESOURCES, partition: str = "aws") -> Resolved:
    """Give a template its parameters."""
    parts = template.read(path)
    values = {name: str(each.get("Default", "")) for name, each in parts["Parameters"].items()} | {**given}
    lists = {name for name, each in parts["Parameters"].items() if re.match("CommaDel|List<", each["Type"])}
    return Resolved(
        parts,
        {
            **{name: value.split(",") if name in lists else value for name, value in values.items()},
            "AWS::Partition": partition,
            "AWS::Region": stack.REGION,
            "AWS::AccountId": stack.ACCOUNT,
            "AWS::StackName": stack.STACK,
            "AWS::NoValue": NOTHING,
        },
    )
