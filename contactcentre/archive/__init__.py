"""Recordings at rest: where their files lie, how they are sealed, with which keys, and how they are read again. What
else is sealed with the same keys: the secrets of webhooks."""

from contactcentre.archive.keys import BadKeys, KeyRing, KeySource, LostKey
from contactcentre.archive.sealed import Tampered, seal, unseal
from contactcentre.archive.shelf import SEALED, BadName, NotThere, Shelf, checked
from contactcentre.archive.signing import Signing

__all__ = [
    "SEALED",
    "BadKeys",
    "BadName",
    "KeyRing",
    "KeySource",
    "LostKey",
    "NotThere",
    "Shelf",
    "Signing",
    "Tampered",
    "checked",
    "seal",
    "unseal",
]
