"""The CloudFormation templates: what cfn-lint says, what moto ignores, and what moto makes of them."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from consumers.core import layout
from daemon.settings import LONGEST_POLL, PREFIX, Settings, variable
from deploy.local import stack, template
from schemas.messages import Sweep
from schemas.parsing import parse
from schemas.queues import Queue
from tests.contracts.local_aws import LocalAws
from tests.resolved import resolved

pytest_plugins = ("tests.contracts.local_aws_fixtures",)

LARGEST_BODY = 51_200  # AWS: CloudFormation quotas, template body in a request
LARGEST_POLICY = 6_144  # AWS: IAM quotas, managed policy without white space
DAY = 86_400
FILES = (template.RESOURCES, template.ALARMS, template.SERVICES)
CONSUMERS = {"Submit": "submit", "JobState": "job_state", "Cleanup": "cleanup"}


def resources(path: Path = template.RESOURCES, type: str = "") -> dict[str, Any]:
    """Return the properties of a template's resources, those of one type if one is named."""
    found = template.read(path)["Resources"]
    return {name: each["Properties"] for name, each in found.items() if type in ("", each["Type"])}


def statements() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every statement of every policy in all templates, with the resource it stands in."""
    for path in FILES:
        for name, properties in resources(path).items():
            for statement in _within(properties):
                yield name, statement


def _within(part: Any) -> Iterator[dict[str, Any]]:
    if isinstance(part, dict) and "Effect" in part:
        yield part
    elif isinstance(part, dict | list):
        for each in part.values() if isinstance(part, dict) else part:
            yield from _within(each)


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def lint(path: Path) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("cfn-lint")
    return subprocess.run([program, "--", path], capture_output=True, text=True, check=False)


# -- the templates as text ---------------------------------------------------------------------------------


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_cfn_lint_has_no_complaint(path: Path) -> None:
    done = lint(path)
    assert (done.returncode, done.stdout) == (0, "")


def test_cfn_lint_complains_about_a_property_that_is_none(tmp_path: Path) -> None:
    spoilt = tmp_path / "spoilt.yaml"
    spoilt.write_text(template.RESOURCES.read_text().replace("MessageRetentionPeriod:", "RetentionPeriod:"))
    assert "RetentionPeriod" in lint(spoilt).stdout


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_template_can_be_sent_without_a_bucket_to_put_it_in(path: Path) -> None:
    assert path.stat().st_size <= LARGEST_BODY


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_parameter_and_output_says_what_it_is(path: Path) -> None:
    parts = template.read(path)
    assert [
        name
        for kind in ("Parameters", "Outputs")
        for name, each in parts.get(kind, {}).items()
        if not each.get("Description")
    ] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_each_statement_has_a_comment_that_says_why(path: Path) -> None:
    lines = path.read_text().splitlines()
    begins = [n for n, line in enumerate(lines) if re.match(r"\s+(- )?(- Sid|- Effect|Sid):", line)]
    assert len(begins) == sum(1 for properties in resources(path).values() for _ in _within(properties))
    silent = [lines[n].strip() for n in begins if not _explained(lines, n)]
    assert silent == []


def _explained(lines: list[str], n: int) -> bool:
    """Tell whether a comment stands above a statement, or above the condition it hangs on."""
    above = n - 1
    while re.match(r"\s+- (!If|Has\w+)$", lines[above]):
        above -= 1
    return lines[above].lstrip().startswith("#")


# -- what moto does not make -------------------------------------------------------------------------------


def test_the_bucket_is_closed_to_the_public_and_to_plain_http() -> None:
    bucket = resources()["Bucket"]
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert len(bucket["PublicAccessBlockConfiguration"]) == 4
    (statement,) = resources()["BucketPolicy"]["PolicyDocument"]["Statement"]
    assert (statement["Effect"], statement["Principal"], statement["Action"]) == ("Deny", "*", "s3:*")
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_nothing_expires_but_the_folders_of_chunks() -> None:
    rules = {each["Id"]: each for each in resources()["Bucket"]["LifecycleConfiguration"]["Rules"]}
    expiring = [each for each in rules.values() if any("Expir" in word for word in each)]
    assert {each["Prefix"] for each in expiring} == {layout.INPUT_ROOT}
    assert rules["forgotten-folders"]["ExpirationInDays"] == 30
    assert rules["forgotten-folders"]["NoncurrentVersionExpiration"]["NoncurrentDays"] == 7
    uploads = rules["abandoned-uploads"]
    assert uploads["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"] >= 1
    assert "Prefix" not in uploads


def test_a_bucket_outlives_its_stack() -> None:
    bucket = template.read(template.RESOURCES)["Resources"]["Bucket"]
    assert (bucket["DeletionPolicy"], bucket["UpdateReplacePolicy"]) == ("Retain", "Retain")


@pytest.mark.parametrize("name", ["Submit", "State", "Cleanup"])
def test_only_its_own_queue_moves_messages_to_dead_letters(name: str) -> None:
    queues = resources(type="AWS::SQS::Queue")
    allowed = queues[f"{name}DeadLetters"]["RedriveAllowPolicy"]
    assert allowed["redrivePermission"] == "byQueue"
    (source,) = allowed["sourceQueueArns"]
    assert source["Fn::Sub"].rpartition(":")[2] == queues[f"{name}Queue"]["QueueName"]["Fn::Sub"]


def test_every_queue_is_encrypted_by_sqs_or_by_the_key_that_lets_eventbridge_in() -> None:
    for queue in resources(type="AWS::SQS::Queue").values():
        assert queue["SqsManagedSseEnabled"] == {"Fn::If": ["HasKey", {"Ref": "AWS::NoValue"}, True]}
        assert queue["KmsMasterKeyId"]["Fn::If"][:2] == ["HasKey", {"Fn::GetAtt": ["QueueKey", "Arn"]}]
    account, events, senders = _within(resources()["QueueKey"]["KeyPolicy"])
    assert account["Principal"]["AWS"]["Fn::Sub"].endswith(":root")
    assert events["Principal"] == {"Service": "events.amazonaws.com"}
    assert senders["Principal"] == {"AWS": {"Ref": "SenderPrincipals"}}
    for each in (events, senders):
        assert set(each["Action"]) == {"kms:GenerateDataKey", "kms:Decrypt"}
    # A condition that AWS does not meet would lose every event.
    assert "Condition" not in events
    assert "Condition" in senders


def test_every_queue_refuses_plain_http() -> None:
    closed = {
        each["Ref"]
        for policy in resources(type="AWS::SQS::QueuePolicy").values()
        for statement in policy["PolicyDocument"]["Statement"]
        if statement.get("Sid") == "OnlyTls" and statement["Effect"] == "Deny"
        for each in policy["Queues"]
    }
    assert closed == resources(type="AWS::SQS::Queue").keys()


def test_no_statement_allows_a_whole_service_but_the_key_to_its_own_account() -> None:
    broad = [
        (name, action)
        for name, statement in statements()
        if statement["Effect"] == "Allow"
        for action in as_list(statement["Action"])
        if action.endswith("*")
    ]
    assert broad == [("QueueKey", "kms:*")]


def test_a_star_as_resource_stands_only_where_aws_knows_nothing_finer() -> None:
    nothing_finer = {
        "bedrock:ListModelInvocationJobs",
        "events:ListRuleNamesByTarget",
        "ecr:GetAuthorizationToken",
    }
    starred = {
        action
        for name, statement in statements()
        if statement["Effect"] == "Allow" and statement.get("Resource") == "*" and name != "QueueKey"
        for action in as_list(statement["Action"])
    }
    assert starred == nothing_finer


def test_bedrock_and_ecs_take_roles_on_for_this_account_only() -> None:
    for path in FILES:
        for role in resources(path, "AWS::IAM::Role").values():
            (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
            assert trust["Condition"]["StringEquals"] == {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
            assert "${AWS::AccountId}" in trust["Condition"]["ArnLike"]["aws:SourceArn"]["Fn::Sub"]


@pytest.mark.parametrize("name", ["Submit", "State", "Cleanup"])
def test_an_alarm_hears_of_old_messages_and_of_dead_letters(name: str) -> None:
    queues, alarms = made(template.RESOURCES), made(template.ALARMS)
    old, dead = alarms[f"{name}OldestMessage"], alarms[f"{name}HasDeadLetters"]
    assert old["MetricName"] == "ApproximateAgeOfOldestMessage"
    assert old["Dimensions"][0]["Value"] == queues[f"{name}Queue"]["QueueName"]
    assert (dead["MetricName"], dead["Threshold"]) == ("ApproximateNumberOfMessagesVisible", 0)
    assert dead["Dimensions"][0]["Value"] == queues[f"{name}DeadLetters"]["QueueName"]


def test_an_alarm_hears_of_events_that_were_not_delivered() -> None:
    alarm = made(template.ALARMS)["HasUndeliveredEvents"]
    assert alarm["Dimensions"][0]["Value"] == made(template.RESOURCES)["UndeliveredEvents"]["QueueName"]


def test_an_alarm_hears_of_rules_that_fail() -> None:
    failing = [
        alarm["Dimensions"][0]["Value"]
        for alarm in made(template.ALARMS).values()
        if alarm["MetricName"] == "FailedInvocations"
    ]
    rules = resources(type="AWS::Events::Rule")
    assert sorted(failing) == sorted(made(template.RESOURCES)[name]["Name"] for name in rules)


def made(path: Path) -> dict[str, Any]:
    """Return the properties of a template's resources as CloudFormation works them out."""
    whole = resolved({"BucketName": stack.BUCKET}, path)
    return {name: whole.properties(name) for name in whole.parts["Resources"] if whole.has(name)}


