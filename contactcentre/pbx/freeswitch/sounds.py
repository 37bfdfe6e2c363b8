"""Sounds by the names that Asterisk's have, which a FreeSWITCH has only if somebody gave it some: ours are taken where
there are any."""

from collections.abc import Iterable
from pathlib import Path


class Sounds:
    def __init__(self, directory: Path | None) -> None:
        """`directory`: LANGUAGE/NAME.wav, which FreeSWITCH can read; None = it has its own."""
        self._directory = directory

    def found(self, steps: Iterable[tuple[str, str]], language: str) -> list[tuple[str, str]]:
        """Applications whose files are ours, in this language, else in English, where they are there."""
        return [(application, self._file(argument, language)) for application, argument in steps]

    def _file(self, argument: str, language: str) -> str:
        if self._directory is None or not argument.endswith(".wav") or argument.startswith("/"):
            return argument
        files = (self._directory / spoken / argument for spoken in dict.fromkeys((language, "en")))
        return next((str(file) for file in files if file.is_file()), argument)
