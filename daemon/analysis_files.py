"""The analysis types as the settings have them: the built-in ones, and those of the files of ANALYSES_DIR.

The files are programs: they run with the rights of this process. So a folder or a file that everybody may
write is refused, the folder is never put on Python's search path, and no compiled copy is read or written.
"""

import ast
import json
import stat
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from daemon.settings import BadSettings, Settings
from schemas.analyses import REGISTRY, Registry
from schemas.shapes import Analysis, Options
from schemas.shapes.prompt import CONTEXT_BEGIN, CONTEXT_END

SETTING = "NOVABATCH_ANALYSES_DIR"
LONGEST_PROMPT = 30_000
"""Bytes, without the context of a file. The longest built-in prompt has 7,000."""


class BadAnalysisFile(ValueError):
    """A file that cannot be used; the message names it, the line, and what to do."""


def read_analyses(settings: Settings) -> Registry:
    """Build the registry; raises BadSettings that names the file, the line and what to write there.

    Every `*.py` of the folder is read but those whose name begins with `_`, in the order of their names.
    """
    folder = settings.analyses_dir
    if folder is None:
        return REGISTRY
    try:
        return _with_own(_files(folder.expanduser().absolute()))
    except (BadAnalysisFile, OSError) as error:
        raise BadSettings(f"{SETTING}: {error}") from error


def _files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise BadAnalysisFile(f"{folder} is no folder: make it, or unset the variable")
    files = [path for path in sorted(folder.glob("*.py")) if not path.name.startswith("_")]
    for path in (folder, *files):
        if path.stat().st_mode & stat.S_IWOTH:
            raise BadAnalysisFile(
                f"{path} may be written by every user of this machine, and what stands there is run: "
                f"`chmod o-w {path}`"
            )
    return files


def _with_own(files: list[Path]) -> Registry:
    places = {(each.name, each.kind): "built in" for each in REGISTRY}
    own: list[Analysis] = []
    for path in files:
        for analysis, line in _declared(path):
            name = (analysis.name, analysis.kind)
            if name in places:
                raise _bad(
                    path,
                    line,
                    f"an analysis {analysis.name!r} for {analysis.kind} is declared already "
                    f"({places[name]}): give this one another name",
                )
            places[name] = f"{path}, line {line}"
            own.append(analysis)
    return Registry([*REGISTRY, *own])


def _declared(path: Path) -> Iterator[tuple[Analysis, int]]:
    """Run a file and yield what its ANALYSES holds, each with its line, once it proved to work."""
    tree = _parsed(path)
    module = _run(path, tree)
    lines = _lines(tree)
    declared = getattr(module, "ANALYSES", None)
    if not isinstance(declared, tuple | list) or not declared:
        raise _bad(path, lines[0], "the file needs ANALYSES = (Analysis(...),), with at least one in it")
    for place, analysis in enumerate(declared):
        line = lines[min(place + 1, len(lines) - 1)]
        if not isinstance(analysis, Analysis):
            found = type(analysis).__name__
            raise _bad(path, line, f"ANALYSES holds a {found}, and may only hold Analysis(...)")
        _try(path, line, analysis)
        yield analysis, line


def _parsed(path: Path) -> ast.Module:
    try:
        return ast.parse(path.read_bytes(), str(path))
    except SyntaxError as error:
        raise _bad(path, error.lineno or 1, f"it is no Python: {error.msg}") from None
    except ValueError as error:
        raise _bad(path, 1, f"it is no Python: {error}") from None


def _lines(tree: ast.Module) -> list[int]:
    """Return the line of the last ANALYSES, then those of its entries as far as they stand there."""
    for statement in reversed(tree.body):
        match statement:
            case ast.Assign(targets=[ast.Name("ANALYSES")]) | ast.AnnAssign(target=ast.Name("ANALYSES")):
                entries = getattr(statement.value, "elts", ())
                return [statement.lineno, *(entry.lineno for entry in entries)]
    return [1]


def _run(path: Path, tree: ast.Module) -> ModuleType:
    """Run a file as a module of a name that no module on Python's search path can have."""
    module = ModuleType(f"novabatch-analyses.{path.stem}")
    module.__file__ = str(path)
    # Where types are told by text, they are looked up in the module's entry here.
    sys.modules[module.__name__] = module
    try:
        exec(compile(tree, str(path), "exec"), module.__dict__)  # noqa: S102  # the file is code by intent
    except (Exception, SystemExit) as error:
        del sys.modules[module.__name__]
        raise _bad(path, _line_in(path, error), _told(error)) from error
    return module


def _try(path: Path, line: int, analysis: Analysis) -> None:
    """Write a prompt and read an empty answer: what cannot be done shows here and not when it is paid for."""
    try:
        analysis.read({})
        analysis.read_text("{}")
        prompt = analysis.prompt(Options(), {})
    except Exception as error:
        raise _bad(path, _line_in(path, error, line), f"{analysis.name}: {_told(error)}") from error
    if (size := len(json.dumps(prompt))) > LONGEST_PROMPT:
        raise _bad(
            path, line, f"{analysis.name}: its prompt has {size} bytes, over the limit of {LONGEST_PROMPT}"
        )
    if prompt.count(CONTEXT_BEGIN) != 1 or prompt.count(CONTEXT_END) != 1:
        raise _bad(path, line, f"{analysis.name}: its text holds {CONTEXT_BEGIN} itself")


def _told(error: BaseException) -> str:
    install = ": install it for every process of novabatch" if isinstance(error, ImportError) else ""
    return f"{type(error).__name__}: {error}{install}"


def _line_in(path: Path, error: BaseException, default: int = 1) -> int:
    """Return the innermost line of the file that the error, or what caused it, went through."""
    cause: BaseException | None = error
    while cause is not None:
        for step in reversed(traceback.extract_tb(cause.__traceback__)):
            if step.filename == str(path) and step.lineno:
                return step.lineno
        cause = cause.__cause__
    return default


def _bad(path: Path, line: int, why: str) -> BadAnalysisFile:
    return BadAnalysisFile(f"{path}, line {line}: {why}. Correct the file or take it out of the folder.")