# -- services ----------------------------------------------------------------------------------------------


def container(name: str) -> Any:
    (only,) = resources(template.SERVICES)[f"{name}Task"]["ContainerDefinitions"]
    return only


@pytest.mark.parametrize("name", CONSUMERS)
def test_a_stop_leaves_time_for_the_drain_and_the_end_of_an_open_poll(name: str) -> None:
    parts = template.read(template.SERVICES)
    assert container(name)["StopTimeout"] == {
        "Fn::FindInMap": ["Drain", {"Ref": "DrainSeconds"}, "StopTimeout"]
    }
    drains = parts["Mappings"]["Drain"]
    assert drains.keys() == set(parts["Parameters"]["DrainSeconds"]["AllowedValues"])
    for drain, then in drains.items():
        assert int(drain) + LONGEST_POLL < then["StopTimeout"] <= 120  # AWS: the most Fargate gives


@pytest.mark.parametrize("name", CONSUMERS)
def test_a_task_runs_one_consumer_on_a_file_system_it_cannot_write_but_tmp(name: str) -> None:
    asked = container(name)
    assert asked["Command"] == ["run", CONSUMERS[name]]
    assert asked["ReadonlyRootFilesystem"] is True
    assert asked["MountPoints"] == [{"SourceVolume": "tmp", "ContainerPath": "/tmp"}]
    assert asked["LinuxParameters"] == {"Capabilities": {"Drop": ["ALL"]}}


