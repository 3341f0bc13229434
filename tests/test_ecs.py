"""The second template, its functions worked out: what a pass makes, who knows which secret, the knobs."""

import re
from pathlib import Path
from typing import Any

import pytest

from daemon.settings import PREFIX, Settings, variable
from daemon.wiring import Parts
from deploy.local import template
from tests.resolved import Resolved, resolved

SCALING = (template.FOLDER.parents[1] / "docs/scaling.md").read_text()
GIVEN = {
    "Image": "novabatch:1",
    "VpcId": "vpc-1",
    "SubnetIds": "subnet-1,subnet-2",
    "DatabaseSecretArn": "arn:aws:secretsmanager:us-east-1:123456789012:secret:app",
}
DEPLOY_LOGIN = "arn:aws:secretsmanager:us-east-1:123456789012:secret:deploy"
CONSUMERS = ("Submit", "JobState", "Cleanup")
TASKS = (*CONSUMERS, "Migrate", "Operator")
NO_KNOBS = ("MODELS_FILE", "ANALYSES_DIR")  # files: they come with the image


def services(**given: str) -> Resolved:
    return resolved({**GIVEN, **given}, template.SERVICES)


def container(name: str, **given: str) -> Any:
    (only,) = services(**given).properties(f"{name}Task")["ContainerDefinitions"]
    return only


def environment(name: str, **given: str) -> dict[str, str]:
    return {each["Name"]: each["Value"] for each in container(name, **given)["Environment"]}


def secret(name: str, **given: str) -> Any:
    (only,) = container(name, **given)["Secrets"]
    assert only["Name"] == variable("database_url")
    return only["ValueFrom"]


def at_the_start(sid: str, **given: str) -> list[Any]:
    """Return the resources of a statement of the role that starts tasks; none if it does not stand there."""
    (policy,) = services(**given).properties("ExecutionRole")["Policies"]
    found = [each["Resource"] for each in policy["PolicyDocument"]["Statement"] if each["Sid"] == sid]
    return found[0] if found and isinstance(found[0], list) else found


# -- two passes --------------------------------------------------------------------------------------------


def test_the_first_pass_makes_what_the_migration_needs_and_starts_nothing() -> None:
    first = services()
    kept_back = {name for name in first.parts["Resources"] if not first.has(name)}
    of_services = {
        f"{consumer}{kind}"
        for consumer in CONSUMERS
        for kind in ("Service", "Scaling", "Backlog", "TasksMissing")
    }
    assert kept_back == {*of_services, "Scraping", "DatabaseIngress"}


def test_the_second_pass_starts_every_service() -> None:
    second = services(RunServices="yes")
    assert [name for name in second.parts["Resources"] if not second.has(name)] == [
        "Scraping",
        "DatabaseIngress",
    ]


def test_the_group_of_the_database_is_opened_to_the_tasks_in_the_first_pass_if_it_is_named() -> None:
    first = services(DatabaseSecurityGroupId="sg-5")
    assert first.has("DatabaseIngress")
    opened = first.properties("DatabaseIngress")
    assert (opened["GroupId"], opened["SourceSecurityGroupId"]) == ("sg-5", "TaskSecurityGroup")
    assert (opened["FromPort"], opened["ToPort"], opened["IpProtocol"]) == (5432, 5432, "tcp")


@pytest.mark.parametrize("public", ["DISABLED", "ENABLED"])
def test_the_outputs_tell_the_network_of_a_task_that_is_run_by_hand(public: str) -> None:
    stack = services(AssignPublicIp=public)
    assert stack.value(stack.parts["Outputs"]["TaskNetwork"]["Value"]) == (
        "awsvpcConfiguration={subnets=[subnet-1,subnet-2],securityGroups=[TaskSecurityGroup],"
        f"assignPublicIp={public}}}"
    )


@pytest.mark.parametrize("name", CONSUMERS)
def test_an_update_leaves_the_number_of_tasks_to_scaling(name: str) -> None:
    stack = services(RunServices="yes", **{f"{name}TasksAtLeast": "3"})
    assert "DesiredCount" not in stack.properties(f"{name}Service")
    assert stack.properties(f"{name}Scaling")["MinCapacity"] == "3"


# -- logins ------------------------------------------------------------------------------------------------


def test_only_the_migration_is_given_the_login_that_changes_the_schema() -> None:
    told = {name: secret(name, MigrateSecretArn=DEPLOY_LOGIN) for name in TASKS}
    assert told.pop("Migrate") == DEPLOY_LOGIN
    assert set(told.values()) == {GIVEN["DatabaseSecretArn"]}


def test_with_one_secret_the_migration_has_that() -> None:
    assert secret("Migrate") == GIVEN["DatabaseSecretArn"]


def test_tasks_are_started_with_the_secrets_that_are_named_and_no_others() -> None:
    assert at_the_start("DatabaseUrl") == [GIVEN["DatabaseSecretArn"]]
    assert at_the_start("DatabaseUrl", MigrateSecretArn=DEPLOY_LOGIN) == [
        GIVEN["DatabaseSecretArn"],
        DEPLOY_LOGIN,
    ]


def test_the_key_of_the_secrets_is_allowed_with_the_role_itself_so_that_no_task_starts_before() -> None:
    assert at_the_start("DecryptSecret") == []
    assert at_the_start("DecryptSecret", DatabaseSecretKeyArn="arn:key") == ["arn:key"]
    assert {each["Type"] for each in services().parts["Resources"].values()} & {
        "AWS::IAM::ManagedPolicy",
        "AWS::IAM::Policy",
    } == set()


