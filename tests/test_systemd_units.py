"""The units of deploy/systemd, as systemd itself reads them, and what they promise about the daemon."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from configparser import RawConfigParser
from pathlib import Path

import pytest

from daemon.settings import LONGEST_POLL, PREFIX, Role, Settings, variable
from deploy.local import stack
from tests.resolved import resolved

ROOT = Path(__file__).resolve().parent.parent
UNITS = ROOT / "deploy/systemd"
INSTALLED = "/opt/novabatch/bin/novabatch"
SERVICES = ["novabatch@.service", "novabatch-sweep.service"]
LARGEST_EXPOSURE = 1.5

Analyze = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def analyze(tmp_path: Path) -> Analyze:
    """Run systemd-analyze over copies of the units whose program is the one installed here."""
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not to be had here (Debian: systemd)")
    here = str(Path(sys.executable).with_name("novabatch"))
    for unit in _units():
        (tmp_path / unit.name).write_text(unit.read_text().replace(INSTALLED, here))
    return lambda *words: subprocess.run(
        [program, *words], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )


def _units() -> Iterator[Path]:
    yield from (path for path in UNITS.iterdir() if path.suffix in {".service", ".timer", ".target"})


def read(name: str) -> RawConfigParser:
    """Read a unit; of a key given twice the last stands."""
    unit = RawConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(UNITS / name)
    return unit


def test_systemd_finds_nothing_to_complain_about(analyze: Analyze) -> None:
    names = ["./novabatch@submit.service", *(f"./{path.name}" for path in _units() if "@" not in path.name)]
    done = analyze("verify", *names)
    assert (done.returncode, done.stderr) == (0, "")


def test_systemd_complains_about_a_key_it_does_not_know(analyze: Analyze, tmp_path: Path) -> None:
    unit = tmp_path / "novabatch@.service"
    unit.write_text(unit.read_text().replace("WatchdogSec=", "WatchdogSeconds="))
    assert "WatchdogSeconds" in analyze("verify", "./novabatch@submit.service").stderr


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_hardened(analyze: Analyze, name: str) -> None:
    told = analyze("security", "--offline=true", f"./{name}").stdout
    exposure = re.search(r"Overall exposure level for \S+: ([0-9.]+)", told)
    assert exposure, told
    assert float(exposure[1]) <= LARGEST_EXPOSURE


def test_the_target_starts_one_consumer_of_each_kind() -> None:
    wants = (UNITS / "novabatch.target").read_text()
    assert re.findall(r"novabatch@(\w+)\.service", wants) == [role.value for role in Role]


def test_a_stop_leaves_time_for_the_drain_and_the_end_of_an_open_poll() -> None:
    stop = int(read("novabatch@.service")["Service"]["TimeoutStopSec"])
    assert stop >= Settings.model_fields["drain_seconds"].default + LONGEST_POLL


def test_systemd_hears_from_the_process_itself_when_it_is_up_and_alive() -> None:
    service = read("novabatch@.service")["Service"]
    assert (service["Type"], service["NotifyAccess"]) == ("notify", "main")
    assert int(service["WatchdogSec"]) > 0


def test_the_environment_file_names_settings_that_there_are_and_all_that_have_no_default() -> None:
    lines = (UNITS / "novabatch.env").read_text().splitlines()
    named = {match[2]: match[1] for line in lines if (match := re.match(r"(#?)([A-Z_]+)=", line))}
    ours = {name for name in named if name.startswith(PREFIX)}
    assert ours <= {variable(name) for name in Settings.model_fields}
    assert {name for name in map(variable, Settings.needed) if named.get(name) == ""} == {
        variable(name) for name in Settings.needed
    }


def test_the_environment_file_names_bedrocks_role_as_the_template_makes_it() -> None:
    given = dict(re.findall(r"^([A-Z_]+)=(.*)$", (UNITS / "novabatch.env").read_text(), re.MULTILINE))
    assert given["AWS_REGION"] == stack.REGION
    role = resolved({"BucketName": given["NOVABATCH_BUCKET"]}).value({"Fn::GetAtt": ["BedrockRole", "Arn"]})
    assert given["NOVABATCH_ROLE_ARN"] == role
