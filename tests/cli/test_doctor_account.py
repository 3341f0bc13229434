"""`doctor` on what belongs to an account: role, clock, rule, queues as they are set up, bucket."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import click
import pytest

from consumers.core.faults import Rejected
from daemon.adapters.s3.permissions import try_to_write
from daemon.cli.examination.account import judge_clock
from daemon.cli.examination.check import Doubt
from deploy.local import stack
from deploy.local.processes import Server
from tests.aws import s3_client
from tests.cli.command_line import CommandLine
from tests.cli.queues import bury, url_of
from tests.cli.test_doctor import faults, warnings
from tests.contracts.planting import NOW
from tests.http_stub import Reply, Request, Stub, serve

ME = f"arn:aws:sts::{stack.ACCOUNT}:assumed-role/daemon/i-1"
TRUST = {"Statement": {"Effect": "Allow", "Principal": {"Service": ["bedrock.amazonaws.com"]}}}


SUBMIT = f"arn:aws:iam::{stack.ACCOUNT}:role/novabatch-{stack.REGION}-submit"
NO_SUCH = Reply(
    404, b"<ErrorResponse><Error><Code>NoSuchEntity</Code><Message>none</Message></Error></ErrorResponse>"
)


def answer(request: Request, decision: str, trust: Any, submit: str = "") -> Reply:
    """Answer as STS and IAM do; the role of submit is there if its decision is given."""
    asked = parse_qs(request.body.decode())
    action = asked["Action"][0]
    if asked.get("PolicySourceArn") == [SUBMIT]:
        if not submit:
            return NO_SUCH
        decision = submit
    inner = {
        "GetCallerIdentity": f"<Account>{stack.ACCOUNT}</Account><Arn>{ME}</Arn><UserId>u</UserId>",
        "GetRole": f"<Role><Arn>arn:aws:iam::{stack.ACCOUNT}:role/daemon</Arn><RoleName>daemon</RoleName>"
        f"<AssumeRolePolicyDocument>{json.dumps(trust)}</AssumeRolePolicyDocument></Role>",
        "SimulatePrincipalPolicy": "<EvaluationResults><member><EvalActionName>iam:PassRole</EvalActionName>"
        f"<EvalDecision>{decision}</EvalDecision></member></EvaluationResults>",
    }[action]
    body = f"<{action}Response><{action}Result>{inner}</{action}Result></{action}Response>"
    return Reply(body=body.encode())


def ask(cli: CommandLine, stub: Stub) -> dict[str, tuple[str, str]]:
    """Run `doctor` with the account of a stub; returns level and detail by check."""
    cli.settings |= {"AWS_ENDPOINT_URL_STS": stub.url, "AWS_ENDPOINT_URL_IAM": stub.url}
    document = json.loads(cli.run("doctor", "--json").stdout)
    return {each["name"]: (each["level"], each["detail"]) for each in document["checks"]}


@pytest.mark.parametrize(
    ("decision", "submit", "level"),
    [
        ("allowed", "", "ok"),
        ("implicitDeny", "allowed", "ok"),  # a person: only submit passes the role
        ("implicitDeny", "implicitDeny", "fault"),
        ("implicitDeny", "", "warn"),  # submit has a role that nobody here knows
    ],
)
def test_iam_is_asked_whether_these_credentials_or_those_of_submit_may_pass_the_role(
    cloud: CommandLine, decision: str, submit: str, level: str
) -> None:
    with serve(lambda request: answer(request, decision, TRUST, submit)) as stub:
        told = ask(cloud, stub)
    assert told["pass role"][0] == level
    assert ME in told["credentials"][1]
    asked = [parse_qs(each.body.decode()) for each in stub.requests]
    simulated = [each for each in asked if each["Action"] == ["SimulatePrincipalPolicy"]]
    mine = f"arn:aws:iam::{stack.ACCOUNT}:role/daemon"
    wanted = [mine] if decision == "allowed" else [mine, SUBMIT]
    assert [each["PolicySourceArn"][0] for each in simulated] == wanted


def test_a_role_that_does_not_trust_bedrock_is_a_fault(cloud: CommandLine) -> None:
    trust = {"Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}}]}
    with serve(lambda request: answer(request, "allowed", trust)) as stub:
        assert "does not let bedrock.amazonaws.com" in ask(cloud, stub)["role"][1]


def test_who_may_not_look_at_roles_is_warned_and_no_more(cloud: CommandLine) -> None:
    error = b"<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>"
    with serve(lambda _: Reply(403, error)) as stub:
        cloud.settings["AWS_ENDPOINT_URL_IAM"] = stub.url
        assert set(warnings(cloud)) == {"role", "pass role"}


def test_who_may_not_look_at_the_own_role_has_iam_asked_by_its_name(cloud: CommandLine) -> None:
    denied = Reply(403, b"<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>")

    def reply(request: Request) -> Reply:
        return denied if b"GetRole" in request.body else answer(request, "allowed", TRUST)

    with serve(reply) as stub:
        assert ask(cloud, stub)["pass role"][0] == "ok"
    [simulated] = [each for each in stub.requests if b"SimulatePrincipalPolicy" in each.body]
    assert parse_qs(simulated.body.decode())["PolicySourceArn"] == [
        f"arn:aws:iam::{stack.ACCOUNT}:role/daemon"
    ]


def named(cloud: CommandLine, path: Path, *ids: str) -> None:
    """Add models to those of the table."""
    models = [{"id": each, "max_output_tokens": 9} for each in ids]
    path.write_text(json.dumps({"models": models}))
    cloud.settings["NOVABATCH_MODELS_FILE"] = str(path)


def test_models_that_the_region_does_not_offer_are_warned_of(cloud: CommandLine, tmp_path: Path) -> None:
    named(
        cloud,
        tmp_path / "models.json",
        "eu.amazon.nova-lite-v1:0",
        "amazon.nova-lite-v9:0",
        "amazon.nova-lite-v1:0",
    )
    said = warnings(cloud)["offers"]
    assert said == "not offered in us-east-1: eu.amazon.nova-lite-v1:0, amazon.nova-lite-v9:0"


def test_a_region_without_any_of_the_models_is_a_fault(cloud: CommandLine, fresh_aws: Server) -> None:
    gone = {"operation": "GetInferenceProfile", "code": "ResourceNotFoundException", "status": 404}
    fresh_aws.control.add_faults(calls=[gone])
    level, told = offered(cloud)
    assert level == "fault"
    assert told.startswith("none of us.amazon.nova-micro-v1:0, ")


def offered(cloud: CommandLine) -> tuple[str, str]:
    document = json.loads(cloud.run("doctor", "--json").stdout)
    (check,) = [each for each in document["checks"] if each["name"] == "offers"]
    return check["level"], f"{check['detail']} → {check['advice']}"


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ({"code": "AccessDeniedException", "status": 403}, "allow bedrock:GetInferenceProfile"),
        ({"code": "InternalServerException", "status": 500}, "Ask again"),
    ],
)
def test_what_bedrock_does_not_tell_of_models_cannot_be_known_and_is_no_fault(
    cloud: CommandLine, fresh_aws: Server, fault: dict[str, Any], said: str
) -> None:
    fresh_aws.control.add_faults(calls=[{"operation": "GetInferenceProfile", **fault}])
    level, told = offered(cloud)
    assert level == "warn"
    assert said in told


def test_a_model_that_is_on_its_way_out_is_doubted(cloud: CommandLine, tmp_path: Path) -> None:
    named(cloud, tmp_path / "models.json", "amazon.nova-lite-v1:0")
    profile, details = b'{"status": "ACTIVE"}', b'{"modelDetails": {"modelLifecycle": {"status": "LEGACY"}}}'
    with serve(lambda request: Reply(body=details if "foundation" in request.path else profile)) as stub:
        cloud.settings["AWS_ENDPOINT_URL_BEDROCK"] = stub.url
        assert offered(cloud)[1].startswith("amazon.nova-lite-v1:0 is LEGACY →")


def test_a_role_that_is_not_there_or_of_another_account_is_a_fault(cloud: CommandLine) -> None:
    cloud.may_do_everything().settings["NOVABATCH_ROLE_ARN"] = "arn:aws:iam::999999999999:role/nobody"
    found = faults(cloud)
    assert set(found) == {"role", "pass role"}
    assert "GetRole nobody" in found["role"]
    assert "another account" in found["pass role"]


@pytest.mark.parametrize("name", ["ROLE_ARN", "DATABASE_URL", "SLOTS"])
def test_a_setting_that_cannot_be_read_is_one_fault_and_hides_no_other_check(
    cloud: CommandLine, sqs: Any, name: str
) -> None:
    cloud.settings[f"NOVABATCH_{name}"] = "sqlite:nonsense"
    sqs.delete_queue(QueueUrl=url_of(sqs, stack.CLEANUP_QUEUE))
    document = json.loads(cloud.run("doctor", "--json").stdout)
    found = {each["name"]: each["detail"] for each in document["checks"] if each["level"] == "fault"}
    assert set(found) == {"settings", "queue cleanup"}
    assert found["settings"].startswith(f"NOVABATCH_{name}: ")
    assert {"clock", "bucket", "rule"} <= {each["name"] for each in document["checks"]}
    (shown,) = [each for each in document["settings"] if each["name"] == f"NOVABATCH_{name}"]
    assert (shown["value"], shown["source"]) == ("(cannot be read)", "environment")


@pytest.mark.parametrize("seconds", [-20, 0, 20])
def test_a_clock_that_agrees_is_called_sound(seconds: int) -> None:
    assert "agrees" in judge_clock(NOW, NOW + timedelta(seconds=seconds))


def test_a_clock_that_drifts_is_doubted_and_one_too_far_off_is_a_fault() -> None:
    with pytest.raises(Doubt, match="60 s behind AWS"):
        judge_clock(NOW, NOW - timedelta(seconds=60))
    with pytest.raises(click.ClickException, match="400 s ahead of AWS"):
        judge_clock(NOW, NOW + timedelta(seconds=400))


def test_dead_letters_are_told_with_the_verb_that_shows_them(cloud: CommandLine, sqs: Any) -> None:
    bury(sqs, "{}")
    assert "1 dead letters" in warnings(cloud)["queue submit"]
    assert "novabatch dlq list" in cloud.ok("doctor")


@pytest.mark.parametrize(
    ("queue", "attributes", "said"),
    [
        (stack.SUBMIT_QUEUE, {"MessageRetentionPeriod": "1209600"}, None),
        (f"{stack.SUBMIT_QUEUE}-dlq", {"MessageRetentionPeriod": "60"}, "forgets sooner"),
        (
            stack.SUBMIT_QUEUE,
            {
                "RedrivePolicy": json.dumps(
                    {
                        "deadLetterTargetArn": f"arn:aws:sqs:us-east-1:{stack.ACCOUNT}:submit-requests-dlq",
                        "maxReceiveCount": 1,
                    }
                )
            },
            "after 1 receives",
        ),
    ],
)
def test_a_queue_that_gives_up_or_forgets_too_soon_is_doubted(
    cloud: CommandLine, sqs: Any, queue: str, attributes: dict[str, str], said: str | None
) -> None:
    sqs.set_queue_attributes(QueueUrl=url_of(sqs, queue), Attributes=attributes)
    found = warnings(cloud).get("queue submit", "")
    assert (said in found) if said else not found


def test_a_rule_that_lets_no_event_through_is_doubted(cloud: CommandLine) -> None:
    events = stack.client("events", cloud.url)
    cloud.settings["NOVABATCH_JOB_NAME_PREFIX"] = "other"
    assert "lets no job through whose name begins with other-" in warnings(cloud)["rule"]
    del cloud.settings["NOVABATCH_JOB_NAME_PREFIX"]
    events.disable_rule(Name=stack.RULE)
    assert "disabled" in warnings(cloud)["rule"]
    events.remove_targets(Rule=stack.RULE, Ids=[stack.STATE_QUEUE])
    assert "none on the default bus" in warnings(cloud)["rule"]


def test_a_queue_that_takes_nothing_from_rules_is_doubted(cloud: CommandLine, sqs: Any) -> None:
    url = url_of(sqs, stack.STATE_QUEUE)
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": ""})
    assert "no policy" in warnings(cloud)["rule"]


@pytest.mark.parametrize("operation", ["ListObjectsV2", "HeadObject", "PutObject"])
def test_each_thing_that_may_not_be_done_with_the_bucket_is_found(
    cloud: CommandLine, fresh_aws: Server, s3: Any, operation: str
) -> None:
    s3.put_object(Bucket=stack.BUCKET, Key="proxy_video/a.mov", Body=b"0")
    fresh_aws.control.add_faults(calls=[{"operation": operation, "code": "AccessDenied", "status": 403}])
    assert list(faults(cloud)) == ["bucket"]


def test_looking_changes_nothing_in_the_bucket(cloud: CommandLine, s3: Any) -> None:
    cloud.ok("doctor")
    assert s3.list_objects_v2(Bucket=stack.BUCKET)["KeyCount"] == 0


def test_a_store_that_ignores_conditions_is_found_out() -> None:
    with serve(lambda _: Reply()) as stub, pytest.raises(Rejected, match="ignores If-Match"):
        try_to_write(s3_client(stub.url), "b", "k")


def test_a_bus_that_is_not_there_is_a_fault(cloud: CommandLine) -> None:
    cloud.may_do_everything().settings["NOVABATCH_EVENT_BUS"] = "nowhere"
    assert list(faults(cloud)) == ["event bus"]
