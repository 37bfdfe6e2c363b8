"""The history's pages, and recordings."""

import io
import time
import wave
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from contactcentre.archive import KeySource, seal
from contactcentre.domain.events import Event, Kind
from contactcentre.settings import Settings
from contactcentre.store import Store
from contactcentre.web.app import WebServices
from contactcentre.web.numbers import readable
from contactcentre.web.timeline import line
from tests.store.calls import Call, answered, recorded_call
from tests.web.conftest import SignIn

HOSTILE = '<script>alert(1)</script><img src=x onerror="alert(2)">'


@pytest.fixture
def recorded(store: Store, settings: Settings) -> Call:
    """A call with a stored recording of one second of silence in stereo."""
    call = recorded_call("rec-1", at=time.time() - 60)
    path = settings.recordings_dir / "2026" / "rec-1.wav"
    path.parent.mkdir()
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(b"\0\0\0\0" * 8000)
    store.record([*call.events, stored(call, "2026/rec-1.wav")])
    return call


def stored(call: Call, path: str) -> Event:
    data = {"recording": "rec-1", "path": path, "seconds": 1.0, "sha256": "0" * 64, "bytes": 32044, "channels": 2}
    return Event(call.id, 0, call.at + 10, Kind.RECORDING_STORED, data)


def listen(browser: FlaskClient, **headers: str):  # type: ignore[no-untyped-def]
    return browser.get("/api/v1/recordings/rec-1/audio", headers={k.replace("_", "-"): v for k, v in headers.items()})


def test_the_list_shows_what_was_asked_for(sign_in: SignIn, store: Store) -> None:
    now = time.time()
    one, two = answered(now - 900, caller="+33612407755"), Call(now - 600, caller="+33698124401").queued(1, "billing")
    store.record([*one.events, *two.abandoned(40, "billing").events])
    browser = sign_in("supervisor")
    everything = browser.get("/contacts").text
    assert "+33 6 12 40 77 55" in everything
    assert "+33 6 98 12 44 01" in everything
    only = browser.get("/contacts?queue=billing&outcome=abandoned").text
    assert "+33 6 12 40 77 55" not in only
    assert "+33 6 98 12 44 01" in only
    nothing = browser.get("/contacts?day=1999-01-01").text
    assert "No contact matches this." in nothing
    assert [c["id"] for c in browser.get("/api/v1/contacts?queue=billing").get_json()["contacts"]] == [two.id]


def test_pages_of_the_list_hang_together(sign_in: SignIn, store: Store) -> None:
    now = time.time()
    calls = [Call(now - n).ended(0.5, "self_served") for n in range(7)]
    store.record([event for call in calls for event in call.events])
    browser = sign_in("auditor")
    seen, cursor = [], ""
    while True:
        page = browser.get(f"/api/v1/contacts?limit=3&cursor={cursor}").get_json()
        seen += [contact["id"] for contact in page["contacts"]]
        cursor = page["next"]
        if not cursor:
            break
    assert seen == [call.id for call in calls]


@pytest.mark.parametrize("query", ["outcome=nonsense", "day=yesterday", "cursor=x", "day=9999-12-31"])
def test_a_filter_that_makes_no_sense_is_refused_with_its_rule(sign_in: SignIn, query: str) -> None:
    answer = sign_in("supervisor").get(f"/contacts?{query}")
    assert answer.status_code == 422
    assert "bad_value" in answer.text


def test_a_contact_tells_its_story_with_the_routings_reasons(sign_in: SignIn, store: Store) -> None:
    call = answered(time.time() - 900)
    store.record(call.events)
    text = sign_in("supervisor").get(f"/contacts/{call.id}").text
    assert "Waits in queue support" in text
    assert "Routing chose bob: longest idle" in text
    assert "<summary><bdi>Routing chose bob: longest idle</bdi></summary>" in text
    assert '<a href="/agents/bob">bob</a> <span class="soft">80</span>' in text
    assert "<dt>Lang_fr is 10, asked for 50</dt>" in text
    assert "alice did not take it: missed" in text
    assert "Talks with bob" in text
    assert sign_in("supervisor").get("/contacts/ffffffff").status_code == 404


def test_what_a_caller_sends_is_text_on_every_page(sign_in: SignIn, store: Store) -> None:
    call = answered(time.time() - 900, caller=HOSTILE, caller_name=HOSTILE, did=HOSTILE)
    store.record(call.events)
    browser = sign_in("supervisor")
    for path in (
        "/contacts",
        f"/contacts/{call.id}",
        f"/contacts/{call.id}?technical=1",
        f"/contacts?caller={HOSTILE}",
    ):
        text = browser.get(path).text
        assert "<script>alert" not in text
        assert "<img src=x" not in text
        assert "&lt;script&gt;" in text


