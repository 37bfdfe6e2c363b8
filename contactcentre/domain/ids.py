"""Ids that sort by time."""

import re
import secrets
import uuid


def uuid7(at: float) -> str:
    """A UUID version 7 (RFC 9562, section 5.7) of the time `at` (epoch seconds):
    48 bits of milliseconds, then random."""
    milliseconds = int(at * 1000) & 0xFFFF_FFFF_FFFF
    value = (milliseconds << 80) | (0x7 << 76) | (secrets.randbits(12) << 64) | (0b10 << 62) | secrets.randbits(62)
    return str(uuid.UUID(int=value))


SHORT = 18
"""Characters of an id that people are shown: its time and some chance, enough to be found by."""

_UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")


def short(id: str) -> str:
    """An id as people read it; a text that is none stays as it is."""
    return id[:SHORT] if _UUID7.fullmatch(id) else id
