"""Analysis types of a team's own: read from a folder, or refused with file, line and remedy."""

import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from daemon.analysis_files import read_analyses
from daemon.cli.access import Access
from daemon.cli.examination import examine
from daemon.settings import BadSettings, load
from schemas.analyses import REGISTRY, Registry
from schemas.shapes import Kind
from tests.cli.command_line import CommandLine

EXAMPLES = Path(__file__).parents[2] / "examples"
IMPORTS = "from schemas.shapes import Analysis, Inference, Kind, Shape\n\n"
SHAPE = "class Answer(Shape):\n    text: str\n\n"
WHOLE = f"{IMPORTS}{SHAPE}"


def declared(*, name: str = "own", kind: str = "Kind.VIDEO", more: str = "", shape: str = "Answer") -> str:
    return f'ANALYSES = (\n    Analysis("{name}", {kind}, "Look.", {shape}, Inference(100){more}),\n)\n'


def written(folder: Path, text: str | bytes, name: str = "own.py") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    path.chmod(0o644)
    return path


def registry(folder: Path) -> Registry:
    return read_analyses(load(analyses_dir=folder))


def refusal(folder: Path) -> str:
    with pytest.raises(BadSettings) as caught:
        registry(folder)
    return str(caught.value)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "analyses"
    made.mkdir(mode=0o755)
    return made


def test_without_a_folder_the_built_in_types_remain() -> None:
    assert read_analyses(load(analyses_dir=None)) is REGISTRY


def test_the_example_adds_a_type_for_videos_and_images() -> None:
    found = registry(EXAMPLES)
    assert set(found.names) == {*REGISTRY.names, "colours"}
    assert [found.find("colours", kind) is not None for kind in Kind] == [True, True]
    assert found.find("summary", Kind.VIDEO) is REGISTRY.find("summary", Kind.VIDEO)


def test_files_that_begin_with_an_underscore_and_other_files_are_left_alone(folder: Path) -> None:
    written(folder, "not Python at all", "_draft.py")
    written(folder, "not Python at all", "notes.txt")
    (folder / "deeper").mkdir()
    written(folder / "deeper", "not Python at all", "own.py")
    assert registry(folder).names == REGISTRY.names


def test_several_files_may_each_declare_several_types(folder: Path) -> None:
    written(folder, WHOLE + declared(name="one"), "first.py")
    both = 'Analysis("{}", "image", "Look.", Answer, Inference(1))'
    written(folder, f"{WHOLE}ANALYSES = [{both.format('one')}, {both.format('two')}]", "second.py")
    assert set(registry(folder).names) == {*REGISTRY.names, "one", "two"}


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("x = (\n", 1, ["no Python", "never closed"]),
        ("\n\nimport schemas.shapes as\n", 3, ["no Python", "invalid syntax"]),
        (b"x = 1\0\n", 1, ["no Python", "null bytes"]),
        (b"\nx = 'caf\xe9'\n", 2, ["no Python", "utf-8"]),
        ("x = 1\n", 1, ["needs ANALYSES"]),
        (WHOLE + "ANALYSES = ()\n", 6, ["needs ANALYSES", "at least one"]),
        (WHOLE + 'ANALYSES = "own"\n', 6, ["needs ANALYSES"]),
        (WHOLE + "ANALYSES = (\n    Answer,\n)\n", 7, ["holds a StructMeta", "only hold Analysis"]),
        ("\nimport no_such_module_anywhere\n", 2, ["No module named", "install it for every process"]),
        ("from schemas.shapes import Colour\n", 1, ["cannot import name 'Colour'"]),
        ("x = 1\n\n1 / 0\n", 3, ["ZeroDivisionError"]),
        ("def f():\n    return nothing\n\nf()\n", 2, ["NameError", "nothing"]),
        ("\nraise SystemExit(0)\n", 2, ["SystemExit"]),
        (WHOLE + declared(name="Own Type"), 7, ["name is 'Own Type'", "a-z, 0-9 and _"]),
        (WHOLE + declared(name="x" * 65), 7, ["name is", "1 to 64"]),
        (WHOLE + declared(kind='"audio"'), 7, ["kind is 'audio'", "Kind.VIDEO or Kind.IMAGE"]),
        (WHOLE + declared(shape="dict"), 7, ["shape is", "derived from Shape"]),
        (WHOLE + declared(more=", rules=(print)"), 7, ["rules is", "as in (one,)"]),
        (WHOLE + declared().replace("Look.", " "), 7, ["instructions is", "write what is asked"]),
        (WHOLE + declared().replace("Inference(100)", "100"), 7, ["inference is '100'"]),
        (WHOLE + declared().replace("Inference(100)", "Inference(0)"), 7, ["max_tokens is 0", "from 1 on"]),
        (WHOLE + declared().replace("(100)", "(1, top_p=2)"), 7, ["top_p is 2", "0 to 1"]),
        (WHOLE + declared().replace("(100)", "(1, -1)"), 7, ["temperature is -1", "from 0 on"]),
        (WHOLE + declared(name="summary"), 7, ["'summary' for video", "built in", "another name"]),
        (WHOLE + declared(name="combined"), 7, ["'combined' for video", "built in"]),
        (
            WHOLE + declared(more=", rules=(lambda read, notes: read['x'],)"),
            7,
            ["own: RuleFailed", "'x'"],
        ),
        (WHOLE + declared(more=", wishes=(lambda options: options.depth,)"), 7, ["AttributeError", "depth"]),
        (WHOLE + declared().replace("Look.", "x" * 30_000), 7, ["own: its prompt has", "limit of 30000"]),
        (WHOLE + declared().replace("Look.", "</file_context>"), 7, ["holds <file_context> itself"]),
        (
            f"{IMPORTS}from datetime import date\n{SHAPE}".replace("text: str", "day: date") + declared(),
            8,
            ["Answer.day", "cannot hold Date", "text, numbers"],
        ),
        (WHOLE.replace("text: str", 'again: "list[Answer]"') + declared(), 7, ["Answer holds itself"]),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_with_its_name_the_line_and_what_to_do(
    folder: Path, text: str | bytes, line: int, words: list[str]
) -> None:
    path = written(folder, text)
    told = refusal(folder)
    assert told.startswith(f"NOVABATCH_ANALYSES_DIR: {path}, line {line}: ")
    assert all(word in told for word in words), told
    assert told.endswith("Correct the file or take it out of the folder.")


