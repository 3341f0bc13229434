"""The image: what goes in, what stays out, and that its build steps give a program that runs."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from shutil import copy2, copytree, ignore_patterns

import pytest

from daemon.analysis_files import read_analyses
from daemon.model_file import read_models
from daemon.settings import PREFIX, load, variable
from deploy.local import template
from schemas.models import BUILT_IN

ROOT = Path(__file__).resolve().parent.parent
DOCKERFILE = ROOT / "Dockerfile"
PAGE = (template.FOLDER / "README.md").read_text()
PLACE = "/opt/novabatch"
Step = tuple[str, str]


def steps() -> list[list[Step]]:
    """Return the instructions of each stage, long lines joined."""
    text = re.sub(r"\\\n\s*", "", re.sub(r"^#.*\n", "", DOCKERFILE.read_text(), flags=re.MULTILINE))
    found: list[list[Step]] = [[]]
    for line in filter(None, text.splitlines()):
        word, _, rest = line.partition(" ")
        if word == "FROM":
            found.append([])
        found[-1].append((word, rest))
    return found[1:]


def copied(stage: list[Step]) -> Iterator[str]:
    for word, rest in stage:
        if word == "COPY" and not rest.startswith("--from"):
            yield from rest.split()[:-1]


def test_the_build_takes_only_what_the_ignore_file_lets_through() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    let_through = {line[1:] for line in ignored if line.startswith("!")}
    build, final = steps()
    assert {*copied(build), "Dockerfile"} == let_through
    assert not list(copied(final))
    assert "*" in ignored


def test_the_image_runs_as_nobody_and_is_told_to_stop_by_the_signal_that_drains() -> None:
    final = steps()[-1]
    assert ("USER", "10001:10001") in final
    assert ("STOPSIGNAL", "SIGTERM") in final
    assert ("ENTRYPOINT", '["novabatch"]') in final


def test_the_base_is_pinned_to_a_patch_release() -> None:
    assert re.search(r"^ARG PYTHON=python:3\.11\.\d+-slim-\w+$", DOCKERFILE.read_text(), re.MULTILINE)


def test_hadolint_has_no_complaint() -> None:
    program = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([program, DOCKERFILE], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Walk through the build stage without a container, below a folder of its own; returns its program."""
    base = tmp_path_factory.mktemp("image")
    source, place, tools = base / "src", base / "opt", base / "tools"
    source.mkdir()
    subprocess.run([sys.executable, "-m", "venv", tools], check=True)
    path = f"{tools / 'bin'}{os.pathsep}{os.environ['PATH']}"
    for word, rest in steps()[0]:
        if word == "COPY":
            *names, target = rest.split()
            _copy(names, source / target)
        elif word == "RUN":
            command = rest.replace(PLACE, str(place))
            subprocess.run(
                ["sh", "-ec", command], cwd=source, env={**os.environ, "PATH": path}, check=True, timeout=200
            )
    return place / "bin/novabatch"


def _copy(names: list[str], target: Path) -> None:
    for name in names:
        if (ROOT / name).is_dir():
            copytree(ROOT / name, target, ignore=ignore_patterns("__pycache__"))
        else:
            copy2(ROOT / name, target if target.is_dir() else target.parent)


@pytest.mark.endurance
def test_the_build_steps_give_a_program_that_needs_the_runtime_lock_only(built: Path) -> None:
    quiet = {"PATH": os.environ["PATH"], "HOME": str(built.parent)}
    told = subprocess.run([built, "run", "submit"], env=quiet, capture_output=True, text=True, check=False)
    assert told.returncode == 1
    assert "NOVABATCH_BUCKET is not set" in told.stderr
    packages = {path.name.partition("-")[0].lower() for path in built.parent.parent.rglob("*.dist-info")}
    assert "novabatch" in packages
    assert not packages & {"pip", "setuptools", "wheel", "moto", "pytest", "flask", "hypothesis"}


# -- an image with files of one's own ----------------------------------------------------------------------


def own_dockerfile() -> str:
    (text,) = re.findall(r"^```dockerfile\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return str(text)


def own_image() -> tuple[dict[str, str], dict[str, str]]:
    """Return what is copied where, and the variables."""
    text = own_dockerfile()
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
    text = own_dockerfile()
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
