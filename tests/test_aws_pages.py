"""The page of the CloudFormation templates: what is typed there does what they do, and says it."""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from daemon.cli.program import VERBS
from deploy.local import template
from tests.resolved import resolved

ROOT = Path(__file__).resolve().parent.parent
PAGE = (template.FOLDER / "README.md").read_text()
RECOVERY = (ROOT / "docs/recovery.md").read_text()
BUCKET = "my-media-bucket"
PREFIXES = {  # else the same word in small letters
    "ApplicationAutoScaling": ("application-autoscaling",),
    "ServiceDiscovery": ("servicediscovery", "route53"),
}


def written(name: str) -> Any:
    """Return the JSON that the page has put into a file."""
    (text,) = re.findall(rf"^cat > {name} <<'END'\n(.*?)^END$", PAGE, re.MULTILINE | re.DOTALL)
    return json.loads(text)


def sent_to_s3(rule: dict[str, Any]) -> dict[str, Any]:
    """Return a lifecycle rule of a template as S3's own API spells it."""
    expiration = {
        word: rule[name]
        for name, word in (
            ("ExpirationInDays", "Days"),
            ("ExpiredObjectDeleteMarker", "ExpiredObjectDeleteMarker"),
        )
        if name in rule
    }
    same = ("Status", "AbortIncompleteMultipartUpload", "NoncurrentVersionExpiration")
    known = {*same, "Id", "Prefix", "ExpirationInDays", "ExpiredObjectDeleteMarker"}
    assert rule.keys() <= known
    return {
        "ID": rule["Id"],
        "Filter": {"Prefix": rule.get("Prefix", "")},
        **{name: rule[name] for name in same if name in rule},
        **({"Expiration": expiration} if expiration else {}),
    }


# -- a bucket that is there --------------------------------------------------------------------------------


def test_the_lifecycle_to_be_put_is_that_of_a_bucket_the_template_makes() -> None:
    made = resolved({"BucketName": BUCKET}).properties("Bucket")["LifecycleConfiguration"]["Rules"]
    assert written("lifecycle.json") == {"Rules": [sent_to_s3(rule) for rule in made]}
    assert "--lifecycle-configuration file://lifecycle.json" in PAGE


def test_the_policy_to_be_put_is_that_of_a_bucket_the_template_makes() -> None:
    assert (
        written("policy.json")
        == resolved({"BucketName": BUCKET}).properties("BucketPolicy")["PolicyDocument"]
    )
    assert "--policy file://policy.json" in PAGE


def test_the_access_block_to_be_put_is_that_of_a_bucket_the_template_makes() -> None:
    made = resolved({"BucketName": BUCKET}).properties("Bucket")["PublicAccessBlockConfiguration"]
    (typed,) = re.findall(r"--public-access-block-configuration \\\n\s+(\S+)", PAGE)
    assert dict(each.split("=") for each in typed.split(",")) == {
        name: str(each).lower() for name, each in made.items()
    }


# -- who deploys -------------------------------------------------------------------------------------------


def test_the_permissions_of_who_deploys_name_every_service_of_the_templates() -> None:
    (table,) = re.findall(r"^\| stack \|.*?\n\n", PAGE, re.MULTILINE | re.DOTALL)
    services = "".join(re.findall(r"^\| \w[^|]*\|([^|]*)\|", table, re.MULTILINE))
    for path in template.FOLDER.glob("*.yaml"):
        for each in template.read(path)["Resources"].values():
            service = each["Type"].split("::")[1]
            for prefix in PREFIXES.get(service, (service.lower(),)):
                assert f"`{prefix}`" in services, each["Type"]
    assert "AWS::Scheduler" not in "".join(path.read_text() for path in template.FOLDER.glob("*.yaml"))
    assert {"iam:PassRole", "iam:CreateServiceLinkedRole", "ecs:RunTask"} <= set(
        re.findall(r"`(\w+:\w+)`", table)
    )


def test_the_image_is_built_for_the_processor_that_the_template_asks_for() -> None:
    architecture = template.read(template.SERVICES)["Parameters"]["Architecture"]
    assert architecture["Default"] == "X86_64"
    for page in (PAGE, RECOVERY):
        builds = re.findall(r"^docker build.*$", page, re.MULTILINE)
        assert builds
        assert all("--platform linux/amd64" in each for each in builds)


def test_both_logins_of_the_roles_become_secrets_and_each_goes_where_it_belongs() -> None:
    roles = (ROOT / "deploy/postgresql/README.md").read_text()
    secrets = dict(re.findall(r"^(\w+)=\$\(aws secretsmanager.*\n.*psycopg://(\w+):", PAGE, re.MULTILINE))
    assert secrets == {"DEPLOY_SECRET": "novabatch_deploy", "APP_SECRET": "novabatch_app"}
    assert all(f"CREATE ROLE {login} LOGIN" in roles for login in secrets.values())
    assert 'DatabaseSecretArn="$APP_SECRET" MigrateSecretArn="$DEPLOY_SECRET"' in PAGE


