"""Which file a sound's name means."""

from pathlib import Path

import pytest

from contactcentre.pbx.freeswitch.sounds import Sounds
from contactcentre.pbx.freeswitch.translate import media


@pytest.fixture
def stock(tmp_path: Path) -> Path:
    for name in ("en/agent-loginok", "fr/agent-loginok", "en/digits/7"):
        file = tmp_path / f"{name}.wav"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    return tmp_path


@pytest.mark.parametrize(
    ("medium", "language", "played"),
    [
        ("sound:agent-loginok", "fr", ["{stock}/fr/agent-loginok.wav"]),
        ("sound:agent-loginok", "es", ["{stock}/en/agent-loginok.wav"]),
        ("digits:78", "fr", ["{stock}/en/digits/7.wav", "digits/8.wav"]),
        ("sound:of-the-switchs-own", "en", ["of-the-switchs-own.wav"]),
        ("sound:/somewhere/else", "en", ["/somewhere/else.wav"]),
        ("sound:beeperr", "en", ["tone_stream://%(150,50,315);loops=3"]),
    ],
)
def test_ours_is_played_in_the_callers_language_or_english_and_else_the_switchs_own(
    stock: Path, medium: str, language: str, played: list[str]
) -> None:
    steps = Sounds(stock).found(media(medium, ""), language)
    assert steps == [("playback", file.format(stock=stock)) for file in played]
    assert Sounds(None).found(media(medium, ""), language) == media(medium, "")
