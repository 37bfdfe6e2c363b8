"""The recorded prompts: `<prompts_dir>/LANGUAGE/NAME.wav`, put there, listed and taken away."""

import re
import sys
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from contactcentre.prompts.speech import SUFFIXES, SpeechError, Voice, run, write

NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")
LANGUAGE = re.compile(r"[a-z]{2,3}([_-][A-Za-z0-9]{2,8}){0,2}")
LARGEST = 20_000_000
"""Bytes of a sound file that somebody sends."""
CONVERTING = 60.0
"""Seconds that one may take: five minutes of 48 000 Hz took a core 16."""
_OURS = frozenset({"tts", "stock"})
"""Directories beside those of languages: what was spoken, and a PBX's own sounds."""


class BadPrompt(Exception):
    """A name, language or sound that cannot be used; the text says why."""


class NotKept(Exception):
    """The prompts' directory cannot be changed by this process."""


@dataclass(frozen=True, slots=True)
class PromptFile:
    """`seconds` is None where only the PBX knows the format."""

    name: str
    language: str
    path: Path
    bytes: int
    changed: float
    seconds: float | None


class PromptFiles:
    def __init__(self, prompts_dir: Path) -> None:
        self._directory = prompts_dir

    def all(self) -> list[PromptFile]:
        """By name and language; of several files of a name the one that is heard first."""
        found = {(one.language, one.name): one for one in reversed(list(self._files()))}
        return sorted(found.values(), key=lambda one: (one.name, one.language))

    def one(self, language: str, name: str) -> PromptFile | None:
        """Raises BadPrompt for what is no name or language."""
        _checked(language, name)
        return next((one for one in self.all() if (one.language, one.name) == (language, name)), None)

    def put(self, language: str, name: str, sound: bytes) -> PromptFile:
        """Keeps a sound file in the form that every PBX plays, in the place of what there was. Raises BadPrompt,
        NotKept."""
        _checked(language, name)
        try:
            made, reason = run([sys.executable, "-m", "contactcentre.prompts.convert"], sound, CONVERTING)
        except SpeechError as error:  # it took too long
            raise BadPrompt(str(error)) from None
        if not made:
            raise BadPrompt(reason or "it is no sound file that can be read")
        return self._keep(language, name, made)

    def speak(self, language: str, name: str, text: str, voice: Voice) -> PromptFile:
        """Keeps a text as `voice` speaks it. Raises BadPrompt, NotKept, SpeechError."""
        _checked(language, name)
        return self._keep(language, name, voice.say(text, language).read_bytes())

    def remove(self, language: str, name: str) -> bool:
        """False when there was none. Raises BadPrompt, NotKept."""
        _checked(language, name)
        found = [path for path in self._named(language, name) if path.is_file()]
        try:
            for path in found:
                path.unlink()
        except OSError as error:
            raise NotKept(f"{error.filename} cannot be removed: {error.strerror}") from None
        return bool(found)

    def _keep(self, language: str, name: str, wav: bytes) -> PromptFile:
        path = self._directory / language / f"{name}.wav"
        try:
            write(path, wav)
            for other in self._named(language, name):
                if other != path:
                    other.unlink(missing_ok=True)
        except OSError as error:
            raise NotKept(f"{error.filename} cannot be written: {error.strerror}") from None
        made = self.one(language, name)
        assert made is not None
        return made

    def _named(self, language: str, name: str) -> Iterator[Path]:
        for suffix in SUFFIXES:
            yield self._directory / language / f"{name}.{suffix}"

    def _files(self) -> Iterator[PromptFile]:
        order = {f".{suffix}": place for place, suffix in enumerate(SUFFIXES)}
        paths = [path for path in self._directory.glob("*/*") if path.suffix in order and path.is_file()]
        for path in sorted(paths, key=lambda path: order[path.suffix]):
            language, name = path.parent.name, path.name.removesuffix(path.suffix)
            if language in _OURS or not LANGUAGE.fullmatch(language) or not NAME.fullmatch(name):
                continue
            known = path.stat()
            yield PromptFile(name, language, path, known.st_size, known.st_mtime, _seconds(path))


def _checked(language: str, name: str) -> None:
    if not LANGUAGE.fullmatch(language):
        raise BadPrompt(f"{language[:40]!r} is no language like en or fr-CA")
    if not NAME.fullmatch(name):
        raise BadPrompt(f"{name[:60]!r} is no prompt's name: a-z, 0-9, _ and -, first a letter, at most 40")


def _seconds(path: Path) -> float | None:
    if path.suffix != ".wav":
        return None
    try:
        with wave.open(str(path)) as file:
            return round(float(file.getnframes() / file.getframerate()), 1)
    except (wave.Error, EOFError, OSError, ZeroDivisionError):
        return None
