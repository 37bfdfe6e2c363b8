"""From what a flow says to media a PBX can play: recorded prompts, the PBX's own sounds, and synthesised
speech.

A prompt NAME in language LANG is, in this order: a sound file `<prompts_dir>/LANG/NAME.*`; the text the flow
itself gives; the bundled text (dialplans/prompts/LANG.yaml); each first for `fr-CA`, then for `fr`. Texts are
spoken by espeak-ng, once: the result is kept in `<prompts_dir>/tts`.
"""

import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path

import gevent
import structlog
import yaml
from gevent import subprocess
from gevent.lock import BoundedSemaphore

from contactcentre.domain.flows.actions import Piece, Sort
from contactcentre.domain.flows.model import Flow
from contactcentre.domain.flows.spoken import base, text_of
from contactcentre.domain.flows.wording import spoken, words
from contactcentre.prompts import downsample

log = structlog.get_logger(__name__)

DEADLINE = 10.0
"""Seconds that one text may take to be synthesised."""
AT_ONCE = 2
"""Texts that are synthesised at the same time; others wait their turn."""
KEPT = 5000
"""Synthesised files that are kept; those longest unused are removed first (texts may contain callers'
names)."""
LOOK_AFTER = 200
"""New files after which those are looked for."""
WORDS_PER_MINUTE = 150

SUFFIXES = ("wav", "wav16", "sln", "sln16", "slin", "g722", "alaw", "al", "ulaw", "ul", "pcm", "gsm")
_CHECKOUT = Path(__file__).resolve().parents[2] / "dialplans" / "prompts"
BUNDLED = _CHECKOUT if _CHECKOUT.is_dir() else Path(sys.prefix) / "share/contactcentre/dialplans/prompts"

Texts = Mapping[str, Mapping[str, str]]
"""Prompt -> language -> text."""


class SpeechError(Exception):
    """Something cannot be said. The text says what, and what to do about it."""


class NoSpeech(SpeechError):
    """There is no synthesiser."""

    def __init__(self) -> None:
        super().__init__(
            "espeak-ng is not installed, so texts without a sound file cannot be spoken: install the package "
            "espeak-ng, or record the prompts"
        )


class SpeechFailed(SpeechError):
    """The synthesiser did not do it, or not in time."""


class NoPrompt(SpeechError):
    def __init__(self, name: str, language: str) -> None:
        super().__init__(f"prompt {name} has neither a sound file nor a text in {language}")


class Voice:
    """Text to speech with espeak-ng, cached as 8000 Hz mono 16 bit WAV files that the PBX can read."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._turn = BoundedSemaphore(AT_ONCE)
        self._made = 0

    @staticmethod
    def program() -> str:
        """The synthesiser's path. Raises NoSpeech."""
        found = shutil.which("espeak-ng")
        if found is None:
            raise NoSpeech
        return found

    def say(self, text: str, language: str) -> Path:
        """The sound file (with its suffix) of `text`, made now if it is not there yet. Raises SpeechError."""
        plain = spoken(text)
        if not plain:
            raise SpeechFailed("the text has nothing that can be said")
        path = self._path(plain, language)
        try:
            if _touched(path):
                return path
            with self._turn:
                if not _touched(path):  # another greenlet may have made it while we waited
                    write(path, self._synthesised(plain, language))
                    self._made += 1
                    if self._made % LOOK_AFTER == 0:
                        self._forget()
        except OSError as error:  # a full disk, too many processes ...: the call goes on without
            raise SpeechFailed(f"a text could not be kept in {self._directory}: {error}") from error
        return path

    def has_said(self, text: str, language: str) -> bool:
        """Its file is there, and now counts as used. Raises OSError."""
        return _touched(self._path(spoken(text), language))

    def _path(self, plain: str, language: str) -> Path:
        key = hashlib.sha256(f"espeak-ng|{WORDS_PER_MINUTE}|{language}|{plain}".encode()).hexdigest()
        return self._directory / key[:2] / f"{key}.wav"

    def _synthesised(self, text: str, language: str) -> bytes:
        program, speed, reason = self.program(), str(WORDS_PER_MINUTE), ""
        for voice in dict.fromkeys((language.lower().replace("_", "-"), base(language), "en")):
            command = [program, "--stdin", "--stdout", "-b", "1", "-s", speed, "-v", voice]
            sound, reason = run(command, text.encode())
            if sound:
                narrow, reason = run([sys.executable, "-I", downsample.__file__], sound)
                if narrow:
                    return narrow
        raise SpeechFailed(f"espeak-ng could not say a text in {language}: {reason}")

    def _forget(self) -> None:
        files = sorted(self._directory.glob("*/*.wav"), key=lambda path: path.stat().st_mtime)
        for path in files[: max(0, len(files) - KEPT)]:
            path.unlink(missing_ok=True)


