"""The command line as a test uses it: verbs in, exit code and output out."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from daemon.cli import main
from deploy.local import stack
from deploy.local.permissions.roles import OPERATOR
from tests.aws import OWN_CONFIGURATION

NOWHERE = "http://127.0.0.1:9"


@dataclass
class CommandLine:
    """Runs `novabatch` in this process over one SQLite file and one endpoint of AWS.

    The caller may do there what the template allows people, and nothing else.
    """

    folder: Path
    url: str = NOWHERE
    settings: dict[str, str] = field(default_factory=dict)
    caller: str = OPERATOR

    def may_do_everything(self) -> "CommandLine":
        """Be somebody to whom AWS tells that a thing is not there, rather than that it may not be seen."""
        self.caller = stack.ACCESS_KEY
        return self

    @property
    def environment(self) -> Mapping[str, str]:
        return {
            **OWN_CONFIGURATION,
            **stack.environment(self.url),
            "AWS_ACCESS_KEY_ID": self.caller,
            "NOVABATCH_DATABASE_URL": f"sqlite:///{self.folder / 'novabatch.db'}",
            "NOVABATCH_BUCKET": stack.BUCKET,
            "NOVABATCH_ROLE_ARN": stack.ROLE_ARN,
            **self.settings,
        }

    def run(self, *words: str, stdin: str | None = None) -> Result:
        result = CliRunner().invoke(
            main, list(words), input=stdin, env=self.environment, prog_name="novabatch"
        )
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result

    def ok(self, *words: str, stdin: str | None = None) -> str:
        """Run a verb that must succeed and return what it printed."""
        result = self.run(*words, stdin=stdin)
        assert result.exit_code == 0, result.output
        return result.stdout

    def document(self, *words: str) -> Any:
        """Run a verb with --json and return the one document it printed."""
        return json.loads(self.ok(*words, "--json"))

    def refused(self, *words: str, code: int = 1, stdin: str | None = None) -> str:
        """Run a verb that must fail and return what it said, on stderr alone."""
        result = self.run(*words, stdin=stdin)
        assert result.exit_code == code, result.output
        assert result.stdout == ""
        return result.stderr
