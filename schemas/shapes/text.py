"""Text as it can be stored."""

import re

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def storable(text: str) -> str:
    """Replace what no database stores in text: NUL and halves of surrogate pairs."""
    return _UNSTORABLE.sub("\ufffd", text)
