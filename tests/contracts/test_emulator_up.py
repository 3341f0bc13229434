import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

import av
import pytest
from PIL import Image

from deploy.local import patching, processes, stack
from deploy.local.control import Control
from deploy.local.media import make_media
from deploy.local.patching import MotoChangedError
from deploy.local.processes import Child
from tests.contracts.local_aws import until

UP = [sys.executable, "-m", "deploy.local", "up", "--no-consumers"]


def start(directory: Path, *arguments: str) -> Child:
    command = [*UP, "--dir", str(directory), *arguments]
    return processes.start("up", command, os.environ, directory.parent / "logs")


def environment(directory: Path) -> dict[str, str]:
    words = shlex.split((directory / "env").read_text())
    return dict(word.split("=", 1) for word in words if word != "export")


@pytest.fixture
def running(tmp_path: Path) -> Iterator[tuple[Child, Path]]:
    directory = tmp_path / "a folder"
    child = start(directory, "--port", "0")
    processes.wait_ready(child, lambda: "\nready" in f"\n{child.tail()}")
    yield child, directory
    processes.stop([child])


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_up_makes_the_stack_and_leaves_no_child_behind(
    running: tuple[Child, Path], how: signal.Signals
) -> None:
    child, directory = running
    env = environment(directory)
    assert env["NOVABATCH_DATABASE_URL"] == f"sqlite:////{str(directory / 'novabatch.db').lstrip('/')}"
    assert env["NOVABATCH_BUCKET"] == stack.BUCKET
    sqs = stack.client("sqs", env["AWS_ENDPOINT_URL"])
    assert len(sqs.list_queues()["QueueUrls"]) == 8
    assert (directory / "logs" / "aws.log").exists()
    child.process.send_signal(how)
    assert child.process.wait(10) == 0
    assert not Control(env["AWS_ENDPOINT_URL"]).is_ready()


def test_the_server_dies_with_a_parent_that_was_killed(running: tuple[Child, Path]) -> None:
    child, directory = running
    control = Control(environment(directory)["AWS_ENDPOINT_URL"])
    child.process.kill()
    child.process.wait()
    until(lambda: not control.is_ready())


def refused(*arguments: str) -> str:
    done = subprocess.run([*UP, *arguments], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode
    return done.stderr


def test_a_busy_port_is_named(tmp_path: Path) -> None:
    with processes.listen() as taken:
        port = str(taken.getsockname()[1])
        assert f"port {port}" in refused("--dir", str(tmp_path), "--port", port)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "cannot write to" in refused("--dir", str(tmp_path / "file" / "below"))


def test_a_port_that_is_none_is_a_usage_error() -> None:
    assert "70000" in refused("--port", "70000")


def test_the_media_can_be_played_and_are_made_once(tmp_path: Path) -> None:
    made = make_media(tmp_path)
    times = {path: path.stat().st_mtime_ns for path in made}
    assert {"日本語.mp4", "中文.mp4", "().mp4", "[].webm"} <= {path.name for path in made}
    assert any(len(path.name) == 200 for path in made)
    for path in made:
        if path.suffix.lower() in (".mov", ".mp4", ".mkv", ".webm"):
            with av.open(str(path), "r") as video:
                assert sum(1 for _ in video.decode(video=0)) >= 10
        else:
            Image.open(path).verify()
    assert {path: path.stat().st_mtime_ns for path in make_media(tmp_path)} == times


def test_moto_is_the_version_the_local_aws_was_written_for() -> None:
    assert version("moto") == patching.MOTO_VERSION


def test_a_name_that_moto_no_longer_has_is_told_at_start() -> None:
    with pytest.raises(MotoChangedError, match=r"has no .*delete_message"):
        patching.replace(SimpleNamespace(), "delete_message", None)