class Prompts:
    """Finds what to play. `sounds`: the languages in which the PBX has sounds of its own for numbers and
    digits."""

    def __init__(
        self,
        prompts_dir: Path,
        texts: Texts | None = None,
        sounds: Collection[str] = ("en",),
        voice: Voice | None = None,
    ) -> None:
        self._directory = prompts_dir.absolute()
        self._texts = bundled_texts() if texts is None else texts
        self._sounds = frozenset(sounds)
        self._voice = voice or Voice(self._directory / "tts")

    def media(self, speech: Iterable[Piece], language: str) -> list[str]:
        """The media of `speech`, in the words of pbx.protocol. What cannot be said is left out and logged.

        Raises SpeechError when nothing is left. May take up to DEADLINE for a text that was never said
        before; other greenlets run meanwhile.
        """
        found: list[str] = []
        failed: SpeechError | None = None
        for piece in speech:
            try:
                found.append(self.medium(piece, language))
            except SpeechError as error:
                failed = error
                log.warning("speech left out", sort=piece.sort.value, error=str(error))
        if failed is not None and not found:
            raise failed
        return found

    def medium(self, piece: Piece, language: str) -> str:
        """One piece; its own language wins. Raises SpeechError."""
        own = piece.language not in ("", language)
        language = piece.language or language
        match piece.sort:
            case Sort.PROMPT:
                return self._prompt(piece, language)
            case Sort.SOUND | Sort.TONE | Sort.SILENCE:
                return f"{piece.sort.value}:{piece.value}"
            case Sort.NUMBER | Sort.DIGITS if base(language) in self._sounds and not own:
                return f"{piece.sort.value}:{piece.value}"
            case _:
                return self._said(words(piece, language), language)

    def knows(self, name: str, language: str) -> bool:
        """There is a sound file or a bundled text for the prompt."""
        return self._file(name, language) is not None or bool(text_of(self._texts.get(name, {}), language))

    def prepare(self, flows: Iterable[Flow]) -> int:
        """Synthesises the texts of these flows' own and the bundled prompts that have no sound file and no
        variables, so that no caller waits for them. Returns how many could not be made (each is logged)."""
        failed = 0
        for name, language, text in self._unrecorded(flows):
            try:
                self._voice.say(text, language)
            except SpeechError as error:
                failed += 1
                log.warning("prompt not prepared", prompt=name, language=language, error=str(error))
        return failed

    def are_prepared(self, flows: Iterable[Flow]) -> bool:
        """`prepare` would make nothing. Other greenlets run meanwhile."""
        for _, language, text in self._unrecorded(flows):
            gevent.sleep(0)
            try:
                if not self._voice.has_said(text, language):
                    return False
            except OSError:
                return False
        return True

    def _unrecorded(self, flows: Iterable[Flow]) -> Iterator[tuple[str, str, str]]:
        """(prompt, language, text) of those without a sound file and without variables."""
        for texts in [self._texts, *(flow.prompts for flow in flows)]:
            for name, by_language in texts.items():
                for language, text in by_language.items():
                    if "{{" not in text and self._file(name, language) is None:
                        yield name, language, text

    def _prompt(self, piece: Piece, language: str) -> str:
        file = self._file(piece.value, language)
        if file is not None:
            return f"sound:{file}"
        text = piece.text or text_of(self._texts.get(piece.value, {}), language)
        if not text:
            raise NoPrompt(piece.value, language)
        return self._said(text, language)

    def _said(self, text: str, language: str) -> str:
        return f"sound:{self._voice.say(text, language).with_suffix('')}"

    def _file(self, name: str, language: str) -> Path | None:
        """The sound file without its suffix: the PBX picks the format."""
        for spoken_language in dict.fromkeys((language, base(language))):
            path = self._directory / spoken_language / name
            if any(path.with_name(f"{name}.{suffix}").is_file() for suffix in SUFFIXES):
                return path
        return None


def bundled_texts(directory: Path = BUNDLED) -> dict[str, dict[str, str]]:
    """The texts of `<directory>/LANGUAGE.yaml`, each a mapping of prompt to text. An absent directory has
    none."""
    texts: dict[str, dict[str, str]] = {}
    for path in sorted(directory.glob("*.yaml")):
        for name, text in yaml.safe_load(path.read_text("utf-8")).items():
            texts.setdefault(str(name), {})[path.stem] = str(text)
    return texts


def run(command: list[str], given: bytes, deadline: float | None = None) -> tuple[bytes, str]:
    """What the program wrote to stdout, or b"" and why not. Raises SpeechFailed after `deadline` seconds (DEADLINE)."""
    deadline = DEADLINE if deadline is None else deadline
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            out, err = process.communicate(given, timeout=deadline)
        except subprocess.TimeoutExpired as error:
            process.kill()
            raise SpeechFailed(f"{Path(command[0]).name} took longer than {deadline:g} seconds") from error
        except BaseException:  # the caller hung up: the greenlet is being ended
            process.kill()
            raise
    if process.returncode == 0:
        return out, "" if out else "it said nothing"
    return b"", err.decode(errors="replace").strip()[:200] or f"exit code {process.returncode}"


def _touched(path: Path) -> bool:
    """It is there, and now counts as used."""
    try:
        os.utime(path)
    except FileNotFoundError:
        return False
    except PermissionError:  # another user's, which we may read all the same
        return path.is_file()
    return True


def write(path: Path, data: bytes) -> None:
    """All or nothing, readable by the PBX's user."""
    for directory in (path.parent.parent, path.parent):
        if not directory.is_dir():
            directory.mkdir(parents=True, exist_ok=True)
            directory.chmod(0o755)
    handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(temporary).chmod(0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