# -- the order ---------------------------------------------------------------------------------------------


def test_the_schema_comes_between_a_pass_without_services_and_one_with_them() -> None:
    steps = ["RunServices=no ResourcesStack", "\nrun_task migrate\n", "--parameter-overrides RunServices=yes"]
    places = [PAGE.index(each) for each in steps]
    assert places == sorted(places)
    assert RECOVERY.index('MigrateImage="$REPOSITORY:2"') < RECOVERY.index("\nrun_task migrate ")


def test_the_page_of_recovery_says_that_ecs_takes_no_first_deployment_back_and_how_all_tasks_end() -> None:
    assert "A first deployment has none before it" in RECOVERY
    restore = RECOVERY[RECOVERY.index("## A backup comes back") :]
    assert restore.index("`RunServices=no` ends all tasks") < restore.index("`RunServices=yes` comes")


def test_every_parameter_that_is_typed_is_one_of_its_template() -> None:
    for page in (PAGE, RECOVERY):
        for command in re.findall(r"aws cloudformation deploy(?:.*\\\n)*.*", page):
            (name,) = re.findall(r"(\w+)\.yaml", command)
            known = template.read(template.FOLDER / f"{name}.yaml")["Parameters"].keys()
            assert set(re.findall(r"\b([A-Z]\w+)=", command)) <= known


@pytest.mark.parametrize("block", re.findall(r"^```bash\n(.*?)^```$", PAGE, re.M | re.S))
def test_what_is_to_be_typed_is_bash(block: str) -> None:
    done = subprocess.run(["bash", "-n"], input=block, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


STUB = """#!/bin/sh
echo "$*" >> "$CALLS"
case "$1 $2 $*" in
    *ClusterName*) echo the-cluster ;;
    *TaskNetwork*) echo the-network ;;
    "ecs run-task"*) echo "$TASK" ;;
    "ecs wait"*) [ "$(grep -c 'ecs wait' "$CALLS")" -gt 1 ] ;;  # the first one takes too long
    "ecs describe-tasks"*) printf '3\\tEssential container in task exited\\n' ;;
esac
"""


def typed(folder: Path, command: str, task: str) -> tuple[str, list[str]]:
    """Type a command after the page's functions; returns what it says, and the calls of ECS."""
    (functions,) = re.findall(r"^output\(\) \{.*?^\}\nrun_task\(\) \{.*?^\}$", PAGE, re.MULTILINE | re.DOTALL)
    for name, text in (("aws", STUB), ("sleep", "#!/bin/sh\n")):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    calls = folder / "calls"
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"
    told = subprocess.run(
        ["bash", "-c", f"{functions}\n{command}"],
        env={"PATH": path, "CALLS": str(calls), "TASK": task},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    return told.stdout, [each for each in calls.read_text().splitlines() if each.startswith("ecs")]


def test_a_task_is_waited_for_for_hours_and_its_exit_code_told(tmp_path: Path) -> None:
    said, (run, *waits, look) = typed(tmp_path, "run_task operator --overrides '{\"a b\":1}'", "the-task")
    assert said == "3\tEssential container in task exited\n"
    assert "--task-definition novabatch-services-operator" in run
    assert '--network-configuration the-network --overrides {"a b":1}' in run
    assert waits == ["ecs wait tasks-stopped --cluster the-cluster --tasks the-task"] * 2
    assert "exitCode" in look


@pytest.mark.parametrize("task", ["None", ""])
def test_a_task_that_was_not_started_is_not_waited_for(tmp_path: Path, task: str) -> None:
    said, calls = typed(tmp_path, "run_task migrate", task)
    assert (said, len(calls)) == ("", 1)


def test_the_tasks_and_outputs_that_are_typed_are_those_of_the_templates() -> None:
    families = {
        each["Properties"]["Family"]["Fn::Sub"].removeprefix("${AWS::StackName}-")
        for each in template.read(template.SERVICES)["Resources"].values()
        if each["Type"] == "AWS::ECS::TaskDefinition"
    }
    assert (
        set(re.findall(r"^run_task (\w+)", PAGE + RECOVERY, re.MULTILINE))
        == {"migrate", "operator"}
        <= families
    )
    stacks = {"novabatch": template.RESOURCES, "novabatch-services": template.SERVICES}
    asked = re.findall(r"\$\(output ([\w-]+) (\w+)\)", PAGE)
    assert asked
    assert all(name in template.read(stacks[stack])["Outputs"] for stack, name in asked)


def test_commands_given_to_a_task_are_verbs_for_its_container() -> None:
    given = [json.loads(each) for each in re.findall(r"--overrides '(.*)'$", PAGE, re.MULTILINE)]
    (container,) = template.read(template.SERVICES)["Resources"]["OperatorTask"]["Properties"][
        "ContainerDefinitions"
    ]
    assert given
    for (only,) in (each["containerOverrides"] for each in given):
        assert only["name"] == container["Name"]
        assert only["command"][0] in VERBS
