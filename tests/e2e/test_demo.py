"""The demo, run as a newcomer runs it: a process, from nothing to cleaned folders."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.local.demo import originals
from deploy.local.media import make_media
from deploy.local.processes import ROOT

SECONDS = 200


def demo(*words: str, seconds: float = SECONDS) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "deploy.local", "demo", *words],
        cwd=ROOT,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        capture_output=True,
        text=True,
        timeout=seconds,
    )


def test_the_demo_stores_every_answer_and_leaves_nothing_behind(tmp_path: Path) -> None:
    done = demo("--dir", str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "All as it should be" in done.stdout
    for name in ("Video, 1.mov", "日本語.mp4", "().mp4", "写真.webp", "not_found", "notes.txt"):
        assert name in done.stdout
    text = (tmp_path / "demo" / "results.jsonl").read_text()
    lines = [json.loads(line) for line in text.rstrip("\n").split("\n")]
    good = {line["file_id"] for line in lines if line["outcome"] == "SUCCEEDED"}
    refused = {line["error"]["code"] for line in lines if line["outcome"] == "REFUSED"}
    assert len(good) == 15
    assert refused == {"not_found", "format"}
    assert max(map(len, done.stdout.splitlines())) < 250
    assert_nothing_runs(tmp_path)


def test_a_bad_day_ends_with_every_record_accounted_for(tmp_path: Path) -> None:
    done = demo("--bad-day", "--dir", str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    text = (tmp_path / "demo" / "results.jsonl").read_text()
    lines = [json.loads(line) for line in text.rstrip("\n").split("\n")]
    outcomes = {line["file_id"]: line["outcome"] for line in lines}
    spoilt = {n: outcome for n, outcome in outcomes.items() if outcome not in {"SUCCEEDED", "REFUSED"}}
    assert spoilt == {13: "FILTERED", 14: "MODEL_ERROR"}
    assert len(outcomes) == 17
    assert {line["attempt"] for line in lines if line["file_id"] in {7, 8, 9, 10, 11}} <= {2, 3}
    assert_nothing_runs(tmp_path)


def test_a_bad_day_needs_files_enough_for_all_that_goes_wrong(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "clip.mov").write_bytes(b"0")
    done = demo(str(tmp_path / "own"), "--bad-day", "--dir", str(tmp_path / "state"), seconds=60)
    assert done.returncode == 2
    assert "needs 15 files" in done.stderr


def test_every_file_of_a_folder_is_listed_where_it_lies_but_hidden_ones(tmp_path: Path) -> None:
    for name in ("deep er/clip, one.mov", "notes.txt", "a.PNG", ".hidden/b.mov", ".DS_Store"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    listed = [(each.file_id, each.key, each.may_be_refused) for each in originals.of_folder(tmp_path)]
    assert listed == [
        (1, "proxy_image/a.PNG", True),
        (2, "proxy_video/deep er/clip, one.mov", True),
        (3, "proxy_video/notes.txt", True),
    ]


@pytest.mark.endurance
def test_the_demo_takes_a_folder_of_the_users_own(tmp_path: Path) -> None:
    own = tmp_path / "my media"
    videos = make_media(tmp_path / "made")
    (own / "deep er").mkdir(parents=True)
    videos[4].rename(own / "deep er" / "clip, one.mov")
    (own / "notes.txt").write_text("nothing to see")
    done = demo(str(own), "--dir", str(tmp_path / "state"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "clip, one.mov" in done.stdout
    assert "notes.txt" in done.stdout


@pytest.mark.parametrize("name", ["empty", "missing"])
def test_a_folder_without_files_is_refused_at_once(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    done = demo(str(tmp_path / name), "--dir", str(tmp_path / "state"), seconds=60)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.splitlines()) <= 2


def test_a_state_folder_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "diary.txt").write_text("mine")
    make_media(tmp_path / "media")
    done = demo("--dir", str(tmp_path), seconds=60)
    assert done.returncode == 2
    assert (tmp_path / "demo" / "diary.txt").read_text() == "mine"


def assert_nothing_runs(folder: Path) -> None:
    """Check that no process is left that writes a log into the folder, as every child of a demo does."""
    logs = str(folder / "demo" / "logs")
    left = [link for link in Path("/proc").glob("[0-9]*/fd/*") if target(link).startswith(logs)]
    assert not left


def target(link: Path) -> str:
    """Return what an open file of a process is; nothing for one that has just gone."""
    try:
        return str(link.readlink())
    except OSError:
        return ""


def test_ctrl_c_ends_the_demo_and_everything_it_started(tmp_path: Path) -> None:
    make_media(tmp_path / "media")
    command = [sys.executable, "-m", "deploy.local", "demo", "--dir", str(tmp_path)]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        said = ""
        while "submit_batch" not in said:
            line = running.stdout.readline()
            assert line, running.stderr.read()
            said += line
        with pytest.raises(AssertionError):
            assert_nothing_runs(tmp_path)
        running.send_signal(signal.SIGINT)
        assert running.wait(60) == 130
        assert "stopped" in running.stderr.read()
    assert_nothing_runs(tmp_path)
