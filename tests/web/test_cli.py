"""`contactcentre user` and `contactcentre web`."""

import json
import time

import pytest
from click.testing import CliRunner

from contactcentre.cli.group import run
from contactcentre.cli.user import command
from contactcentre.settings import Settings
from contactcentre.store import Store
from contactcentre.web import accounts, build
from contactcentre.web.app import WebServices

pytestmark = pytest.mark.usefixtures("settings")


def user(*arguments: str) -> str:
    done = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_an_invitation_prints_a_link_that_sets_the_password(store: Store) -> None:
    output = user("invite", "sue", "--role", "supervisor")
    token = output.strip().rpartition("#")[2]
    holder = accounts.holder(store, token, time.time())
    assert holder is not None
    assert (holder.name, holder.role) == ("sue", "supervisor")
    assert json.loads(user("list", "--json")) == [
        {"name": "sue", "role": "supervisor", "agent": "", "queues": "all", "state": "invited"}
    ]
    entry = store.audit_entries(subject="sue", action="user.invite", limit=1)[0]
    assert entry.actor.startswith("cli:")


def test_a_reset_makes_the_older_link_useless(store: Store) -> None:
    first = user("invite", "sue", "--role", "agent").strip().rpartition("#")[2]
    second = user("reset", "sue").strip().rpartition("#")[2]
    assert accounts.holder(store, first, time.time()) is None
    assert accounts.holder(store, second, time.time()) is not None


def test_disabling_and_another_role_end_the_sessions(store: Store, web: WebServices) -> None:
    store.add_user("sue", accounts.hash_password("violet tractor pondering"), "agent")
    for change in (("disable", "sue"), ("enable", "sue"), ("role", "sue", "supervisor")):
        token = web.sessions.open("sue", time.time())
        user(*change)
        ended = web.sessions.user_of(token, time.time()) is None
        assert ended == (change[0] != "enable")
    assert "supervisor" in user("list")


def test_an_account_is_an_agent_of_the_site_or_nobody(store: Store, web: WebServices) -> None:
    store.add_user("anna.f", "", "agent")
    user("agent", "anna.f", "anna")
    assert json.loads(user("list", "--json"))[0]["agent"] == "anna"
    assert store.audit_entries(subject="anna.f", action="user.change")[0].detail == {"agent": "anna"}
    assert run(["user", "agent", "anna.f", "nobody"]) == 2
    user("agent", "anna.f")
    assert [one.agent for one in store.users()] == [""]


def test_an_account_is_limited_to_queues_of_the_site_and_its_sessions_end(store: Store, web: WebServices) -> None:
    user("invite", "sue", "--role", "supervisor", "--queue", "billing", "--queue", "support")
    user("invite", "tom", "--role", "auditor")
    assert {one["name"]: one["queues"] for one in json.loads(user("list", "--json"))} == {
        "sue": "billing, support",
        "tom": "all",
    }
    token = web.sessions.open("tom", time.time())
    assert "tom sees billing now" in user("queues", "tom", "billing")
    assert web.sessions.user_of(token, time.time()) is None
    assert "sue sees all queues now" in user("queues", "sue", "--all")
    assert {one.name: one.queues for one in store.users()} == {"sue": (), "tom": ("billing",)}
    assert store.audit_entries(subject="tom", action="user.change")[0].detail == {"queues": ["billing"]}
    assert run(["user", "queues", "tom", "nowhere"]) == run(["user", "queues", "tom"]) == 2
    assert run(["user", "invite", "uma", "--role", "agent", "--queue", "nowhere"]) == 2
    assert [one.name for one in store.users()] == ["sue", "tom"]


def test_an_administrator_who_is_limited_is_not_the_one_that_the_first_run_looks_for(
    store: Store, web: WebServices, settings: Settings
) -> None:
    store.add_user("admin", "hash", "admin")
    assert accounts.first_run_link(store, settings) is None
    user("queues", "admin", "billing")
    assert accounts.first_run_link(store, settings)
    assert store.users()[0].queues == ()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["user", "invite", "Sue Smith", "--role", "agent"], "name 'Sue Smith'"),
        (["user", "invite", "sue", "--role", "root"], "'root'"),
        (["user", "reset", "nobody"], "no user named 'nobody'"),
        (["user", "role", "nobody", "agent"], "no user named 'nobody'"),
    ],
)
def test_what_makes_no_sense_is_refused_with_code_2(
    arguments: list[str], said: str, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 2
    assert said in capsys.readouterr().err
    assert store.users() == []


def test_without_built_assets_web_says_how_to_build_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], settings: Settings
) -> None:
    monkeypatch.setattr(build, "DIRECTORY", settings.state_dir)
    assert run(["web"]) == 2
    assert "npm ci && npm run build" in capsys.readouterr().err


def test_a_public_address_stands_in_links_and_a_listening_on_everything_does_not(settings: Settings) -> None:
    public = settings.model_copy(update={"web_url": "https://centre.example"})
    assert accounts.link_url(public, "t") == "https://centre.example/welcome#t"
    everywhere = settings.model_copy(update={"web_bind": "0.0.0.0"})
    assert "0.0.0.0" not in accounts.link_url(everywhere, "t")
    assert accounts.link_url(settings.model_copy(update={"web_bind": "::1"}), "t") == "http://[::1]:8800/welcome#t"
