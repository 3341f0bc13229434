"""What is shipped: locked by hash, billed, licensed by licences agreed to, and audited or said not to be."""

import importlib.util
import json
import re
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from tests.http_stub import Reply, Request, serve

ROOT = Path(__file__).resolve().parent.parent
HOLE = {"id": "PYSEC-1", "affected": [], "summary": "A hole."}


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / f".ci/{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


bom = load("bom")


def audit(url: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(ROOT / ".ci/audit.py"), "--osv-url", url]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def asked(request: Request) -> tuple[str, str]:
    body = json.loads(request.body)
    return body["package"]["name"], body["version"]


def database(*bad: str) -> Any:
    """Answer as the advisory database does, with a hole in the release it must know and in these packages."""

    def answer(request: Request) -> Reply:
        name, version = asked(request)
        known = name in bad or (name, version) == ("jinja2", "2.10")
        return Reply(body=json.dumps({"vulns": [HOLE]} if known else {}).encode())

    return serve(answer)


def test_an_audit_of_packages_without_a_hole_passes_and_has_asked_about_every_one_of_both_locks() -> None:
    with database() as stub:
        ran = audit(stub.url)
    pins = {
        line.partition("==")[0]
        for lock in ("requirements.txt", "requirements-dev.txt")
        for line in (ROOT / lock).read_text().splitlines()
        if "==" in line and "win32" not in line
    }
    assert (ran.returncode, pins - {asked(request)[0] for request in stub.requests}) == (0, set()), ran.stderr


def test_an_audit_names_a_package_with_a_hole() -> None:
    with database("urllib3") as stub:
        ran = audit(stub.url)
    assert ran.returncode == 1
    assert re.search("urllib3 .*PYSEC-1", ran.stdout)


@pytest.mark.parametrize("body", [b"{}", b"<html>Sign in</html>"], ids=["no holes anywhere", "a page"])
def test_an_audit_fails_where_something_else_answers(body: bytes) -> None:
    with serve(lambda request: Reply(body=body)) as stub:
        ran = audit(stub.url)
    assert ran.returncode == 2
    assert "Nothing is known about any package" in ran.stderr


def test_an_audit_fails_where_nothing_answers() -> None:
    with serve(lambda request: Reply()) as stub:
        gone = stub.url
    ran = audit(gone)
    assert ran.returncode == 2
    assert "could not be asked" in ran.stderr


def test_an_audit_fails_where_one_package_is_refused() -> None:
    def answer(request: Request) -> Reply:
        name, version = asked(request)
        if name == "structlog":
            return Reply(500)
        return Reply(body=json.dumps({"vulns": [HOLE]} if version == "2.10" else {}).encode())

    with serve(answer) as stub:
        ran = audit(stub.url)
    assert (ran.returncode != 0, "500" in ran.stderr) == (True, True), ran.stderr


@pytest.fixture(scope="module")
def packages() -> list[Any]:
    return list(bom.shipped())


def test_the_bill_of_materials_is_that_of_the_lock(packages: list[Any]) -> None:
    assert bom.BOM.read_text() == bom.bill(packages), "write it anew: make pages"
    assert bom.PAGE.read_text() == bom.page(packages), "write it anew: make pages"


def test_the_bill_of_materials_keeps_to_its_standard() -> None:
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(bom.BOM.read_text()) is None


def test_every_package_that_is_shipped_carries_the_text_of_its_licence(packages: list[Any]) -> None:
    names = re.compile("licen[cs]e|copying", re.IGNORECASE)
    without = [
        each.name
        for each in packages
        if not any(names.search(file.name) for file in distribution(each.name).files or ())
    ]
    assert without == []


@pytest.mark.parametrize("said", ["GPL-3.0-only", "MIT AND AGPL-3.0-only", "as we like", ""])
def test_a_licence_that_nobody_agreed_to_is_refused_by_name(said: str) -> None:
    with pytest.raises(bom.UnknownLicence, match="somebody"):
        bom.licence_of("somebody", ["", said], [])


def test_no_package_for_tests_is_among_what_is_shipped(packages: list[Any]) -> None:
    assert {each.name for each in packages} & {"moto", "pytest", "flask", "pip-audit", "pillow"} == set()
