"""The page of the CloudFormation templates: what is typed there does what they do, and says it."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from shutil import copy2
from typing import Any

import pytest

from daemon.analysis_files import read_analyses
from daemon.cli.program import VERBS
from daemon.model_file import read_models
from daemon.settings import PREFIX, load, variable
from deploy.local import template
from schemas.models import BUILT_IN
from tests.resolved import resolved

ROOT = Path(__file__).resolve().parent.parent
PAGE = (template.FOLDER / "README.md").read_text()
RECOVERY = (ROOT / "docs/recovery.md").read_text()
BUCKET = "my-media-bucket"
PREFIXES = {  # else the same word in small letters
    "ApplicationAutoScaling": ("application-autoscaling",),
    "ServiceDiscovery": ("servicediscovery", "route53"),
}


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


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
    roles = (ROOT / "deploy/postgresql/roles.sql").read_text()
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


def test_every_parameter_that_is_typed_is_one_of_its_template() -> None:
    for page in (PAGE, RECOVERY):
        for command in re.findall(r"aws cloudformation deploy(?:.*\\\n)*.*", page):
            (name,) = re.findall(r"(\w+)\.yaml", command)
            known = template.read(template.FOLDER / f"{name}.yaml")["Parameters"].keys()
            assert set(re.findall(r"\b([A-Z]\w+)=", command)) <= known


@pytest.mark.parametrize("block", blocks("bash"))
def test_what_is_to_be_typed_is_bash(block: str) -> None:
    done = subprocess.run(["bash", "-n"], input=block, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


STUB = """#!/bin/sh
echo "$*" >> "$CALLS"
case "$1 $2 $*" in
    *ClusterName*) echo the-cluster ;;
    *TaskNetwork*) echo the-network ;;
    "ecs run-task"*) echo the-task ;;
    "ecs describe-tasks"*) printf '3\\tEssential container in task exited\\n' ;;
esac
"""


def test_a_task_is_waited_for_and_its_exit_code_told(tmp_path: Path) -> None:
    (functions,) = re.findall(r"^output\(\) \{.*?^\}\nrun_task\(\) \{.*?^\}$", PAGE, re.MULTILINE | re.DOTALL)
    (tmp_path / "aws").write_text(STUB)
    (tmp_path / "aws").chmod(0o755)
    calls = tmp_path / "calls"
    told = subprocess.run(
        ["bash", "-ec", f"{functions}\nrun_task operator --overrides '{{\"a b\":1}}'"],
        env={"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}", "CALLS": str(calls)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout == "3\tEssential container in task exited\n"
    run, wait, look = [each for each in calls.read_text().splitlines() if each.startswith("ecs")]
    assert "--task-definition novabatch-services-operator" in run
    assert '--network-configuration the-network --overrides {"a b":1}' in run
    assert wait == "ecs wait tasks-stopped --cluster the-cluster --tasks the-task"
    assert "exitCode" in look


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


# -- an image with files of one's own ----------------------------------------------------------------------


def own_image() -> tuple[dict[str, str], dict[str, str]]:
    """Return what is copied where, and the variables."""
    (text,) = blocks("dockerfile")
    return (
        dict(re.findall(r"^COPY (\S+) (\S+)$", text, re.MULTILINE)),
        dict(re.findall(rf"({PREFIX}\w+)=(\S+)", text)),
    )


def test_the_image_with_own_files_names_them_in_settings_that_the_template_leaves_alone() -> None:
    copies, variables = own_image()
    assert variables == {
        variable("models_file"): copies["models.json"],
        variable("analyses_dir"): copies["analyses"],
    }
    for name in ("Submit", "JobState", "Cleanup", "Operator"):
        (task,) = template.read(template.SERVICES)["Resources"][f"{name}Task"]["Properties"][
            "ContainerDefinitions"
        ]
        assert not variables.keys() & {each["Name"] for each in task["Environment"]}
        for mount in task["MountPoints"]:
            assert not [each for each in copies.values() if each.startswith(mount["ContainerPath"])]


def test_hadolint_has_no_complaint_about_the_image_with_own_files(tmp_path: Path) -> None:
    (text,) = blocks("dockerfile")
    (tmp_path / "Dockerfile").write_text(text)
    program = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([program, tmp_path / "Dockerfile"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_own_files_are_read_from_where_the_image_has_them(tmp_path: Path) -> None:
    copies, variables = own_image()
    analyses, models = tmp_path / copies["analyses"].strip("/"), tmp_path / copies["models.json"].strip("/")
    analyses.mkdir(parents=True)
    copy2(ROOT / "examples/colours.py", analyses)
    models.write_text(json.dumps({"models": [{"id": BUILT_IN[0].id, "slots": 7}]}))
    subprocess.run(["chmod", "-R", "u=rwX,go=rX", analyses, models], check=True)
    assert "chmod -R u=rwX,go=rX models.json analyses" in PAGE
    settings = load(
        **{
            name.removeprefix(PREFIX).lower(): tmp_path / place.strip("/")
            for name, place in variables.items()
        }
    )
    assert "colours" in {each.name for each in read_analyses(settings)}
    assert read_models(settings).models[0].slots == 7