def test_a_rule_that_fails_is_told_with_its_own_line(folder: Path) -> None:
    rule = "def rule(result, notes):\n    result['x'] += 1\n\n"
    path = written(folder, WHOLE + rule + declared(more=", rules=(rule,)"))
    assert f"{path}, line 7: own: RuleFailed: rule of own failed: KeyError: 'x'" in refusal(folder)


def test_a_name_that_another_file_has_taken_is_refused_with_both_places(folder: Path) -> None:
    first = written(folder, WHOLE + declared(), "first.py")
    second = written(folder, "\n" + WHOLE + declared(), "second.py")
    told = refusal(folder)
    assert f"{second}, line 8: an analysis 'own' for video is declared already ({first}, line 7)" in told


@pytest.mark.parametrize("name", ["", "own.py"])
def test_what_everybody_may_write_is_never_run(folder: Path, name: str) -> None:
    written(folder, "raise SystemExit(1)\n")
    (folder / name).chmod(0o777)
    told = refusal(folder)
    assert "may be written by every user" in told
    assert f"`chmod o-w {folder / name}`" in told


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert f"{tmp_path / 'none'} is no folder: make it" in refusal(tmp_path / "none")


def test_a_file_shadows_no_other_module_and_is_read_anew_each_time(folder: Path) -> None:
    path = sys.path.copy()
    written(folder, f"import json\njson.dumps(1)\n{WHOLE}{declared(name='first')}", "json.py")
    assert "first" in registry(folder).names
    written(folder, f"import json\njson.dumps(1)\n{WHOLE}{declared(name='other')}", "json.py")
    assert "other" in registry(folder).names
    assert sys.modules["json"].__file__ != str(folder / "json.py")
    assert sys.path == path
    assert [each.name for each in folder.iterdir()] == ["json.py"]


def test_types_told_by_their_names_are_found_in_their_own_file(folder: Path) -> None:
    later = f"from __future__ import annotations\n{WHOLE}{declared()}"
    written(folder, later, "one.py")
    twin = folder.with_name("twin")
    twin.mkdir(mode=0o755)
    written(twin, later.replace("text: str", "words: list[str]"), "one.py")
    first, second = registry(folder).find("own", "video"), registry(twin).find("own", "video")
    assert first is not None
    assert second is not None
    assert (first.read({}).result, second.read({}).result) == ({"text": ""}, {"words": []})


# ── through the front door ─────────────────────────────────────────────────────────────────────


@pytest.fixture
def cli(tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path)


def test_a_consumer_does_not_start_with_a_file_it_cannot_read(cli: CommandLine, folder: Path) -> None:
    path = written(folder, "import schemas.shapes as\n")
    cli.settings["NOVABATCH_ANALYSES_DIR"] = str(folder)
    done = cli.run("run", "submit")
    assert done.exit_code == 1
    assert f"{path}, line 1: it is no Python" in done.output


def test_doctor_names_the_types_of_the_folder() -> None:
    checks = examine(Access(load(analyses_dir=EXAMPLES), ExitStack()))
    told = next(check for check in checks if check.name == "analyses")
    assert told.ok
    assert "own: colours (video " in told.detail
