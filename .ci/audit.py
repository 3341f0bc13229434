"""Ask the advisory database about every package of both locks; what cannot be asked counts as a failure.

First it is asked about a release with a known hole: a database that finds nothing there answers nothing.
Exit code 0: each package was asked about and nothing is known. 1: something is known, or a package could not
be asked about. 2: the database did not answer, so that nothing is known at all.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ("requirements.txt", "requirements-dev.txt")
KNOWN = "jinja2==2.10"  # CVE-2019-10906
# Strict: a package that the database has no answer for is a failure, not a line in a table.
ASK = ["--strict", "--no-deps", "--disable-pip", "--vulnerability-service", "osv", "--timeout", "30"]
ASK += ["--progress-spinner", "off", "--desc", "off"]
UNREACHABLE = """The advisory database could not be asked: {why}
Nothing is known about any package, so this is a failure. Run `make audit` again where the network lets it
through; another address is given with `make audit OSV=https://…/v1/query`."""


def ask(*arguments: str) -> tuple[int, str, str]:
    """Run pip-audit; returns its exit code, what it found, and what it complained of."""
    command = [str(Path(sys.executable).with_name("pip-audit")), *ASK, *arguments]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    return ran.returncode, ran.stdout, ran.stderr


def silence(*arguments: str) -> str:
    """Return why the database cannot be trusted to answer; empty if it can."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as known:
        known.write(KNOWN + "\n")
        known.flush()
        code, found, complaint = ask("-r", known.name, *arguments)
    if "jinja2" in found:
        return ""
    if code and complaint:
        return complaint.strip().splitlines()[-1][:300]
    return f"it knows of nothing against {KNOWN}, whose hole is public"


def main(arguments: list[str]) -> int:
    """Audit; arguments go on to pip-audit."""
    if why := silence(*arguments):
        print(UNREACHABLE.format(why=why), file=sys.stderr)
        return 2
    locks = [part for lock in LOCKS for part in ("-r", str(ROOT / lock))]
    code, found, complaint = ask(*locks, *arguments)
    print(found, end="")
    print(complaint, end="", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
