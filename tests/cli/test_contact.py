"""contact, why, recording and db as a person at this machine runs them."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest

from contactcentre.archive import Shelf
from contactcentre.cli import group
from contactcentre.cli.moments import Clock, seconds
from contactcentre.domain.agents import Verb
from contactcentre.domain.events import Event, Kind
from contactcentre.domain.ids import uuid7
from contactcentre.domain.routing import Waiting
from contactcentre.domain.site import Agent, Queue, Site
from contactcentre.live import Live, connect
from contactcentre.settings import Settings
from contactcentre.store import Store
from contactcentre.tasks.keeping import Keeper
from contactcentre.tasks.pbx_files import LocalFiles
from tests.store.calls import Call, answered, recorded_call
from tests.store.conftest import migrated, store
from tests.tasks.waves import tone

__all__ = ["migrated", "store"]

Run = Callable[..., str]


@pytest.fixture
def run(settings: Settings, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command; returns what it prints, or with `fails` its complaint."""

    def run(*arguments: str, fails: int = 0) -> str:
        code = group.run(list(arguments))
        said = capsys.readouterr()
        assert code == fails, said
        return said.err if fails else said.out

    return run


def from_json(run: Run, *arguments: str) -> Any:
    return json.loads(run(*arguments, "--json"))


def test_contacts_are_listed_and_one_is_shown_whole(run: Run, store: Store) -> None:
    call = answered(time.time() - 100, caller="+33142")
    store.record(call.events)
    assert "+33142" in run("contact", "list", "--queue", "support")
    assert run("contact", "list", "--queue", "sales").strip() == "No contacts."
    shown = run("contact", "show", call.id[:18])
    for part in (call.id, "waited 20 s (ringing 15 s), talked 1:00, wrap-up 12 s", "alice", "bob"):
        assert part in shown
    found = from_json(run, "contact", "show", call.id)
    assert found["contact"]["outcome"] == "answered"
    assert [event["seq"] for event in found["events"]] == list(range(1, len(call.events) + 1))
    assert found["segments"][0]["kind"] == "ivr"
    (listed,) = from_json(run, "contact", "list", "--since", "1h")["contacts"]
    assert listed["id"] == call.id
    assert listed["arrived"].endswith("+00:00")


@pytest.mark.parametrize("columns", ["80", "200"])
def test_lists_cut_no_word_however_narrow_the_terminal(
    run: Run, store: Store, monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setenv("TTY_COMPATIBLE", "1")  # rich takes what is captured for a terminal
    store.record(answered(time.time() - 100, caller="+33142334455").events)
    lines = click.unstyle(run("contact", "list")).splitlines()
    assert "…" not in "".join(lines)
    assert max(map(len, lines)) <= int(columns)
    assert "+33142334455" in lines[1]
    assert "answered" in lines[1]
    assert ("talked" in lines[0]) is (columns == "200")


def test_what_a_caller_sent_cannot_colour_or_move_the_admins_terminal(run: Run, store: Store) -> None:
    call = answered(time.time() - 100, caller="\x1b[2J\x07[bold]x", caller_name="a\nb\r\u202e")
    store.record(call.events)
    for command in (("contact", "list"), ("contact", "show", call.id), ("why", call.id)):
        said = run(*command)
        assert not {"\x1b", "\x07", "\r", "\u202e"} & set(said)
        assert "[bold]x" in said


@pytest.mark.parametrize("command", ["contact show", "why"])
def test_an_id_that_is_none_unknown_or_not_unique_is_refused_with_help(run: Run, store: Store, command: str) -> None:
    now = time.time()
    store.record([*answered(now).events, *answered(now + 1).events])
    one = store.contacts().contacts[0].id
    assert "no contact id" in run(*command.split(), "hello", fails=2)
    assert "contact list" in run(*command.split(), "ffffffff", fails=2)
    assert "give more of it" in run(*command.split(), one[:6], fails=2)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--since", "tomorrowish"], "tomorrowish"),
        (["--limit", "0"], "limit"),
        (["--outcome", "great"], "great"),
        (["--cursor", "x"], "cursor"),
    ],
)
def test_a_filter_that_makes_no_sense_is_refused(run: Run, store: Store, arguments: list[str], complaint: str) -> None:
    assert complaint in run("contact", "list", *arguments, fails=2)


