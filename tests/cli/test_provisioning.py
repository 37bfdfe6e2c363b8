"""The commands that show and change the site, with a real Asterisk, PostgreSQL and Redis behind them."""

import io
import itertools
import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml

from contactcentre.cli import group
from contactcentre.domain.agents import AgentState, Verb
from contactcentre.embedded import Services
from contactcentre.lab import Lab, can_have_asterisk
from contactcentre.live import Live, connect
from contactcentre.settings import Settings
from contactcentre.store import Store
from tests.provision.sites import document

_numbers = itertools.count(1)


@pytest.fixture
def database_url(services: Services) -> Iterator[str]:
    """An empty database for each test: the versions of a site cannot be taken back."""
    name = f"provisioning_{next(_numbers)}"
    with psycopg.connect(services.database_url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
        yield services.database_url.replace("/contactcentre?", f"/{name}?")
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@dataclass
class Console:
    """Runs commands as a person at this machine would, without a terminal."""

    settings: Settings
    lab: Lab
    capsys: pytest.CaptureFixture[str]
    monkeypatch: pytest.MonkeyPatch
    tmp_path: Path

    def __call__(self, *arguments: str, fails: int = 0, stdin: str = "") -> str:
        self.monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        code = group.run(list(arguments))
        said = self.capsys.readouterr()
        assert code == fails, said.err or said.out
        return said.err if fails else said.out

    def json(self, *arguments: str) -> Any:
        return json.loads(self(*arguments, "--json"))

    def site_file(self, content: dict[str, Any]) -> str:
        path = self.tmp_path / "site.yaml"
        path.write_text(yaml.safe_dump(content))
        return str(path)


@pytest.fixture
def console(
    settings: Settings,
    redis: object,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Iterator[Console]:
    """Nothing is provisioned, and nothing is live."""
    if reason := can_have_asterisk():
        pytest.skip(reason)
    lab = Lab(settings.state_dir / "lab")
    lab.start(until_parent_dies=True)
    yield Console(settings, lab, capsys, monkeypatch, tmp_path)
    lab.stop()


@pytest.fixture
def live(redis: object, services: Services) -> Live:
    """What the commands see; empty when the test starts."""
    return Live(connect(services.redis_url))


@pytest.fixture
def provisioned(console: Console) -> Console:
    console("apply", console.site_file(document()), "--yes")
    return console


def test_a_site_is_planned_applied_and_then_as_it_should_be(console: Console) -> None:
    file = console.site_file(document())
    planned = console.json("plan", file)
    assert not planned["empty"]
    assert "+exten = 101,1,Dial(PJSIP/alice,30)" in planned["diff"]
    assert "Unable to find object alice" in console.lab.rx("pjsip show endpoint alice")
    said = console("apply", file, "--yes")
    assert "the site is at version 1" in said
    assert "Endpoint:  alice" in console.lab.rx("pjsip show endpoint alice")
    assert console.json("plan", file)["empty"]
    assert "Nothing to change" in console("apply", file, "--yes")
    assert [row["version"] for row in console.json("site", "versions")] == [1]


def test_nothing_is_applied_without_a_yes(console: Console) -> None:
    file = console.site_file(document())
    assert "nobody can be asked here" in console("apply", file, fails=2)
    console("apply", file, "--dry-run", "--yes")
    assert "Unable to find object alice" in console.lab.rx("pjsip show endpoint alice")


def test_a_bad_file_is_refused_with_every_line_and_changes_nothing(console: Console) -> None:
    file = console.site_file(document(queues__sales__requires="chess", dids__33155500001={"flow": "main"}))
    said = console("apply", file, "--yes", fails=2)
    assert "queues.sales.requires: there is no skill chess" in said
    assert "dids.33155500001: is the same number as the DID +33155500001" in said
    assert "site.yaml:" in said
    assert console.json("site", "versions") == []


def test_a_prompt_that_nobody_can_hear_is_refused(console: Console) -> None:
    play = {
        "start": "a",
        "nodes": {"a": {"type": "play", "prompt": "nobody-said-this", "next": "b"}, "b": {"type": "hangup"}},
    }
    said = console("plan", console.site_file(document(flows__other=play)), fails=2)
    assert "flows.other.nodes.a" in said
    assert "nobody-said-this" in said


def test_what_waiting_callers_hear_and_press_is_set_from_the_command_line(provisioned: Console) -> None:
    run = provisioned
    ways = ("--keys", "1=callback", "--keys", "9=queue:sales", "--overflow", "full=voicemail:support")
    heard = ("--prompts", "please-wait,all-busy", "--prompts-every", "45", "--announce-wait", "--busy-delay", "30")
    run("queue", "set", "support", *ways, *heard, "--yes")
    queue = run.json("queue", "show", "support")
    assert queue["keys"] == {"1": "callback", "9": "queue:sales"}
    assert (queue["overflow"], queue["prompts"]) == ({"full": "voicemail:support"}, ["please-wait", "all-busy"])
    assert (queue["announce_wait"], queue["busy_delay"], queue["reject_delay"]) == (True, 30.0, None)
    assert "queues.support.keys.9" in run("queue", "remove", "sales", "--yes", fails=2)
    run("queue", "set", "support", "--keys", "9=", "--busy-delay", "", "--yes")
    queue = run.json("queue", "show", "support")
    assert (queue["keys"], queue["busy_delay"]) == ({"1": "callback"}, None)
    said = run("queue", "set", "support", "--keys", "12=callback", "--overflow", "late=callback", "--yes", fails=2)
    assert "'12' is not one key: 0-9, * or #" in said
    assert "queues.support.overflow" in said
    assert "there is no queue nope" in run("queue", "set", "support", "--keys", "2=queue:nope", "--yes", fails=2)


def test_one_thing_at_a_time_can_be_added_changed_shown_and_removed(provisioned: Console) -> None:
    run = provisioned
    run("skill", "add", "lang_es", "--description", "Spanish", "--yes")
    run("agent", "add", "carmen", "--full-name", "Carmen Ruiz", "--skills", "lang_es=90", "--number", "103", "--yes")
    assert "Endpoint:  carmen" in run.lab.rx("pjsip show endpoint carmen")
    run("queue", "add", "spain", "--requires", "lang_es", "--relax", "20: any", "--no-record", "--yes")
    assert "contactcentre-spain has" in run.lab.rx("queue show contactcentre-spain")
    run("did", "add", "+34911000000", "--flow", "main", "--fallback-queue", "spain", "--yes")
    run("trunk", "add", "iberia", "--host", "127.0.0.7", "--codecs", "alaw,g722", "--yes")
    run("agent", "set", "carmen", "--skills", "lang_fr=40", "--skills", "lang_es=", "--number", "", "--yes")
    shown = run.json("agent", "show", "carmen")
    assert (shown["skills"], shown["number"], shown["full_name"]) == ({"lang_fr": 40}, None, "Carmen Ruiz")
    queue = run.json("queue", "show", "spain")
    assert (queue["record"], queue["relax"]) == (False, [{"after": 20.0, "requires": "any", "agents": []}])
    assert queue["used_by"] == ["dids.+34911000000.fallback_queue"]
    assert [row["name"] for row in run.json("trunk", "list")] == ["carrier", "iberia"]
    assert run.json("trunk", "show", "iberia")["codecs"] == ["alaw", "g722"]
    said = run("queue", "remove", "spain", "--yes", fails=2)
    assert "it is used by: dids.+34911000000.fallback_queue" in said
    for kind, name in (
        ("did", "+34911000000"),
        ("queue", "spain"),
        ("agent", "carmen"),
        ("trunk", "iberia"),
        ("skill", "lang_es"),
    ):
        run(kind, "remove", name, "--yes")
        assert name not in [row["name"] for row in run.json(kind, "list")]
    assert "Unable to find object carmen" in run.lab.rx("pjsip show endpoint carmen")
    assert run.json("plan")["empty"]


BAD_INPUT: list[tuple[tuple[str, ...], str]] = [
    (("agent", "add", "alice"), "agent alice is there already"),
    (("agent", "set", "zoe", "--number", "1"), "there is no agent zoe; known: alice, bob"),
    (("agent", "set", "bob"), "nothing to set"),
    (("agent", "set", "bob", "--skills", "chess=3"), "agents.bob.skills.chess: there is no skill chess"),
    (("agent", "set", "bob", "--skills", "chess"), "is not NAME=VALUE"),
    (("agent", "set", "bob", "--skills", "lang_fr=101"), "less than or equal to 100"),
    (("agent", "add", "Eve"), "is not a name: lower case letters"),
    (("agent", "add", "eve", "--full-name", "Eve\n[evil]"), "is not a person's name"),
    (("agent", "add", "general"), "general is a reserved name"),
    (("did", "add", "33155500001", "--flow", "main"), "is the same number as the DID +33155500001"),
    (("did", "add", "100"), "dids.100.flow: is missing"),
    (("trunk", "add", "t"), "trunks.t.host: is missing"),
    (("queue", "set", "sales", "--relax", "soon"), "is not SECONDS: EXPRESSION"),
    (("queue", "set", "sales", "--requires", "billing >="), "expected a level from 0 to 100"),
    (("skill", "remove", "billing"), "used by: agents.alice.skills, queues.support.requires"),
    (("skill", "set", "billing"), "nothing to set"),
    (("apply", "--rollback", "7"), "there is no version 7"),
]


def test_bad_input_is_named_and_changes_nothing(provisioned: Console, subtests: pytest.Subtests) -> None:
    for arguments, said in BAD_INPUT:
        with subtests.test(arguments=arguments):
            assert said in provisioned(*arguments, "--yes", fails=2)
    assert len(provisioned.json("site", "versions")) == 1


def test_a_rollback_brings_back_a_version_and_zero_is_before_everything(provisioned: Console) -> None:
    run = provisioned
    run("agent", "set", "bob", "--number", "", "--yes")
    run("agent", "add", "carol", "--yes")
    run("apply", "--rollback", "--yes")
    assert [row["name"] for row in run.json("agent", "list")] == ["alice", "bob"]
    assert "Unable to find object carol" in run.lab.rx("pjsip show endpoint carol")
    run("apply", "--rollback", "1", "--yes")
    assert run.json("agent", "show", "bob")["number"] == "102"
    run("apply", "--rollback", "0", "--yes")
    assert "Unable to find object alice" in run.lab.rx("pjsip show endpoint alice")
    assert [row["version"] for row in run.json("site", "versions")] == [6, 5, 4, 3, 2, 1]


def test_a_pbx_that_was_changed_by_hand_shows_in_a_plan(provisioned: Console) -> None:
    file = provisioned.settings.state_dir / "lab/etc/contactcentre/queues.conf"
    file.write_text(file.read_text().replace("timeout = 5", "timeout = 50"))
    assert "-timeout = 50\n+timeout = 5\n" in provisioned.json("plan")["diff"]
    provisioned("apply", "--yes")
    assert provisioned.json("plan")["empty"]


def test_a_phones_password_is_shown_only_when_asked_for_and_the_asking_is_kept(provisioned: Console) -> None:
    run = provisioned
    with Store(run.settings.database_url or "") as store:
        password = store.secret("agent/alice") or ""
    assert len(password) >= 24
    assert password not in run("agent", "secret", "alice")
    assert password in run("agent", "secret", "alice", "--reveal")
    with Store(run.settings.database_url or "") as store:
        assert [entry.subject for entry in store.audit_entries(action="agent.secret")] == ["agent alice"]


def test_a_secret_is_read_from_standard_input_and_never_printed(provisioned: Console) -> None:
    run = provisioned
    said = run("secret", "set", "agent/alice", stdin="the-phones-own-word\n")
    assert "the-phones-own-word" not in said
    planned = run.json("plan")
    assert "+password = ******** (new)" in planned["diff"]
    assert "the-phones-own-word" not in planned["diff"]
    run("apply", "--yes")
    assert "the-phones-own-word" in (run.settings.state_dir / "lab/etc/contactcentre/pjsip.conf").read_text()
    refused = run("secret", "set", "agent/alice", stdin="two words;and more", fails=2)
    assert "two words" not in refused
    assert "is no secret's name" in run("secret", "set", "../etc", stdin="x" * 20, fails=2)
    assert "add --reveal" in run("secret", "show", "agent/alice", fails=2)
    assert run("secret", "show", "agent/alice", "--reveal") == "the-phones-own-word\n"
    run("secret", "rotate", "agent/bob")
    run("plan", "--exit-code", fails=1)
    assert {row["name"]: row["state"] for row in run.json("secret", "list")}["agent/bob"] == "set"


def test_an_agents_state_can_be_seen_and_changed(provisioned: Console, live: Live) -> None:
    run = provisioned
    assert run.json("agent", "status", "alice")["state"] == "logged_out"
    assert run.json("agent", "login", "alice")[0]["state"] == "available"
    assert run("agent", "pause", "alice", "--reason", "lunch") == "alice is paused (lunch)\n"
    assert live.agent("alice").reason == "lunch"
    assert [row["state"] for row in run.json("agent", "status")] == ["paused", "logged_out"]
    assert "is not one of: break, lunch" in run("agent", "pause", "alice", "--reason", "tea", fails=2)
    assert "there is no agent zoe" in run("agent", "login", "zoe", fails=2)
    assert "unpause is not possible" in run("agent", "unpause", "bob", fails=2)
    assert run.json("agent", "unpause", "alice")[0]["state"] == "available"
    assert "agent alice is available: extend is not possible" in run("agent", "extend", "alice", fails=2)
    assert "2000.0 is not in the range" in run("agent", "extend", "alice", "2000", fails=2)
    now = time.time()
    live.change("alice", Verb.OFFER, now, contact_id="c1", queue="support", token="t", deadline=now + 60)
    live.change("alice", Verb.ACCEPT, now, token="t")
    before = live.change("alice", Verb.FINISH, now, token="t", wrap_up=600.0)
    assert re.fullmatch(r"alice is in wrap-up for 1\d:\d\d more\n", run("agent", "extend", "alice"))
    assert run.json("agent", "extend", "alice", "30")[0]["deadline"] == before.deadline + 90
    assert "at most 1800 s from now are allowed" in run("agent", "extend", "alice", "1800", fails=2)
    assert run.json("agent", "logout", "alice")[0]["state"] == "logged_out"


def test_several_agents_log_in_at_once_and_none_if_one_is_unknown(provisioned: Console, live: Live) -> None:
    assert "there is no agent zoe" in provisioned("agent", "login", "alice", "zoe", fails=2)
    assert live.agent("alice").state is AgentState.LOGGED_OUT
    assert provisioned("agent", "login", "alice", "bob") == "alice is available\nbob is available\n"


def test_an_agent_chooses_the_device_at_login_and_changes_it_while_at_work(provisioned: Console) -> None:
    refused = provisioned("agent", "login", "alice", "bob", "--device", "webrtc", fails=2)
    assert "alice has no softphone" in refused
    assert {one["device"] for one in provisioned.json("agent", "status")} == {"phone"}
    provisioned("agent", "set", "alice", "--webrtc", "--external", "+33611223344", "--yes")
    assert provisioned.json("agent", "status", "alice")["called"] != "alice-web"
    assert "called by webrtc" in provisioned("agent", "login", "alice", "--device", "webrtc")
    seen = provisioned.json("agent", "status", "alice")
    assert (seen["device"], seen["called"], seen["phone"]) == ("webrtc", "alice-web", "free")
    provisioned("agent", "login", "alice", "--device", "phone")
    assert provisioned.json("agent", "status", "alice")["called"] == "alice"
    assert "begins with none of" in provisioned("agent", "login", "alice", "--device", "external:+33699999999", fails=2)


def test_an_agent_who_is_removed_and_added_again_is_not_logged_in(provisioned: Console, live: Live) -> None:
    provisioned("agent", "login", "alice")
    provisioned("agent", "remove", "alice", "--yes")
    assert "alice" not in live.agents()
    provisioned("agent", "add", "alice", "--yes")
    assert provisioned.json("agent", "status", "alice")["state"] == "logged_out"


def test_a_new_version_is_told_to_the_controllers(provisioned: Console, live: Live) -> None:
    before = live.snapshot().cursor
    provisioned("agent", "add", "carol", "--yes")
    assert [change.kind for change in live.changes(before, block_seconds=1)] == ["site"]


def test_without_a_pbx_the_plan_is_shown_and_the_apply_says_what_is_missing(
    settings: Settings,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    file = tmp_path / "site.yaml"
    file.write_text(yaml.safe_dump(document()))
    run: Callable[..., int] = group.run
    assert run(["plan", str(file)]) == 2
    assert "no PBX is configured" in capsys.readouterr().err
    etc = tmp_path / "etc"
    etc.mkdir()
    monkeypatch.setenv("CONTACTCENTRE_PBX_ETC_DIR", str(etc))
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    assert run(["plan", str(file)]) == 0
    assert "+++ " in capsys.readouterr().out
    assert run(["apply", str(file), "--yes"]) == 1
    assert "there is no `asterisk` program" in capsys.readouterr().err
    assert [path.name for path in etc.rglob("*.conf")] == []


def test_the_example_site_can_be_provisioned(console: Console) -> None:
    example = Path(__file__).parents[2] / "dialplans/sites/example.yaml"
    console("apply", str(example), "--yes")
    assert len(console.json("agent", "list")) == 6
    assert {row["name"] for row in console.json("queue", "list")} == {"sales", "support"}
    assert console.json("plan", str(example))["empty"]


def test_what_is_provisioned_is_shown_also_where_no_pbx_is(
    provisioned: Console, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        "contactcentre.cli.provisioning.pbx_target", lambda settings, site: pytest.fail("the PBX is asked")
    )
    assert "alice" in provisioned("agent", "list")
    for noun, name in (("agent", "alice"), ("queue", "sales"), ("skill", "billing")):
        assert name in provisioned(noun, "show", name)
    assert "PASSWORD" in provisioned("agent", "secret", "alice", "--reveal").upper()


def test_a_did_is_found_in_each_way_in_which_its_number_is_written(provisioned: Console) -> None:
    for typed in ("+33155500001", "0155500001", "0033155500001"):
        assert provisioned.json("did", "show", typed)["name"] == "+33155500001"
    assert "there is no DID 0155500099" in provisioned("did", "show", "0155500099", fails=2)
    provisioned("did", "set", "0155500001", "--language", "fr", "--yes")
    assert provisioned.json("did", "show", "+33155500001")["language"] == "fr"
    provisioned("did", "remove", "0155500001", "--yes")
    assert "+33155500001" not in {row["name"] for row in provisioned.json("did", "list")}


def test_a_plan_ends_with_what_happens_in_short(console: Console) -> None:
    planned = console("plan", console.site_file(document())).splitlines()
    short = planned[planned.index("") + 1 :]
    assert [line.partition(":")[0] for line in short][:-1] == sorted(
        (line.partition(":")[0] for line in short[:-1]), key=["note", "file", "reload"].index
    )
    assert any(line.startswith("note: new secrets are made for agent/alice, ") for line in short)
    assert any(line.endswith("pjsip.conf is made") for line in short)
    assert short[-1].startswith("then ")


def test_a_secret_that_nothing_needs_is_not_made_by_rotating_it(provisioned: Console) -> None:
    assert "nothing needs one" in provisioned("secret", "rotate", "agent/nobody", fails=2)
    assert "agent/nobody" not in {row["name"] for row in provisioned.json("secret", "list")}
    before = provisioned("secret", "show", "agent/alice", "--reveal")
    provisioned("secret", "rotate", "agent/alice")
    assert provisioned("secret", "show", "agent/alice", "--reveal") != before


def test_a_version_says_in_words_what_made_it(provisioned: Console) -> None:
    provisioned("skill", "add", "chess", "--yes")
    provisioned("skill", "remove", "chess", "--yes", "--comment", "nobody plays")
    newest, second, first = provisioned.json("site", "versions")
    assert (newest["comment"], second["comment"]) == ("nobody plays", "add skill chess")
    assert first["comment"].startswith("apply ")
    assert newest["at"].endswith("+00:00")
    assert "there is nothing to go back" not in provisioned("apply", "--rollback", "--dry-run")


def test_a_site_file_is_checked_for_programs_too(console: Console) -> None:
    assert console.json("site", "check", console.site_file(document())) == []
    file = console.site_file(document(queues__sales__requires="chess"))
    assert group.run(["site", "check", file, "--json"]) == 2
    (problem,) = json.loads(console.capsys.readouterr().out)
    assert problem["where"] == "queues.sales.requires"
    assert "nothing was applied yet" in console("apply", "--rollback", fails=2)


def test_an_agents_state_is_told_in_words_and_whether_the_phone_is_registered(provisioned: Console, live: Live) -> None:
    provisioned("agent", "login", "bob")
    signs = {"node": "node1", "at": 0, "linked": True, "unreachable": ["bob"]}
    live.redis.set("cc:node:node1", json.dumps(signs))
    alice, bob = provisioned("agent", "status").splitlines()[1:]
    assert "logged out" in alice
    assert bob.split()[:2] == ["bob", "available"]
    assert bob.endswith("not registered")
    assert [row["phone_away"] for row in provisioned.json("agent", "status")] == [False, True]
    assert "agent alice is logged out: pause" in provisioned("agent", "pause", "alice", fails=2)
