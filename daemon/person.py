"""Who works at this machine, for the audit."""

import os
import pwd
import socket


def person() -> str:
    """Return ``user@host`` as the operating system has it; the environment could say anything."""
    uid = os.getuid()
    try:
        user = pwd.getpwuid(uid).pw_name
    except KeyError:
        user = str(uid)
    return f"{user}@{socket.gethostname()}"