def test_why_tells_how_a_contact_got_its_agent(run: Run, store: Store) -> None:
    call = answered(time.time() - 100)
    store.record(call.events)
    told = run("why", call.id)
    for part in (
        "lang_fr >= 50",
        "Not bob: lang_fr is 10, asked for 50",
        "alice did not answer after 5 s",
        "bob got it",
    ):
        assert part in told
    assert from_json(run, "why", call.id)["steps"][1]["text"] == "It entered queue support."


def test_why_tells_what_a_waiting_contact_waits_for_now(
    run: Run, store: Store, settings: Settings, redis: object
) -> None:
    site = Site(
        skills={"lang_fr": ""},
        queues={"support": Queue(requires="lang_fr >= 50")},
        agents={"ann": Agent(skills={"lang_fr": 20}), "bea": Agent(skills={"lang_fr": 90})},
    )
    store.save_site(site, "test")
    now = time.time()
    call = Call(now - 30).queued(10)
    store.record(call.events)
    assert settings.redis_url is not None
    with connect(settings.redis_url) as client:
        live = Live(client)
        live.change("ann", Verb.LOGIN, now - 60)
        live.enter(Waiting(call.id, "support", arrived=now - 30, entered=now - 20, node="node1"))
    told = run("why", call.id)
    for part in (
        "Now",
        "waits in queue support",
        "needs lang_fr >= 50",
        "Does not fit: ann",
        "Logged out: bea",
    ):
        assert part in told


def test_why_knows_a_waiting_contact_that_the_history_does_not_have_yet(
    run: Run, store: Store, settings: Settings, redis: object
) -> None:
    store.save_site(Site(queues={"support": Queue()}), "test")
    now, id = time.time(), uuid7(time.time())
    assert settings.redis_url is not None
    with connect(settings.redis_url) as client:
        Live(client).enter(Waiting(id, "support", arrived=now, entered=now, node="node1"))
    told = run("why", id[:20])
    assert "nothing of it is in the history yet" in told
    assert "waits in queue support" in told


