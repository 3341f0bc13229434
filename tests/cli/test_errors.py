"""Every error a person can produce: its exit code, that it names the thing, and says what to do next."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from consumers.core import layout
from consumers.core.lifecycle import BatchState
from daemon.adapters.store import SqlStore, make_engine, migrate
from daemon.cli.program import VERBS
from deploy.local import stack
from deploy.local.processes import Server
from tests.cli.command_line import NOWHERE, CommandLine
from tests.cli.test_sending import REQUEST, finish
from tests.contracts.planting import NOW, hold_chunk, judged, plant, submit

STATUS, DOCTOR, STORAGE = "`novabatch status`", "`novabatch doctor`", "`novabatch storage`"
HELP = "Try 'novabatch {} --help' for help."
ENDED, RUNNING = layout.batch_id("ended"), layout.batch_id("running")
GOOD = json.dumps(REQUEST)
JOB = f"arn:aws:bedrock:us-east-1:{stack.ACCOUNT}:model-invocation-job/aaaabbbbcccc"
DENIED = {"code": "AccessDenied", "status": 403, "message": "not authorized"}
Calls = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Case:
    """What is typed and what is wrong; what must be named, and the remedy that must be told."""

    words: str
    names: str
    remedy: str
    code: int = 1
    stdin: str | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    calls: Calls = ()

    def __str__(self) -> str:
        return f"{self.words} {' '.join(self.settings)} {self.names}"


def usage(words: str, names: str, verb: str = "", remedy: str = "", **more: Any) -> Case:
    """Describe a wrong use of a verb."""
    return Case(words, names, remedy or HELP.format(verb or words.split(maxsplit=1)[0]), 2, **more)


UNKNOWN = [
    Case(f"{verb} nope", "'nope'", STATUS) for verb in ("status", "results", "cancel", "retry", "reparse")
]
NAMES = [
    *UNKNOWN,
    Case("cleanup nope --yes", "'nope'", STATUS),
    Case("status runing", "'runing'", "Did you mean 'running'?"),
    Case("show nope", "'nope'", STATUS),
    Case("show s3://media/nope.mov", "'s3://media/nope.mov'", "`novabatch results BATCH`"),
    Case("show nope --kind chunk", "'nope' is no chunk", STATUS),
    Case("pause submit --model nova-9", "'nova-9'", "Use one of these: global-nova-2-lite"),
    Case("resume submit --model nova-9", "'nova-9'", "Use one of these: global-nova-2-lite"),
    Case("cancel ended", ENDED, f"`novabatch status {ENDED}`"),
    Case("retry running", f"{RUNNING} is RUNNING", "retry it when it has ended, or cancel it first"),
    Case("reparse running", f"{RUNNING} is RUNNING", "reparse it when it has ended, or cancel it first"),
    usage("cleanup --legacy y --dry-run", "'y'", remedy=STORAGE),
    Case("dlq redrive --queue submit --id gone", "gone", "`novabatch dlq list`"),
]
USAGE = [
    usage("statsu", "'statsu'", remedy="Did you mean `status`"),
    usage("xyz", "'xyz'", remedy="Try 'novabatch --help' for help."),
    usage("run", "Missing argument"),
    usage("run submit cleanup", "cleanup"),
    usage("send", "'FILE'"),
    usage("plan nowhere.json", "'nowhere.json'"),
    usage("show", "Missing argument"),
    usage("status --limit 0", "'--limit'"),
    usage("status --jsn", "--jsn", remedy="Did you mean '--json'?"),
    usage("pending x", "x"),
    usage("pause all", "'all'"),
    usage("cleanup", "no terminal", remedy="add --yes or --dry-run"),
    usage("forget x", "no terminal", remedy="add --yes or --dry-run"),
    usage("cleanup x --unowned y --yes", "--unowned", remedy="leave out BATCH"),
    usage("cleanup --older-than-days -1", "'--older-than-days'"),
    usage("dlq purge", "'purge'", "dlq"),
    usage("dlq list --queue x", "'x'", "dlq list"),
    usage("dlq redrive --limit 0", "'--limit'", "dlq redrive"),
    *(usage(f"{verb} x", "x") for verb in ("storage", "doctor", "migrate", "reconcile")),
]
FILES = [
    Case("send -", "body is empty", "Send one JSON object", stdin=""),
    Case("send -", "a list of 1", "Send one JSON object", stdin="[1]"),
    Case("plan -", "not JSON", "Send one JSON object", stdin="{"),
    Case("send -", '"fils"', "remove it or correct its name", stdin='{"fils": []}'),
    Case("send -", "'nova-9'", "Use one of these", stdin=json.dumps({**REQUEST, "model": "nova-9"})),
    Case("send -", "others", "NOVABATCH_ALLOWED_BUCKETS", stdin=json.dumps({**REQUEST, "bucket": "others"})),
    Case(
        "plan -",
        "plot unknown",
        "NOVABATCH_ANALYSES_DIR",
        stdin=json.dumps({**REQUEST, "analysis_types": ["plot"]}),
    ),
    Case(
        "plan -",
        "CancelBatch",
        "write a submit_batch request",
        stdin='{"type": "cancel_batch", "request_id": "r"}',
    ),
    Case("send BINARY", "not UTF-8", "Save it as UTF-8"),
    Case("adopt nope", "'nope'", "Give the ARN of a job"),
    Case("adopt s3://elsewhere/x/", "elsewhere", "NOVABATCH_ALLOWED_BUCKETS"),
]
SETTINGS = [
    Case("status", "NOVABATCH_SLOTS", "valid integer", settings={"NOVABATCH_SLOTS": "many"}),
    Case("status", "NOVABATCH_ROLE_ARN", "Write the ARN", settings={"NOVABATCH_ROLE_ARN": "x"}),
    Case("storage", "NOVABATCH_BUCKET is not set", "write the name", settings={"NOVABATCH_BUCKET": ""}),
    Case("run all", "NOVABATCH_BUCKET is not set", "write the name", settings={"NOVABATCH_BUCKET": ""}),
    Case("reconcile", "NOVABATCH_ROLE_ARN is not set", "write the ARN", settings={"NOVABATCH_ROLE_ARN": ""}),
    Case(
        "status", "/nowhere/models", "Correct the path", settings={"NOVABATCH_MODELS_FILE": "/nowhere/models"}
    ),
    Case("plan -", "/nowhere", "make it", stdin=GOOD, settings={"NOVABATCH_ANALYSES_DIR": "/nowhere"}),
    Case("migrate", "mysql", "Write sqlite:", settings={"NOVABATCH_DATABASE_URL": "mysql://x"}),
    Case(
        "send -",
        "AWS_REGION is not set",
        "write the Region",
        stdin=GOOD,
        settings={"AWS_REGION": "", "AWS_DEFAULT_REGION": ""},
    ),
    Case("send -", "(nobody)", "correct AWS_PROFILE", stdin=GOOD, settings={"AWS_PROFILE": "nobody"}),
    Case("send -", "nonsense", "AWS_ENDPOINT_URL", stdin=GOOD, settings={"AWS_ENDPOINT_URL": "nonsense"}),
    Case(
        "send -",
        "credentials",
        "set AWS_ACCESS_KEY_ID",
        stdin=GOOD,
        settings={"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""},
    ),
]
DATABASES = [
    *(
        Case(f"{words}", "MISSING", "`novabatch migrate`", settings={"NOVABATCH_DATABASE_URL": "MISSING"})
        for words in ("status", "pending", "show x", "results x", "cancel x", "audit", "cleanup --dry-run")
    ),
    Case("status", "EMPTY", "`novabatch migrate`", settings={"NOVABATCH_DATABASE_URL": "EMPTY"}),
    Case("status", "an earlier schema", "`novabatch migrate`", settings={"NOVABATCH_DATABASE_URL": "OLD"}),
    Case("status", "not a database", "NOVABATCH_DATABASE_URL", settings={"NOVABATCH_DATABASE_URL": "BROKEN"}),
    *(
        Case(
            words,
            "127.0.0.1",
            "NOVABATCH_DATABASE_URL",
            settings={"NOVABATCH_DATABASE_URL": "postgresql+psycopg://u:secret@127.0.0.1:9/n"},
        )
        for words in ("status", "migrate")
    ),
]
UNREACHABLE = [
    *(Case(words, NOWHERE, DOCTOR) for words in ("storage", "reconcile", "dlq list", "dlq redrive")),
    Case("send -", NOWHERE, DOCTOR, stdin=GOOD),
    Case("cancel running", NOWHERE, DOCTOR),
    Case(f"adopt {JOB}", NOWHERE, DOCTOR),
    Case("run submit", NOWHERE, DOCTOR),
]
CLOUD = [
    Case("send -", "nope", "correct the setting", stdin=GOOD, settings={"NOVABATCH_SUBMIT_QUEUE": "nope"}),
    Case("cancel running", "nope", "correct the setting", settings={"NOVABATCH_SUBMIT_QUEUE": "nope"}),
    Case("dlq list", "nope", "correct the setting", settings={"NOVABATCH_STATE_QUEUE": "nope"}),
    Case(
        "dlq list --queue submit",
        stack.EVENTS_QUEUE,
        "give it a RedrivePolicy",
        settings={"NOVABATCH_SUBMIT_QUEUE": stack.EVENTS_QUEUE},
    ),
    Case("run submit", "nope", "correct the setting", settings={"NOVABATCH_SUBMIT_QUEUE": "nope"}),
    Case("storage", "s3://nope", "correct the setting", settings={"NOVABATCH_BUCKET": "nope"}),
    Case("doctor", "nope", "NOVABATCH_BUCKET", settings={"NOVABATCH_BUCKET": "nope"}),
    Case(f"adopt {JOB}", JOB, "give its output's URI"),
    Case(f"adopt s3://{stack.BUCKET}/none/", "s3://", "name the folder of a job"),
    Case(
        "send -",
        "SendMessageBatch",
        "Allow it",
        stdin=GOOD,
        calls=[{"operation": "SendMessageBatch", **DENIED}],
    ),
    Case("storage", "ListObjectsV2", "Allow it", calls=[{"operation": "ListObjectsV2", **DENIED}]),
    Case("dlq list", "ReceiveMessage", "Allow it", calls=[{"operation": "ReceiveMessage", **DENIED}]),
    Case("reconcile", "ListModelInvocationJobs", DOCTOR, calls=[{"service": "bedrock", **DENIED}]),
    Case(
        "storage",
        "expired",
        "Sign in again",
        calls=[{"service": "s3", "code": "ExpiredToken", "status": 400, "message": "expired"}],
    ),
]
LOCAL = [*NAMES[:-1], *USAGE, *FILES, *SETTINGS, *DATABASES, *UNREACHABLE]


@pytest.fixture
def desk(cli: CommandLine, sqlite_store: SqlStore, tmp_path: Path) -> Callable[[Case], str]:
    """A store with a batch that runs and one that ended, and a place to type at; returns what is said."""
    (chunk,) = plant(sqlite_store, "running")
    submit(sqlite_store, chunk)
    sqlite_store.start_batch(RUNNING)
    plant(sqlite_store, "ended")
    finish(sqlite_store, "ended", BatchState.FAILED)
    (tmp_path / "binary").write_bytes(b"\xff\xfe")

    def type_in(case: Case) -> str:
        cli.settings |= case.settings
        if (database := case.settings.get("NOVABATCH_DATABASE_URL", "")) in DATABASE_FILES:
            path = tmp_path / database
            DATABASE_FILES[database](path)
            cli.settings["NOVABATCH_DATABASE_URL"] = f"sqlite:///{path}"
        words = case.words.replace("BINARY", str(tmp_path / "binary")).split()
        if words[0] == "run" and case.code == 1:
            return by_itself(cli, words)
        done = cli.run(*words, stdin=case.stdin)
        assert done.exit_code == case.code, done.output
        assert done.stdout == "" or words[0] in {"doctor", "dlq", "reconcile"}, "stdout is for answers"
        return done.output

    return type_in


def by_itself(cli: CommandLine, words: Sequence[str]) -> str:
    """Run a consumer as a process: it writes a log, to stderr."""
    command = [sys.executable, "-m", "daemon", *words]
    own = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "NOVABATCH_"))}
    done = subprocess.run(
        command, env={**own, **cli.environment}, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert done.stdout == ""
    return str(json.loads(done.stderr.splitlines()[-1])["why"])


def old(path: Path) -> None:
    """Make a database of an older version."""
    engine = make_engine(f"sqlite:///{path}")
    migrate(engine)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0001'")
    engine.dispose()


DATABASE_FILES: Mapping[str, Callable[[Path], object]] = {
    "MISSING": lambda _: None,
    "EMPTY": Path.touch,
    "BROKEN": lambda path: path.write_text("no database, but a note " * 100),
    "OLD": old,
}


def check(case: Case, said: str) -> None:
    """An error names the thing and the remedy, and shows neither a traceback nor a secret."""
    plain = " ".join(re.sub(r'\\"', '"', said).split())
    assert case.names in plain
    assert case.remedy in plain
    assert "Traceback" not in said
    assert "secret" not in said


@pytest.mark.parametrize("case", LOCAL, ids=str)
def test_every_error_names_the_thing_and_what_to_do(
    desk: Callable[[Case], str], tmp_path: Path, case: Case
) -> None:
    check(case, desk(case))
    assert not (tmp_path / "MISSING").exists(), "looking makes no database"


@pytest.mark.parametrize("case", [*CLOUD, NAMES[-1]], ids=str)
def test_every_refusal_of_aws_names_the_thing_and_what_to_do(
    desk: Callable[[Case], str], cloud: CommandLine, fresh_aws: Server, case: Case
) -> None:
    cloud.may_do_everything()
    if case.calls:
        fresh_aws.control.add_faults(calls=list(case.calls))
    check(case, desk(case))


def test_a_full_disk_is_told_with_what_to_do(cli: CommandLine, sqlite_store: SqlStore) -> None:
    plant(sqlite_store, "r", files=2)
    sqlite_store.save(hold_chunk(sqlite_store, layout.chunk_id(layout.batch_id("r"), 0)), [judged(0)], NOW)
    command = [sys.executable, "-m", "daemon", "results", "r"]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            command, env=dict(cli.environment), stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 1
    assert "No space left on device" in done.stderr
    assert "Make room" in done.stderr
    assert "Traceback" not in done.stderr


def test_no_verb_is_left_out() -> None:
    def walked() -> Iterator[str]:
        for case in (*LOCAL, *CLOUD):
            yield case.words.split()[0]

    assert set(VERBS) <= set(walked())