def test_a_recording_is_heard_by_those_who_may_and_every_time_is_audited(
    sign_in: SignIn, store: Store, recorded: Call
) -> None:
    browser = sign_in("auditor")
    assert (
        '<audio controls preload="none" src="/api/v1/recordings/rec-1/audio">'
        in browser.get(f"/contacts/{recorded.id}").text
    )
    with listen(browser) as whole:
        assert whole.status_code == 200
        assert whole.content_type == "audio/wav"
        assert whole.headers["Accept-Ranges"] == "bytes"
        assert len(whole.data) == 32044
    with listen(browser, Range="bytes=44-143") as part:
        assert part.status_code == 206
        assert part.headers["Content-Range"] == "bytes 44-143/32044"
        assert len(part.data) == 100
    entries = store.audit_entries(actor="a-auditor", action="recording.listen", limit=2)
    assert [entry.subject for entry in entries] == ["rec-1", "rec-1"]
    assert entries[0].detail == {"contact": recorded.id, "range": "bytes=44-143"}
    assert entries[0].address == "127.0.0.1"


def test_a_range_outside_the_file_says_so(sign_in: SignIn, recorded: Call) -> None:
    answer = listen(sign_in("admin"), Range="bytes=99999-")
    assert answer.status_code == 416
    assert answer.get_json()["code"] == "range"


def test_who_may_not_listen_gets_neither_player_nor_sound(sign_in: SignIn, recorded: Call, store: Store) -> None:
    browser = sign_in("agent")
    assert listen(browser).status_code == 403
    assert not store.audit_entries(actor="a-agent", action="recording.listen")


@pytest.mark.parametrize(
    "path", ["../../../../etc/passwd", "/etc/passwd", "2026/../../secret_key", "2026/rec-1.txt", ""]
)
def test_no_path_leads_out_of_the_recordings(
    sign_in: SignIn, store: Store, settings: Settings, recorded: Call, path: str
) -> None:
    other = recorded_call("rec-2", at=time.time() - 30)
    data = {"recording": "rec-2", "path": path, "seconds": 1.0, "sha256": "", "bytes": 1, "channels": 2}
    store.record([*other.events, Event(other.id, 0, other.at + 9, Kind.RECORDING_STORED, data)])
    assert settings.secret_key
    answer = sign_in("admin").get("/api/v1/recordings/rec-2/audio")
    assert (answer.status_code, answer.get_json()["code"]) == (410, "gone")


def test_a_link_in_the_recordings_directory_leads_nowhere(sign_in: SignIn, settings: Settings, recorded: Call) -> None:
    path: Path = settings.recordings_dir / "2026" / "rec-1.wav"
    path.unlink()
    path.symlink_to("/etc/passwd")
    assert listen(sign_in("admin")).status_code == 410


def test_the_words_of_an_event_survive_data_that_lacks_everything() -> None:
    for kind in Kind:
        assert line(0.0, kind, {}).text


def test_a_number_is_shown_as_people_write_it_and_anything_else_as_it_is() -> None:
    assert readable("+33612407755") == "+33 6 12 40 77 55"
    assert readable("0612407755", "FR") == "+33 6 12 40 77 55"
    assert readable("100") == "100"
    assert readable(HOSTILE) == HOSTILE
    assert readable("") == ""


def test_a_sealed_recording_is_heard_whole_and_in_parts_and_a_changed_one_not_at_all(
    sign_in: SignIn, settings: Settings, web: WebServices, recorded: Call
) -> None:
    plain = settings.recordings_dir / "2026" / "rec-1.wav"
    sound = plain.read_bytes()[:44] + bytes(range(250)) * 800
    KeySource.of(settings).add("first")
    key = web.shelf.new_key("rec-1")
    assert key is not None
    path = plain.with_name("rec-1.wav.sealed")
    with path.open("wb") as file:
        seal(io.BytesIO(sound), file, key, "rec-1")
    with web.store._begin() as connection:
        connection.execute(sa.text("UPDATE recording SET path = :path"), {"path": "2026/rec-1.wav.sealed"})
    browser = sign_in("auditor")
    with listen(browser) as whole:
        assert (whole.status_code, whole.content_type, whole.data) == (200, "audio/wav", sound)
        assert whole.headers["Cache-Control"] == "no-store"
    for begin, end in ((0, 0), (65_530, 65_545), (150_000, len(sound) - 1)):
        with listen(browser, Range=f"bytes={begin}-{end}") as part:
            assert (part.status_code, part.data) == (206, sound[begin : end + 1])
            assert part.headers["Content-Range"] == f"bytes {begin}-{end}/{len(sound)}"
    path.write_bytes(path.read_bytes()[:-1])
    assert listen(browser).status_code == 410
    KeySource.of(settings).file.unlink()
    web.store.destroy_data_key("rec-1")
    answer = listen(browser)
    assert (answer.status_code, answer.get_json()["code"]) == (503, "unavailable")
