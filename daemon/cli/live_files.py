"""Five small pictures made here, under names that broke other systems.

Drawn by hand: a library for pictures would be shipped to every consumer for these five.
"""

import struct
import zlib

from consumers.core.layout import REHEARSAL_ROOT

NAMES = (
    "Pool, Nov 14 (1).png",
    "C'est l'été, [2].PNG",
    "a+b=c & 100%.png",
    "日本語  プール.png",
    "_-dots...and dashes-.png",
)
SIDE = 64


def pictures() -> dict[str, bytes]:
    """Return key and content of each; they differ, so that no answer can stand for another."""
    return {f"{REHEARSAL_ROOT}{name}": _png(number) for number, name in enumerate(NAMES)}


def _png(number: int) -> bytes:
    """Draw a slope from one colour to another (W3C: Portable Network Graphics)."""
    rows = b"".join(
        b"\0" + bytes(part for x in range(SIDE) for part in (x * 4, y * 4, number * 50)) for y in range(SIDE)
    )
    head = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_part(*part) for part in parts)


def _part(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
