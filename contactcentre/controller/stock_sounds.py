"""Sounds with the names of Asterisk's, for a PBX that has none: what the controller says by itself ("logged in", "you
are first in line", the digits). Texts are in dialplans/sounds, and spoken once, by espeak-ng.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import structlog

from contactcentre.prompts.speech import SpeechError, Texts, Voice, bundled_texts

log = structlog.get_logger(__name__)

DIRECTORY = "stock"
"""Below the prompts directory: LANGUAGE/NAME.wav."""
_CHECKOUT = Path(__file__).resolve().parents[2] / "dialplans/sounds"
BUNDLED = _CHECKOUT if _CHECKOUT.is_dir() else Path(sys.prefix) / "share/contactcentre/dialplans/sounds"


def prepare(prompts_dir: Path, texts: Texts | None = None, voice: Voice | None = None) -> int:
    """Makes those that are not there, so that recorded ones may be put in their place. Returns how many could not be
    made (each is logged)."""
    voice, failed = voice or Voice(prompts_dir / "tts"), 0
    for name, language, text, file in _missing(prompts_dir, texts):
        try:
            _keep(voice.say(text, language), file)
        except (SpeechError, OSError) as error:
            failed += 1
            log.warning("sound not prepared", sound=name, language=language, error=str(error))
    return failed


def are_prepared(prompts_dir: Path, texts: Texts | None = None) -> bool:
    """`prepare` would make nothing."""
    return not any(_missing(prompts_dir, texts))


def _missing(prompts_dir: Path, texts: Texts | None) -> Iterator[tuple[str, str, str, Path]]:
    """(sound, language, text, where it belongs)."""
    for name, by_language in (bundled_texts(BUNDLED) if texts is None else texts).items():
        for language, text in by_language.items():
            file = prompts_dir / DIRECTORY / language / f"{name}.wav"
            if not file.exists():
                yield name, language, text, file


def _keep(spoken: Path, file: Path) -> None:
    """All or nothing, and readable by the PBX's user."""
    for directory in reversed(file.parents):
        if not directory.is_dir():
            directory.mkdir(mode=0o755, exist_ok=True)
    draft = file.with_suffix(".part")
    draft.write_bytes(spoken.read_bytes())
    draft.chmod(0o644)
    draft.replace(file)