@pytest.mark.parametrize("name", CONSUMERS)
def test_a_task_can_be_scraped_and_is_asked_whether_it_lives(name: str) -> None:
    asked = container(name)
    variables = {each["Name"]: each["Value"] for each in asked["Environment"]}
    assert (variables["NOVABATCH_HTTP_HOST"], variables["NOVABATCH_HTTP_PORT"]) == ("0.0.0.0", "9100")
    assert asked["PortMappings"] == [{"ContainerPort": 9100, "Protocol": "tcp"}]
    assert "http://127.0.0.1:9100/live" in asked["HealthCheck"]["Command"][-1]
    service = resources(template.SERVICES)[f"{name}Service"]
    assert service["ServiceRegistries"] == [{"RegistryArn": {"Fn::GetAtt": [f"{name}Discovery", "Arn"]}}]


@pytest.mark.parametrize("name", CONSUMERS)
def test_a_task_is_given_settings_that_there_are_and_all_that_have_no_default(name: str) -> None:
    asked = container(name)
    named = {each["Name"] for each in asked["Environment"]}
    ours = {each for each in named if each.startswith(PREFIX)}
    assert ours <= {variable(each) for each in Settings.model_fields}
    assert {variable(each) for each in Settings.needed} <= ours
    assert {variable(f"{queue.value}_queue") for queue in Queue} <= ours
    assert [each["Name"] for each in asked["Secrets"]] == [variable("database_url")]
    assert variable("database_url") not in named


