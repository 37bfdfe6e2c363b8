"""Holding, erasing and verifying recordings by command."""

import json
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from contactcentre.archive import Shelf
from contactcentre.cli.group import run
from contactcentre.domain.events import Event, Kind
from contactcentre.settings import Settings
from contactcentre.store import Store
from tests.store.calls import DAY, Call, recorded_call

SINCE = ["--since", "2026-11-01"]


@pytest.fixture
def store(settings: Settings, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("CONTACTCENTRE_STATE_DIR", str(settings.state_dir))
    with Store(database_url) as made:
        made.migrate()
        yield made


def stored(store: Store, recording: str, caller: str = "+33142") -> Path:
    """A recording whose file lies where it should."""
    call = recorded_call(recording, caller=caller)
    path = Settings().recordings_dir / f"{recording}.wav"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"sound of " + recording.encode())
    digest = sha256(path.read_bytes()).hexdigest()
    kept = {"recording": recording, "path": path.name, "seconds": 3.0, "sha256": digest, "bytes": 9, "channels": 2}
    store.record([*call.events, Event(call.id, 0, DAY + 60, Kind.RECORDING_STORED, kept)])
    return path


def test_a_callers_recordings_are_erased_and_that_they_were_there_stays_known(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [stored(store, "e1", "+33777"), stored(store, "e2", "+33777")]
    other = stored(store, "e3", "+33888")
    assert run(["recording", "erase", "--caller", "+33777", "--reason", "GDPR 17", "--yes"]) == 0
    assert "2 recordings erased" in capsys.readouterr().out
    assert [path.exists() for path in paths] == [False, False]
    assert other.exists()
    assert store.recording("e1")[1].state == "deleted"
    (entry,) = store.audit_entries(subject="e1")
    assert (entry.action, entry.detail["reason"]) == ("recording.delete", "request: GDPR 17")


def test_with_one_on_hold_none_is_erased(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    paths = [stored(store, "h1", "+33555"), stored(store, "h2", "+33555")]
    assert run(["recording", "hold", "h1", "--reason", "case 17"]) == 0
    assert run(["recording", "erase", "--caller", "+33555", "--reason", "asked for", "--yes"]) == 2
    assert "on legal hold: h1" in capsys.readouterr().err
    assert all(path.exists() for path in paths)
    assert run(["recording", "holds", "--json"]) == 0
    (hold,) = json.loads(capsys.readouterr().out)
    assert (hold["recording"], hold["reason"]) == ("h1", "case 17")
    assert run(["recording", "hold", "nothing", "--reason", "x"]) == 2


def test_verify_finds_what_is_gone_and_what_was_changed(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    stored(store, "v1")
    assert run(["recording", "verify", *SINCE, "--json"]) in (0, 1)
    before = len(json.loads(capsys.readouterr().out)["problems"])
    stored(store, "v2").write_bytes(b"something else")
    stored(store, "v3").unlink()
    assert run(["recording", "verify", *SINCE, "--json"]) == 1
    problems = {one["recording"]: one["problem"] for one in json.loads(capsys.readouterr().out)["problems"]}
    assert len(problems) == before + 2
    assert "checksum" in problems["v2"]
    assert "No such file" in problems["v3"]


def test_keys_are_made_rotated_and_rewrapped_and_a_lost_one_is_told(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    def listed() -> list[tuple[str, int]]:
        assert run(["recording", "keys", "list", "--json"]) == 0
        return [(one["state"], one["recordings"]) for one in json.loads(capsys.readouterr().out)]

    assert run(["recording", "keys", "rotate"]) == 2
    assert run(["recording", "keys", "init"]) == 0
    assert run(["recording", "keys", "init"]) == 2
    assert "is the current key" in capsys.readouterr().out
    shelf = Shelf.of(store, Settings())
    keys = {name: shelf.new_key(name) for name in ("k1", "k2")}
    assert listed() == [("current", 2)]
    assert run(["recording", "keys", "rotate"]) == 0
    capsys.readouterr()
    assert listed() == [("older", 2), ("current", 0)]
    assert run(["recording", "keys", "rewrap"]) == 0
    assert "2 recordings rewrapped" in capsys.readouterr().out
    assert listed() == [("older", 0), ("current", 2)]
    assert {name: shelf.new_key(name) for name in keys} == keys
    Settings().recording_keys_file.unlink()
    assert listed() == [("LOST", 2)]
    assert run(["recording", "keys", "init"]) == 2
    assert "bring that key file back" in capsys.readouterr().err
    for name in keys:
        store.destroy_data_key(name)


def voicemail(store: Store, recording: str, caller: str) -> tuple[str, Path]:
    """The contact of somebody who left a message, and its file."""
    call = Call(DAY, caller=caller)
    call.add(1, Kind.RECORDING_STARTED, recording=recording, agent="", queue="support")
    call.add(9, Kind.RECORDING_ENDED, recording=recording, agent="", queue="support", files={}, offsets={})
    call.add(9, Kind.VOICEMAIL, recording=recording, box="support", seconds=8.0).ended(9, "voicemail")
    path = Settings().recordings_dir / f"{recording}.wav"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"a message")
    kept = {"recording": recording, "path": path.name, "seconds": 8.0, "sha256": "", "bytes": 9, "channels": 1}
    store.record([*call.events, Event(call.id, 0, DAY + 60, Kind.RECORDING_STORED, kept)])
    return call.id, path


def test_what_would_be_erased_is_shown_first_and_stays_without_yes(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    path = stored(store, "s1", "+33611")
    _, message = voicemail(store, "s2", "+33611")
    assert run(["recording", "erase", "--caller", "+33611", "--reason", "GDPR 17"]) == 1
    shown = capsys.readouterr().out
    assert "s1  " in shown
    assert "voicemail  support" in shown
    assert "2 recordings: nothing is erased without --yes." in shown
    assert path.exists()
    assert message.exists()
    assert not store.audit_entries(subject="s1", action="recording.delete")
    assert run(["recording", "erase", "--caller", "+33611", "--reason", "GDPR 17", "--yes"]) == 0
    assert not path.exists()
    assert not message.exists(), "messages are a customer's, too"
    assert run(["recording", "erase", "--caller", "+33611", "--reason", "again", "--yes"]) == 0
    assert "Nothing to erase." in capsys.readouterr().out


def test_a_customer_is_found_however_the_number_is_spelled(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    path = stored(store, "n1", "0033155501999")
    assert run(["recording", "erase", "--caller", "+33155501999", "--reason", "asked", "--yes"]) == 0
    assert not path.exists()


def test_all_of_a_contact_is_held_released_and_erased_by_its_id(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    contact, path = voicemail(store, "c1", "+33622")
    assert run(["recording", "hold", contact, "--reason", "case 4"]) == 0
    assert "1 put on hold" in capsys.readouterr().out
    assert run(["recording", "erase", contact, "--reason", "asked", "--yes"]) == 2
    assert "on legal hold: c1" in capsys.readouterr().err
    assert path.exists()
    assert run(["recording", "release", contact, "--reason", "case closed"]) == 0
    assert run(["recording", "erase", contact, "--reason", "asked", "--yes"]) == 0
    assert not path.exists()
    actions = [entry.action for entry in store.audit_entries(subject="c1")]
    assert actions == ["recording.delete", "recording.release", "recording.hold"]
    assert run(["recording", "erase", "0000", "--reason", "asked", "--yes"]) == 2
    assert "there is no recording '0000', and" in capsys.readouterr().err


def test_what_is_still_being_recorded_is_not_erased(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    call = Call(DAY, caller="+33633").queued(0, "support").offered(0)
    store.record(call.add(1, Kind.RECORDING_STARTED, recording="r9", agent="alice", queue="support").events)
    assert run(["recording", "erase", "--caller", "+33633", "--reason", "asked", "--yes"]) == 2
    assert "still being recorded: r9" in capsys.readouterr().err
