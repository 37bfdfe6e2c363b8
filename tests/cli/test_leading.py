"""What supervisors do with agents and tell them, as a person at this machine does it."""

import json
import time
from collections.abc import Callable, Iterator

import pytest
from redis import Redis

from contactcentre.cli import group
from contactcentre.domain import day
from contactcentre.domain.agents import Verb
from contactcentre.domain.site import Site
from contactcentre.embedded import Services
from contactcentre.live import Live, connect
from contactcentre.settings import Settings
from contactcentre.store import Store
from tests.store.conftest import migrated, store

__all__ = ["migrated", "store"]

Run = Callable[..., str]
SITE = Site.model_validate(
    {
        "settings": {"timezone": "Europe/Paris"},
        "skills": {"billing": "", "lang_fr": ""},
        "queues": {"billing": {"requires": "billing"}},
        "agents": {"anna": {"skills": {"lang_fr": 90}}, "ben": {"skills": {"billing": 40}}},
    }
)


@pytest.fixture
def live(redis: "Redis", services: Services) -> Iterator[Live]:
    client = connect(services.redis_url)
    yield Live(client)
    client.close()


@pytest.fixture
def run(settings: Settings, store: Store, live: Live, capsys: pytest.CaptureFixture[str]) -> Run:
    store.save_site(SITE, "test")

    def run(*arguments: str, fails: int = 0) -> str:
        code = group.run(list(arguments))
        said = capsys.readouterr()
        assert code == fails, said
        return said.err if fails else said.out

    return run


def test_a_pause_says_whose_it_was_and_why_and_ready_ends_it(run: Run, live: Live, store: Store) -> None:
    live.change("anna", Verb.LOGIN, time.time())
    run("agent", "pause", "anna", "--note", "Room 4.")
    status = live.agent("anna")
    assert status.by.startswith("cli:")
    assert status.note == "Room 4."
    assert run("agent", "ready", "anna") == "anna is available\n"
    actions = [entry.action for entry in store.audit_entries(subject="agent anna", limit=2)]
    assert actions == ["agent.unpause", "agent.pause"]


def test_skills_for_the_day_are_given_shown_and_taken_back(run: Run, live: Live) -> None:
    midnight = day.next_midnight("Europe/Paris", time.time())
    run("agent", "skills", "anna", "billing=60", "lang_fr=")
    status = live.agent("anna")
    assert day.skills_now(status, time.time()) == {"billing": 60, "lang_fr": 0}
    assert status.skills_until in (midnight, day.next_midnight("Europe/Paris", time.time()))
    run("agent", "skills", "anna", "lang_fr=70")
    shown = json.loads(run("agent", "skills", "anna", "--json"))["skills"]
    assert shown == [
        {"skill": "billing", "site": 0, "today": 60},
        {"skill": "lang_fr", "site": 90, "today": 70},
    ]
    run("agent", "skills", "anna", "--as-site")
    assert day.skills_now(live.agent("anna"), time.time()) == {}
    for wrong, said in (("tea=5", "no skill 'tea'"), ("billing=101", "a level is from 0"), ("billing", "is not like")):
        assert said in run("agent", "skills", "anna", wrong, fails=2)


def test_a_broadcast_reaches_who_answers_the_queue_today(run: Run, live: Live, store: Store) -> None:
    run("agent", "skills", "anna", "billing=60")
    assert run("broadcast", "The line is down.", "--to", "queue:billing") == "Told 2 agents.\n"
    assert [one.text for one in store.notices(time.time(), "anna")] == ["The line is down."]
    assert json.loads(run("broadcast", "Lunch.", "--to", "agent:ben", "--json"))["unread"] == ["ben"]
    assert "none of all, queue:NAME and agent:NAME" in run("broadcast", "x", "--to", "everybody", fails=2)
