"""Which contacts are chosen when only a share of them is to be recorded."""

from hashlib import sha256


def chosen(contact_id: str, percent: int) -> bool:
    """The same answer for the same contact whenever it is asked, and over all contacts so many percent. (The id alone
    will not do: a UUIDv7 begins with the time.)"""
    return int.from_bytes(sha256(contact_id.encode()).digest()[:4]) % 100 < percent
