"""The dashboards against the types that Grafana publishes, by the TypeScript compiler."""

import shutil
import subprocess
from pathlib import Path

import pytest

from deploy.grafana.__main__ import DASHBOARDS
from deploy.grafana.write import text
from tests.npm import packages

PACKAGES = ("@grafana/schema@11.6.0", "typescript@5.7.3")
TYPES = Path(__file__).with_name("dashboard.ts")
OPTIONS = ("--noEmit", "--strict", "--skipLibCheck", "--module", "esnext", "--moduleResolution", "node")
WRONG = {
    '"colorMode": "background"': '"colorMode": "backgrund"',
    '"unit": "short"': '"unit": 7',
    '"steps": [': '"step": [',
    '"legendFormat": ""': '"legend": ""',
}


@pytest.fixture(scope="module")
def compiler() -> Path:
    """The folder that holds Grafana's types and the compiler, fetched once for all runs."""
    return packages("grafana-types", *PACKAGES)


@pytest.fixture(scope="module")
def said(compiler: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the compiler says against the dashboards, and against copies that are spoilt."""
    overview = text(DASHBOARDS[0])
    spoilt = {f"spoilt-{n}": overview.replace(was, now, 1) for n, (was, now) in enumerate(WRONG.items())}
    assert overview not in spoilt.values()
    return check(
        compiler, tmp_path_factory.mktemp("types"), {each.uid: text(each) for each in DASHBOARDS} | spoilt
    )


def check(compiler: Path, folder: Path, dashboards: dict[str, str]) -> str:
    (folder / "node_modules").symlink_to(compiler / "node_modules")
    shutil.copy(TYPES, folder)
    for name, body in dashboards.items():
        said = f'import type {{ Generated }} from "./dashboard";\nexport const it: Generated = {body};\n'
        (folder / f"{name}.ts").write_text(said)
    command = [str(compiler / "node_modules/.bin/tsc"), *OPTIONS, *(f"{name}.ts" for name in dashboards)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120).stdout


def test_every_dashboard_is_of_the_type_that_grafana_publishes(said: str) -> None:
    assert [line for line in said.splitlines() if line.startswith("novabatch-")] == []


def test_the_types_refuse_what_grafana_does_not_know(said: str) -> None:
    assert [number for number in range(len(WRONG)) if f"spoilt-{number}.ts" not in said] == []