# -- the command line --------------------------------------------------------------------------------------


def test_a_task_of_the_command_line_may_do_what_an_operator_may_and_knows_all_settings() -> None:
    role = services().properties("OperatorRole")
    assert role["ManagedPolicyArns"] == ["OperatorPolicy"]
    assert "Policies" not in role
    serving = {variable("http_host"), variable("http_port")}
    assert environment("Operator").keys() == environment("Submit").keys() - serving
    assert container("Operator")["Command"] == ["doctor"]


def test_lines_of_migration_and_command_line_have_streams_of_their_own() -> None:
    for name in ("Migrate", "Operator"):
        options = container(name)["LogConfiguration"]["Options"]
        assert options["awslogs-group"] == "JobStateLogs"
        assert options["awslogs-stream-prefix"] == name.lower()
    told = re.findall(r"`([a-z-]+)/…`", (template.FOLDER.parents[1] / "docs/recovery.md").read_text())
    prefixes = [
        container(name)["LogConfiguration"]["Options"]["awslogs-stream-prefix"]
        for name in ("Migrate", "Operator", "JobState")
    ]
    assert told == prefixes


# -- knobs -------------------------------------------------------------------------------------------------


def test_every_consumer_is_given_the_same_settings() -> None:
    assert environment("Submit") == environment("JobState") == environment("Cleanup")


def test_what_the_page_of_scaling_tells_to_turn_can_be_turned() -> None:
    told = set(re.findall(rf"{PREFIX}([A-Z_]+)", SCALING))
    assert {"MAX_FILES_PER_CHUNK", "CONCURRENCY", *NO_KNOBS[:1]} <= told
    turned = {each.removeprefix(PREFIX) for each in environment("Submit")}
    assert told - turned <= set(NO_KNOBS)


@pytest.mark.parametrize(
    ("parameter", "setting"),
    [
        ("Slots", "slots"),
        ("MaxFilesPerChunk", "max_files_per_chunk"),
        ("StageAhead", "stage_ahead"),
        ("CanaryChunks", "canary_chunks"),
        ("Concurrency", "concurrency"),
        ("CopyConcurrency", "copy_concurrency"),
        ("BudgetUsdPerDay", "budget_usd_per_day"),
        ("ResultRetentionDays", "result_retention_days"),
        ("RowRetentionDays", "row_retention_days"),
        ("DrainSeconds", "drain_seconds"),
    ],
)
def test_a_parameter_turns_its_setting_and_has_the_same_default(parameter: str, setting: str) -> None:
    default = Settings.model_fields[setting].default
    assert environment("Submit")[variable(setting)] == ("" if default is None else str(default))
    assert environment("Submit", **{parameter: "90"})[variable(setting)] == "90"


@pytest.mark.parametrize(
    ("rows", "results", "complaints"), [("", "", 0), ("", "30", 0), ("90", "30", 0), ("90", "", 1)]
)
def test_rows_that_would_go_before_results_are_refused_before_a_task_starts(
    rows: str, results: str, complaints: int
) -> None:
    stack = services(RowRetentionDays=rows, ResultRetentionDays=results)
    assert len(stack.broken_rules()) == complaints


def test_a_task_that_is_sick_stays_in_the_names_that_prometheus_asks_for() -> None:
    for name in CONSUMERS:
        assert not {each for each in services().properties(f"{name}Discovery") if "Health" in each}


# -- connections -------------------------------------------------------------------------------------------


def tasks(word: str) -> int:
    parameters = template.read(template.SERVICES)["Parameters"]
    return sum(int(each["Default"]) for name, each in parameters.items() if name.endswith(f"Tasks{word}"))


@pytest.fixture
def connections(tmp_path: Path) -> tuple[int, int]:
    """How many a task keeps, and how many it takes at most."""
    settings = Settings(database_url=f"sqlite:///{tmp_path}/novabatch.db")
    pool: Any = Parts(settings, handlers=settings.concurrency).engine.pool
    return pool.size(), pool.size() + pool._max_overflow


def test_the_connections_of_the_page_of_scaling_are_those_a_task_takes(connections: tuple[int, int]) -> None:
    kept, most = connections
    found = re.findall(r"^  \| (\d+) \| (\d+) \| (\d+) \| (\d+) \|$", SCALING, re.MULTILINE)
    rows = [[int(number) for number in each] for each in found]
    assert [row[0] for row in rows] == [tasks("AtLeast"), 6, tasks("AtMost")]
    assert rows == [[n, n * kept, n * most, 2 * n * most] for n, *_ in rows]
    assert f"{kept} to {most} for one consumer with the default of 8" in SCALING
    allowed = [int(each) for each in re.findall(r"of\s+(\d+)\s+(?:carries|six|all)", SCALING)]
    assert len(allowed) == len(rows)
    assert all(row[3] < limit for row, limit in zip(rows, allowed, strict=True))


@pytest.mark.parametrize("name", ["Submit", "JobState", "Cleanup"])
def test_the_most_tasks_say_what_they_take_of_the_database(name: str, connections: tuple[int, int]) -> None:
    parts = template.read(template.SERVICES)
    said = parts["Parameters"][f"{name}TasksAtMost"]["Description"]
    assert "keeps {} database connections and takes {} for moments".format(*connections) in said
    deployment = parts["Resources"][f"{name}Service"]["Properties"]["DeploymentConfiguration"]
    assert deployment["MaximumPercent"] == 200
    assert "runs twice as many" in said
