"""Master keys. Each recording has a random data key of its own; the database keeps it wrapped by a master key, which
is never there. So neither a copy of the files nor one of the database can be listened to, changing the master key
touches no file, and destroying the data key destroys the recording wherever copies of its file may lie.
"""

import base64
import binascii
import os
import re
import shlex
import subprocess
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from contactcentre.settings import Settings

KEY = 32
NONCE = 12
COMMAND_SECONDS = 10
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}")


class BadKeys(Exception):
    """The master keys cannot be read. Never says a key."""


class LostKey(Exception):
    """What is needed to read a recording is not there (any more)."""


@dataclass(frozen=True, slots=True)
class KeyRing:
    """Master keys by name, oldest first; the last one wraps what is new."""

    keys: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    source: str = ""

    @classmethod
    def parse(cls, text: str, source: str) -> Self:
        """Lines of NAME and 32 bytes in base64; empty ones and such as begin with # do not count. Raises BadKeys."""
        keys: dict[str, bytes] = {}
        for number, line in enumerate(text.splitlines(), 1):
            name, _, value = line.strip().partition(" ")
            if not name or name.startswith("#"):
                continue
            try:
                key = base64.b64decode(value.strip(), validate=True)
            except binascii.Error:
                key = b""
            if not _NAME.fullmatch(name) or len(key) != KEY or name in keys:
                raise BadKeys(f"{source}, line {number}: want a name of its own and 32 bytes in base64")
            keys[name] = key
        return cls(keys, source)

    @property
    def current(self) -> str:
        """ "" when there is none."""
        return next(reversed(list(self.keys)), "")

    def wrap(self, name: str, data_key: bytes) -> tuple[str, bytes]:
        """(the current master key's name, the data key of recording `name` wrapped by it)."""
        nonce = os.urandom(NONCE)
        return self.current, nonce + AESGCM(self.keys[self.current]).encrypt(nonce, data_key, _bound(name))

    def unwrap(self, name: str, master: str, wrapped: bytes) -> bytes:
        """Raises LostKey."""
        if master not in self.keys:
            where = self.source or "any key file"
            raise LostKey(f"{_called(name)} needs the master key {master!r}, which is not in {where}")
        try:
            return AESGCM(self.keys[master]).decrypt(wrapped[:NONCE], wrapped[NONCE:], _bound(name))
        except InvalidTag:
            raise LostKey(f"{_called(name)}: the master key {master!r} is not the one that wrapped its key") from None


@dataclass(frozen=True, slots=True)
class KeySource:
    """Where the master keys are: in the environment, in what a command prints, or in a file of ours alone."""

    file: Path
    text: str = field(default="", repr=False)
    command: str = ""

    @classmethod
    def of(cls, settings: Settings) -> Self:
        text = settings.recording_keys.get_secret_value() if settings.recording_keys else ""
        return cls(settings.recording_keys_file, text, settings.recording_keys_command)

    def read(self) -> KeyRing:
        """Raises BadKeys. No file is no keys: nothing is sealed then."""
        if self.text:
            return KeyRing.parse(self.text.replace(";", "\n"), "CONTACTCENTRE_RECORDING_KEYS")
        if self.command:
            return KeyRing.parse(self._printed(), "what CONTACTCENTRE_RECORDING_KEYS_COMMAND prints")
        try:
            with closing(os.fdopen(os.open(self.file, os.O_RDONLY), encoding="utf-8", errors="replace")) as file:
                mode = os.fstat(file.fileno()).st_mode & 0o777
                if mode & 0o077:
                    raise BadKeys(f"{self.file} is open to other users ({mode:04o}): chmod 600 {self.file}")
                return KeyRing.parse(file.read(), str(self.file))
        except FileNotFoundError:
            return KeyRing()
        except OSError as error:
            raise BadKeys(f"{self.file} cannot be read: {error.strerror}") from None

    def _printed(self) -> str:
        try:
            done = subprocess.run(
                shlex.split(self.command), capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False
            )
        except (OSError, ValueError, subprocess.TimeoutExpired) as error:
            raise BadKeys(f"CONTACTCENTRE_RECORDING_KEYS_COMMAND: {type(error).__name__}") from None
        if done.returncode or not done.stdout.strip():
            raise BadKeys(f"CONTACTCENTRE_RECORDING_KEYS_COMMAND printed no keys (exit code {done.returncode})")
        return done.stdout

    def add(self, name: str) -> None:
        """Makes a new master key, the current one from now on. Only a file can be added to. Raises BadKeys."""
        if self.text or self.command:
            raise BadKeys("the keys do not come from a file: add the new one, as the last, where they come from")
        if name in self.read().keys or not _NAME.fullmatch(name):
            raise BadKeys(f"{name!r} is no new name of a key: lower case letters, digits, dots, dashes")
        line = f"{name} {base64.b64encode(os.urandom(KEY)).decode()}\n"
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(self.file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600), "r+b", buffering=0) as file:
            content = file.read()
            file.write((b"" if content.endswith(b"\n") or not content else b"\n") + line.encode())
            os.fsync(file.fileno())


def _called(name: str) -> str:
    return name if "/" in name else f"recording {name}"


def _bound(name: str) -> bytes:
    return b"contactcentre data key\0" + name.encode()