@pytest.mark.parametrize("name", CONSUMERS)
def test_tasks_follow_the_backlog_of_their_own_queue(name: str) -> None:
    policy = resources(template.SERVICES)[f"{name}Backlog"]["TargetTrackingScalingPolicyConfiguration"]
    visible, running, backlog = policy["CustomizedMetricSpecification"]["Metrics"]
    queue = visible["MetricStat"]["Metric"]["Dimensions"][0]["Value"]["Fn::ImportValue"]["Fn::Sub"]
    assert queue == f"${{ResourcesStack}}-{name.replace('Job', '')}QueueName"
    assert running["MetricStat"]["Metric"]["MetricName"] == "RunningTaskCount"
    assert backlog["Expression"] == "visible / IF(running > 0, running, 1)"
    assert [each["ReturnData"] for each in (visible, running, backlog)] == [False, False, True]


@pytest.mark.parametrize("name", CONSUMERS)
def test_an_alarm_hears_of_tasks_that_do_not_run(name: str) -> None:
    alarm = resources(template.SERVICES)[f"{name}TasksMissing"]
    assert alarm["Metrics"][-1]["Expression"] == "desired - FILL(running, 0)"
    assert (alarm["Threshold"], alarm["TreatMissingData"]) == (0, "breaching")


@pytest.mark.parametrize("path", [template.ALARMS, template.SERVICES], ids=lambda path: path.stem)
def test_the_other_templates_ask_only_for_what_the_first_gives(path: Path) -> None:
    wanted = set(re.findall(r"\$\{ResourcesStack\}-(\w+)", path.read_text()))
    given = {
        name
        for name, each in template.read(template.RESOURCES)["Outputs"].items()
        if each.get("Export") == {"Name": {"Fn::Sub": f"${{AWS::StackName}}-{name}"}}
    }
    assert wanted
    assert wanted <= given


def test_all_policies_but_that_of_people_hang_on_the_consumers() -> None:
    """README gives a machine of all three consumers just these."""
    policies = resources(type="AWS::IAM::ManagedPolicy")
    consumers = {"SubmitRole", "JobStateRole", "CleanupRole"}
    attached = {
        name
        for name, each in policies.items()
        if any(role["Ref"] in consumers for role in each.get("Roles", ()))
    }
    assert policies.keys() - attached == {"OperatorPolicy"}


# -- what moto makes of them -------------------------------------------------------------------------------

CHOSEN = {
    "AllowedBuckets": "first,second",
    "SenderPrincipals": "210987654321",
    "EventBusName": "news",
    "AllowLegacyCleanup": "yes",
    "BucketVersioning": "yes",
    "BucketKeyArns": "arn:aws:kms:us-east-1:123456789012:key/of-the-bucket",
}


def document(emulator: LocalAws, logical_id: str) -> Any:
    """Return a policy as it was made."""
    cloudformation, iam = (stack.client(name, emulator.url) for name in ("cloudformation", "iam"))
    made = cloudformation.list_stack_resources(StackName=stack.STACK)["StackResourceSummaries"]
    (arn,) = (each["PhysicalResourceId"] for each in made if each["LogicalResourceId"] == logical_id)
    return iam.get_policy_version(PolicyArn=arn, VersionId="v1")["PolicyVersion"]["Document"]


def deploy(emulator: LocalAws, **parameters: str) -> None:
    stack.client("cloudformation", emulator.url).create_stack(
        StackName=stack.STACK,
        TemplateBody=json.dumps(template.read(template.RESOURCES)),
        Parameters=[
            {"ParameterKey": name, "ParameterValue": value}
            for name, value in {"BucketName": "made-by-cloudformation", **parameters}.items()
        ],
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )


