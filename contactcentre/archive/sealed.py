"""The form of a sealed file: AES-256-GCM in segments, so that a part can be read without the rest, and no segment can
be changed, swapped, repeated or left out unnoticed.

    header   8 bytes that name the form, 32 random bytes (the salt)
    segments each 65,536 bytes of content (the last: 0 to 65,536), encrypted, followed by its tag of 16 bytes

The key of a file is HKDF-SHA256(data key, salt, name), so no two writings share a key, and a file under another name
does not open. The nonce of a segment is its number (11 bytes) and 1 for the last one, 0 for all others: the STREAM
construction of Hoang, Reyhanitabar, Rogaway and Vizár, "Online Authenticated-Encryption and its Nonce-Reuse
Misuse-Resistance" (2015). The last segment is opened first, so a file that was cut is refused before any of it is
heard.
"""

import io
import os
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

FORM = b"CCSEAL1\n"
SALT = 32
SEGMENT = 1 << 16
TAG = 16
HEADER = len(FORM) + SALT


class Tampered(Exception):
    """The file is not what was sealed: changed, cut, of another name, or of another key."""


def seal(source: BinaryIO, target: BinaryIO, key: bytes, name: str) -> None:
    """Writes what `source` holds from here on, sealed, to `target`. Raises OSError."""
    salt = os.urandom(SALT)
    cipher = _cipher(key, salt, name)
    target.write(FORM + salt)
    number, piece = 0, source.read(SEGMENT)
    while True:
        following = source.read(SEGMENT)
        target.write(cipher.encrypt(_nonce(number, not following), piece, None))
        if not following:
            return
        number, piece = number + 1, following


def unseal(file: BinaryIO, key: bytes, name: str) -> io.BufferedReader:
    """The content, to be read from anywhere; closes `file` with itself. Raises Tampered, also while it is read."""
    return io.BufferedReader(_Content(file, key, name), SEGMENT)


class _Content(io.RawIOBase):
    def __init__(self, file: BinaryIO, key: bytes, name: str) -> None:
        self._file, self._name = file, name
        head = file.read(HEADER)
        body = file.seek(0, io.SEEK_END) - HEADER
        self._last, rest = divmod(max(body - 1, 0), SEGMENT + TAG)
        if len(head) < HEADER or not head.startswith(FORM) or body < TAG or rest + 1 < TAG:
            raise Tampered(f"{name} is no sealed file, or only the beginning of one")
        self._cipher = _cipher(key, head[len(FORM) :], name)
        self._at, self._open, self._segment = 0, -1, b""
        self._size = self._last * SEGMENT + len(self._of(self._last))

    def _of(self, number: int) -> bytes:
        if number != self._open:
            self._file.seek(HEADER + number * (SEGMENT + TAG))
            sealed = self._file.read(SEGMENT + TAG)
            try:
                self._segment = self._cipher.decrypt(_nonce(number, number == self._last), sealed, None)
            except InvalidTag:
                raise Tampered(f"{self._name} was changed or cut, or is sealed with another key") from None
            self._open = number
        return self._segment

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer) -> int:  # type: ignore[no-untyped-def]
        if self._at >= self._size:
            return 0
        number, begin = divmod(self._at, SEGMENT)
        piece = self._of(number)[begin : begin + len(buffer)]
        buffer[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)

    def close(self) -> None:
        self._file.close()
        super().close()


def _cipher(key: bytes, salt: bytes, name: str) -> AESGCM:
    info = b"contactcentre recording\0" + name.encode()
    return AESGCM(HKDF(SHA256(), length=32, salt=salt, info=info).derive(key))


def _nonce(number: int, last: bool) -> bytes:
    return number.to_bytes(11) + bytes([last])
