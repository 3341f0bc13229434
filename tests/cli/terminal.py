"""The command line on a terminal: a process of its own whose output goes to a pty of 80 columns."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Mapping

ROWS, COLUMNS = 24, 80
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def on_terminal(environment: Mapping[str, str], *words: str, stdin: str = "") -> tuple[int, str]:
    """Run `novabatch` on a terminal; returns the exit code and all that was written, escapes left out."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    names = ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR")
    own = {name: value for name, value in os.environ.items() if name not in names}
    with subprocess.Popen(
        [sys.executable, "-m", "daemon", *words],
        env={**own, **environment, "TERM": "xterm"},
        stdin=subprocess.PIPE,
        stdout=follower,
        stderr=follower,
    ) as child:
        os.close(follower)
        assert child.stdin is not None
        child.stdin.write(stdin.encode())
        child.stdin.close()
        written = _read(leader)
    os.close(leader)
    return child.returncode, ESCAPES.sub("", written.decode())


def _read(leader: int) -> bytes:
    """Read until the last writer has gone, which Linux tells as an error."""
    written = b""
    while True:
        try:
            piece = os.read(leader, 65536)
        except OSError:
            return written
        if not piece:
            return written
        written += piece
