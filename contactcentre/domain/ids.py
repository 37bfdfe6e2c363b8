"""Ids that sort by time."""

import secrets
import uuid


def uuid7(at: float) -> str:
    """A UUID version 7 (RFC 9562, section 5.7) of the time `at` (epoch seconds):
    48 bits of milliseconds, then random."""
    milliseconds = int(at * 1000) & 0xFFFF_FFFF_FFFF
    value = (milliseconds << 80) | (0x7 << 76) | (secrets.randbits(12) << 64) | (0b10 << 62) | secrets.randbits(62)
    return str(uuid.UUID(int=value))
