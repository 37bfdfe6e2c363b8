"""What a recording's player shows: the picture of its sound, what happened in it, and notes."""

import io
import math
import time
import wave
from array import array
from pathlib import Path

import pytest
import soundfile
import sqlalchemy as sa

from contactcentre.archive import KeySource, seal
from contactcentre.archive.erasing import erase
from contactcentre.archive.peaks import peaks
from contactcentre.archive.sealed import unseal
from contactcentre.domain.events import Event, Kind
from contactcentre.settings import Settings
from contactcentre.store import Store
from contactcentre.web.app import WebServices
from tests.store.calls import Call, recorded_call
from tests.web.axe import violations
from tests.web.chromium import Chromium, why_not
from tests.web.conftest import SignIn, csrf
from tests.web.serving import Server

RATE = 8000
SECONDS = 10


def tones(seconds: int = SECONDS) -> bytes:
    """A WAV file: left half as loud as can be in the first half, right a quarter as loud in the second."""
    half = seconds * RATE // 2
    left = [round(16384 * math.sin(n * 0.3)) for n in range(half)] + [0] * half
    right = [0] * half + [round(8192 * math.sin(n * 0.3)) for n in range(half)]
    sound = io.BytesIO()
    with wave.open(sound, "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(array("h", [one for both in zip(left, right, strict=True) for one in both]).tobytes())
    return sound.getvalue()


def near(found: tuple[int, ...], wanted: int) -> bool:
    return all(abs(one - wanted) <= 4 for one in found)


@pytest.mark.parametrize("form", ["wav", "flac", "opus", "sealed"])
def test_the_picture_shows_who_is_loud_when_in_every_form_that_is_stored(form: str) -> None:
    sound, file = tones(), io.BytesIO()
    if form == "sealed":
        seal(io.BytesIO(sound), file, b"k" * 32, "rec-1")
        file.seek(0)
        drawn = peaks(unseal(file, b"k" * 32, "rec-1"), 100)
    else:
        samples, _ = soundfile.read(io.BytesIO(sound), dtype="int16")
        form, subtype = {"wav": ("WAV", "PCM_16"), "flac": ("FLAC", "PCM_16"), "opus": ("OGG", "OPUS")}[form]
        soundfile.write(file, samples, RATE, format=form, subtype=subtype)
        file.seek(0)
        drawn = peaks(io.BufferedReader(file), 100)
    seconds, (left, right) = drawn
    assert abs(seconds - SECONDS) < 0.1
    assert near(left[2:48], 50)
    assert near(right[2:48], 0)
    assert near(left[52:98], 0)
    assert near(right[52:98], 25)


def test_what_is_no_sound_has_no_picture() -> None:
    with pytest.raises(ValueError, match="no sound"):
        peaks(io.BufferedReader(io.BytesIO(b"RIFF and nothing else" * 9)))  # type: ignore[arg-type]


@pytest.fixture
def recorded(store: Store, settings: Settings) -> Call:
    """A call of ten seconds, recorded from its third one on; the customer is on hold for two."""
    call = recorded_call("rec-1", at=time.time() - 60)
    (settings.recordings_dir / "rec-1.wav").write_bytes(tones())
    began = next(event for event in call.events if event.kind is Kind.RECORDING_STARTED).at - call.at
    call.add(began + 2, Kind.TALK_HELD, agent="bob", by="agent").add(
        began + 4, Kind.TALK_RESUMED, agent="bob", by="agent", held=2.0
    )
    data = {"recording": "rec-1", "path": "rec-1.wav", "seconds": float(SECONDS), "sha256": "0" * 64, "bytes": 320044}
    store.record([*call.events, Event(call.id, 0, call.at + 20, Kind.RECORDING_STORED, {**data, "channels": 2})])
    return call


def test_the_picture_comes_with_what_happened_and_is_audited_as_listening(
    sign_in: SignIn, store: Store, settings: Settings, web: WebServices, recorded: Call
) -> None:
    browser = sign_in("auditor")
    told = browser.get("/api/v1/recordings/rec-1/picture").get_json()
    assert told["seconds"] == SECONDS
    assert [len(channel) for channel in told["peaks"]] == [800, 800]
    held = [(one["second"], one["text"]) for one in told["markers"] if "hold" in one["text"]]
    assert [second for second, _ in held] == [2.0, 4.0]
    entry = store.audit_entries(actor="a-auditor", action="recording.listen", limit=1)[0]
    assert (entry.subject, entry.detail) == ("rec-1", {"contact": recorded.id, "picture": True})
    assert browser.get("/api/v1/recordings/rec-1/picture").get_json() == told, "drawn once"
    assert len(store.audit_entries(actor="a-auditor", action="recording.listen", limit=5)) == 2
    (settings.recordings_dir / "rec-1.wav").unlink()
    assert browser.get("/api/v1/recordings/rec-1/picture").status_code == 410, "also of one that was drawn"


def test_a_sealed_recording_is_drawn_and_leaves_nothing_in_the_clear(
    sign_in: SignIn, settings: Settings, web: WebServices, recorded: Call
) -> None:
    plain = settings.recordings_dir / "rec-1.wav"
    KeySource.of(settings).add("first")
    key = web.shelf.new_key("rec-1")
    assert key is not None
    with plain.with_name("rec-1.wav.sealed").open("wb") as file:
        seal(io.BytesIO(plain.read_bytes()), file, key, "rec-1")
    plain.unlink()
    with web.store._begin() as connection:
        connection.execute(sa.text("UPDATE recording SET path = :path"), {"path": "rec-1.wav.sealed"})
    told = sign_in("auditor").get("/api/v1/recordings/rec-1/picture").get_json()
    assert near(tuple(told["peaks"][0][10:390]), 50)
    assert [path.name for path in settings.recordings_dir.iterdir()] == ["rec-1.wav.sealed"]


def test_notes_are_kept_at_their_second_and_go_with_the_recording(
    sign_in: SignIn, store: Store, web: WebServices, recorded: Call
) -> None:
    browser = sign_in("supervisor")
    token = {"X-CSRFToken": csrf(browser, "/me")}

    def write(second: float, text: str) -> int:
        body = {"second": second, "text": text}
        return browser.post("/api/v1/recordings/rec-1/notes", json=body, headers=token).status_code

    assert [write(7.5, "Good  ending."), write(1, "Greets.")] == [200, 200]
    assert [write(11, "x"), write(-1, "x"), write(1, "  ")] == [422, 422, 422]
    notes = browser.get("/api/v1/recordings/rec-1/picture").get_json()["notes"]
    assert [(one["second"], one["text"], one["by"]) for one in notes] == [
        (1.0, "Greets.", "a-supervisor"),
        (7.5, "Good ending.", "a-supervisor"),
    ]
    entry = store.audit_entries(action="recording.note", limit=1)[0]
    assert entry.detail == {"contact": recorded.id, "second": 1.0}
    erase(store, web.shelf, store.recording("rec-1"), "asked", "test", time.time())
    assert store.recording_notes("rec-1") == []
    assert write(1, "x") == 410


@pytest.mark.slow
@pytest.mark.skipif(bool(why_not()), reason=why_not() or "-")
def test_the_player_seeks_by_click_and_keys_changes_speed_and_balance_and_takes_notes(
    signed_in: Chromium, server: Server, store: Store, recorded: Call, tmp_path: Path
) -> None:
    page = signed_in
    page.goto(f"{server.url}/contacts/{recorded.id}")
    page.click("[data-open]")
    page.wait_for_selector("[data-part=wave] canvas")
    now = "document.querySelector('[data-recording] audio').currentTime"
    page.press("[data-part=wave]", "ArrowRight")
    page.wait_for_function(f"() => {now} === 5")
    page.press("[data-part=wave]", "End")
    page.wait_for_function(f"() => {now} === 10")
    page.press("[data-part=wave]", "Home")
    page.click("[data-part=wave]")  # its middle
    page.wait_for_function(f"() => Math.abs({now} - 5) < 0.2")
    page.select_option("[data-part=speed]", "1.5")
    audio = "document.querySelector('[data-recording] audio')"
    assert page.evaluate(f"[{audio}.playbackRate, {audio}.preservesPitch]") == [1.5, True]
    page.evaluate(
        """() => {
          const balance = document.querySelector("[data-part=balance]");
          balance.value = -1;
          balance.dispatchEvent(new Event("input"));
        }"""
    )
    page.fill("[data-part=note-text]", "Says the number twice.")
    page.click("[data-part=note-form] button")
    page.wait_for_text("[data-part=marks]", "sue: Says the number twice.")
    (note,) = store.recording_notes("rec-1")
    assert abs(note.second - 5) < 0.2
    page.click("[data-part=play]")
    page.wait_for_function(f"() => {audio}.ended || {now} > 5.5")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.screenshot(path=str(tmp_path / f"player-{scheme}.png"), full_page=True)
        assert violations(page) == []
    assert page.errors == []