def test_why_tells_the_past_also_when_redis_is_away(run: Run, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.save_site(Site(queues={"support": Queue()}), "test")
    call = Call(time.time() - 30).queued(10)
    store.record(call.events)
    monkeypatch.setenv("REDIS_URL", "unix:///nowhere/redis.sock")
    told = run("why", call.id)
    assert "It entered queue support" in told
    assert "cannot be told: redis is away" in told


def stored(store: Store, settings: Settings, tmp_path: Path, recording: str) -> None:
    """A recording that is stored."""

    class Facts:
        def append(self, event: Event) -> None:
            store.record([event])

    pbx = tmp_path / "pbx"
    for side in ("left", "right"):
        tone(pbx / f"{recording}-{side}.wav", 440, 1)
    store.record(recorded_call(recording, time.time() - 50).events)
    Keeper(store, Facts(), Shelf.of(store, settings), LocalFiles(pbx)).store_recording(*store.recording(recording))


def test_a_recording_is_heard_only_by_whom_it_may_and_every_access_is_noted(
    run: Run, store: Store, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    stored(store, settings, tmp_path, "r1")
    store.add_user("ada", "x", "auditor")
    store.add_user("gus", "x", "agent")
    store.add_user("old", "x", "admin")
    store.change_user("old", disabled=True)
    assert "there is no user 'eve'" in run("recording", "export", "r1", "--as", "eve", fails=2)
    assert "may not listen" in run("recording", "export", "r1", "--as", "gus", fails=2)
    assert "disabled" in run("recording", "export", "r1", "--as", "old", fails=2)
    assert not (tmp_path / "r1.wav").exists()
    assert "1" in run("recording", "export", "r1", "--as", "ada")
    copy = tmp_path / "r1.wav"
    assert copy.read_bytes() == (settings.recordings_dir / store.recording("r1")[1].path).read_bytes()
    assert copy.stat().st_mode & 0o777 == 0o600
    assert "is there already" in run("recording", "export", "r1", "--as", "ada", fails=2)
    entries = [entry for entry in store.audit_entries(subject="r1") if entry.at > time.time() - 60]
    assert [(entry.actor, entry.action) for entry in entries] == [
        ("ada", "recording.export"),
        ("old", "recording.refuse"),
        ("gus", "recording.refuse"),
    ]
    shown = from_json(run, "recording", "show", "r1")
    assert (shown["state"], shown["access"][0]["who"]) == ("stored", "ada")


def test_recordings_are_listed_with_their_state_and_one_without_a_file_is_not_exported(
    run: Run, store: Store, settings: Settings, tmp_path: Path
) -> None:
    stored(store, settings, tmp_path, "r1")
    store.record(recorded_call("r2", time.time() - 20).events)
    store.add_user("ada", "x", "auditor")
    assert [one["state"] for one in from_json(run, "recording", "list")] == ["ended", "stored"]
    assert "r1" in run("recording", "list", "--queue", "support")
    output = ["--output", str(tmp_path / "x.wav")]
    assert "it is ended" in run("recording", "export", "r2", "--as", "ada", *output, fails=2)
    assert "there is no recording" in run("recording", "export", "../x", "--as", "ada", *output, fails=2)
    (settings.recordings_dir / store.recording("r1")[1].path).unlink()
    assert "is not there" in run("recording", "export", "r1", "--as", "ada", *output, fails=2)


def test_the_schema_is_brought_up_to_date_and_says_so(run: Run, database_url: str) -> None:
    assert "schema" in run("db", "upgrade")
    assert "as it was" in run("db", "upgrade")
    assert from_json(run, "db", "status")["schema"]


def test_refused_facts_are_shown_and_history_is_derived_again(run: Run, store: Store) -> None:
    assert "None" in run("db", "rejected")
    call = answered(time.time() - 100)
    store.record([*call.events, Event("no id\x1b", 1, 0.0, Kind.ENDED, {})])
    assert "badly formed" in run("db", "rejected")
    assert len(from_json(run, "db", "rejected")) == 1
    assert "1 contacts" in run("db", "refold")


def test_times_are_read_and_written_in_the_sites_zone() -> None:
    clock = Clock("Europe/Paris")
    assert clock.read("2026-07-01 12:00") == clock.read("2026-07-01T10:00+00:00")
    assert clock.date_and_time(clock.read("2026-07-01 12:00")) == "2026-07-01 12:00:00"
    assert clock.read("today", clock.read("2026-07-01 00:30")) == clock.read("2026-07-01")
    assert clock.read("yesterday", clock.read("2026-03-29 12:00")) == clock.read("2026-03-28")
    assert clock.read("90m", 10_000) == 4_600
    assert [seconds(value) for value in (None, 0, 59.6, 61, 3661)] == ["", "0 s", "1:00", "1:01", "1:01:01"]


def test_why_says_that_a_phone_is_not_registered_and_that_no_controller_lives(
    run: Run, store: Store, settings: Settings, redis: object
) -> None:
    """What the controller finds out every two seconds reaches whoever asks."""
    store.save_site(Site(queues={"support": Queue()}, agents={"anna": Agent(), "ben": Agent()}), "test", "")
    client = connect(settings.redis_url or "")
    live, now = Live(client), time.time()
    waits = uuid7(now)
    for name in ("anna", "ben"):
        live.change(name, Verb.LOGIN, now)
    live.enter(Waiting(waits, "support", node="node1", arrived=now, entered=now))
    assert "no controller of node1 is alive" in run("why", waits)
    assert "No controller" in run("why", "--agent", "anna")
    signs = {"node": "node1", "at": now, "linked": True, "unreachable": ["anna"]}
    client.set("cc:node:node1", json.dumps(signs))
    said = run("contact", "why", waits)
    assert "Phone not registered or not answering: anna." in said
    assert "Agent ben gets it now" in said
    assert "controller" not in said
    assert "not registered" in run("why", "--agent", "anna")
    assert "not registered" not in "".join(from_json(run, "why", "--agent", "ben")["now"]["lines"])
    client.set("cc:node:node1", json.dumps({**signs, "linked": False}))
    assert "no link to its PBX" in run("why", waits)
    assert "name a contact" in run("why", fails=2)
    assert "there is no agent zoe" in run("why", "--agent", "zoe", fails=2)


def test_how_a_contact_ended_is_said_shown_found_and_counted(run: Run, store: Store) -> None:
    call = answered(time.time() - 100, caller="+33612407755")
    store.record(call.events)
    rules = {"dispositions": {"solved": "Solved", "again": {"callback": True, "final": False}}, "script": {"order": {}}}
    store.save_site(Site(queues={"support": Queue.model_validate(rules)}), "test")
    assert call.id[:18] in run("contact", "list", "--disposition", "-")
    assert "not one of this queue's: solved, again" in run("contact", "result", call.id, "--disposition", "x", fails=2)
    run("contact", "result", call.id[:18], "--disposition", "solved", "--note", "His cable.", "--answer", "order=A-17")
    shown = run("contact", "show", call.id)
    for part in ("His cable. (support, cli:", "A-17 (support, cli:", "bob: Solved (support)"):
        assert part in shown
    found = from_json(run, "contact", "show", call.id)
    assert (found["said"][0]["code"], found["notes"][0]["answers"]["order"]["value"]) == ("solved", "A-17")
    assert call.id[:18] in run("contact", "list", "--disposition", "solved")
    assert from_json(run, "queue", "dispositions") == [
        {"queue": "support", "code": "solved", "disposition": "Solved", "contacts": 1}
    ]
    assert "which number" not in run(
        "contact", "result", call.id, "--disposition", "again", "--callback-at", "2099-01-01", fails=2
    )
    soon = time.strftime("%Y-%m-%d %H:%M", time.gmtime(time.time() + 7200))
    run("contact", "result", call.id, "--disposition", "again", "--callback-at", soon)
    assert [one.said.number for one in store.promises()] == ["+33612407755"]
    assert "passed through: support" in run("contact", "result", call.id, "--queue", "sales", fails=2)
    assert {one.action for one in store.audit_entries(subject=call.id)} == {"contact.result"}


def test_a_customer_is_written_down_found_merged_handed_out_and_erased(run: Run, store: Store) -> None:
    call = answered(time.time() - 100, caller="+33612407755", caller_name="Marie")
    store.record(call.events)
    store.save_site(Site.model_validate({"settings": {"country": "FR", "customer_fields": {"account": {}}}}), "test")
    id = run("customer", "set", "06 12 40 77 55", "--name", "Marie", "--field", "account=17", "--tag", "gold").strip()
    assert run("customer", "set", id, "--name", "Marie") == ""
    assert "no such field" in run("customer", "set", id, "--field", "colour=red", fails=2)
    assert from_json(run, "customer", "list", "--text", "mari")["customers"][0]["id"] == id
    other = run("customer", "set", "+33142968100", "--notes", "Rude").strip()
    assert "nothing is known of" in run("customer", "merge", id, "+4930551207", fails=2)
    run("customer", "merge", id, "01 42 96 81 00")
    shown = run("customer", "show", other)
    for part in (id, "+33612407755, +33142968100", "gold", "Rude", call.id[:18]):
        assert part in shown
    found = json.loads(run("customer", "export", id))
    assert (found["customer"]["fields"], found["contacts"][0]["contact"]["id"]) == ({"account": "17"}, call.id)
    run("customer", "erase", id, "--reason", "asked", fails=1)
    assert store.contact(call.id).caller_name == "Marie"
    assert "1 contact, 0 recordings erased" in run("customer", "erase", id, "--reason", "asked", "--yes")
    assert "there is no customer" in run("customer", "show", id, fails=2)
    assert store.contact(call.id).caller_name == ""