def test_a_second_installation_gets_names_of_its_own(emulator: LocalAws) -> None:
    emulator.wire()
    stack.client("cloudformation", emulator.url).create_stack(
        StackName="other",
        TemplateBody=json.dumps(template.read(template.RESOURCES)),
        Parameters=[
            {"ParameterKey": "BucketName", "ParameterValue": "another"},
            {"ParameterKey": "JobNamePrefix", "ParameterValue": "other"},
            {"ParameterKey": "QueueNamePrefix", "ParameterValue": "other-"},
        ],
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )
    names = [url.rpartition("/")[2] for url in emulator.sqs.list_queues()["QueueUrls"]]
    assert len(names) == len(set(names)) == 16
    assert len(emulator.events.list_rules()["Rules"]) == 4


def test_further_buckets_are_read_and_never_written(emulator: LocalAws) -> None:
    deploy(emulator, **CHOSEN)
    listing, reading = document(emulator, "OtherBucketsPolicy")["Statement"]
    assert listing["Resource"] == ["arn:aws:s3:::first", "arn:aws:s3:::second"]
    assert reading["Resource"] == ["arn:aws:s3:::first/*", "arn:aws:s3:::second/*"]
    assert (listing["Action"], reading["Action"]) == ("s3:ListBucket", "s3:GetObject")


def test_senders_of_other_accounts_may_send_requests_and_nothing_else(emulator: LocalAws) -> None:
    deploy(emulator, **CHOSEN)
    for url in emulator.sqs.list_queues()["QueueUrls"]:
        found = emulator.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])["Attributes"]
        policy = json.loads(found["Policy"])
        senders = [each for each in policy["Statement"] if each["Sid"] == "Senders"]
        if url.endswith("/submit-requests"):
            assert senders[0]["Principal"] == {"AWS": ["210987654321"]}
            assert senders[0]["Action"] == ["sqs:SendMessage", "sqs:GetQueueUrl"]
        else:
            assert senders == []


@pytest.mark.parametrize("name", [*CONSUMERS, "Operator"])
def test_a_policy_fits_into_what_iam_takes_and_hangs_on_its_role(emulator: LocalAws, name: str) -> None:
    deploy(emulator, JobNamePrefix="n" * 32, QueueNamePrefix="q" * 40, **CHOSEN)
    policy = document(emulator, f"{name}Policy")
    assert len(json.dumps(policy, separators=(",", ":"))) < LARGEST_POLICY
    if name in CONSUMERS:
        role = f"{'n' * 32}-us-east-1-{CONSUMERS[name].replace('_', '-')}"
        iam = stack.client("iam", emulator.url)
        attached = iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]
        assert f"novabatch-{name}Policy" in " ".join(each["PolicyName"] for each in attached)


def test_the_schedule_sends_what_the_cleanup_consumer_takes_for_a_sweep(emulator: LocalAws) -> None:
    deploy(emulator, SweepOlderThanDays="9")
    (target,) = emulator.events.list_targets_by_rule(Rule="novabatch-sweep")["Targets"]
    assert target["Arn"].endswith(":cleanup-requests")
    assert target["DeadLetterConfig"]["Arn"].endswith(":job-state-changes-undelivered")
    assert parse(Queue.CLEANUP, target["Input"]) == Sweep(older_than_days=9)


def test_the_rule_delivers_the_events_of_our_jobs_and_of_no_others(emulator: LocalAws) -> None:
    emulator.wire()
    emulator.control.set(min_records=1)
    emulator.put_manifest([{"recordId": "a", "modelInput": {"messages": []}}])
    for name in ("novabatchtwo-1", "someone-else", "novabatch-1"):
        emulator.ended(emulator.create(name))
    told = emulator.state_events(4)
    assert {event["detail"]["batchJobName"] for event in told} == {"novabatch-1"}
    assert {event["account"] for event in told} == {stack.ACCOUNT}
    assert emulator.receive(stack.CLEANUP_QUEUE, WaitTimeSeconds=0) == []
