"""What supervisors do with agents, over the API: their states, and skills for the rest of the day."""

import time
from typing import Any

import pytest
from flask.testing import FlaskClient

from contactcentre.controller.node import Configuration
from contactcentre.domain import day
from contactcentre.domain.agents import AgentState, Verb
from contactcentre.domain.events import Kind
from contactcentre.domain.routing import Waiting
from contactcentre.domain.site import Agent, Queue
from contactcentre.live import Live
from contactcentre.prompts.speech import Prompts
from contactcentre.store import Store
from contactcentre.web.app import WebServices
from tests.controller.people import calls, comes, rings, talks
from tests.controller.world import SITE, World
from tests.waiting import eventually
from tests.web.conftest import SignIn, csrf


def lead(browser: FlaskClient, name: str, verb: str, **body: Any) -> tuple[int, dict[str, Any]]:
    answer = browser.post(f"/api/v1/agents/{name}/{verb}", json=body, headers={"X-CSRFToken": csrf(browser, "/me")})
    return answer.status_code, answer.get_json()


def test_a_supervisor_pauses_frees_and_logs_out_and_the_agents_desk_says_who_did(
    sign_in: SignIn, web: WebServices, live: Live, store: Store
) -> None:
    web.fanout.start()
    eventually(lambda: web.fanout.ready)
    browser, desk = sign_in("supervisor"), sign_in("agent")
    store.change_user("a-agent", agent="anna")
    live.change("anna", Verb.LOGIN, time.time())
    status, after = lead(browser, "anna", "pause", reason="lunch", note="You look tired.")
    assert (status, after["state"], after["reason"], after["by"]) == (200, "paused", "lunch", "a-supervisor")
    eventually(lambda: desk.get("/api/v1/me").get_json()["agent"]["state"] == "paused")
    me = desk.get("/api/v1/me").get_json()["agent"]
    assert (me["by"], me["note"]) == ("a-supervisor", "You look tired.")
    status, after = lead(browser, "anna", "ready")
    assert (status, after["state"], after["by"], after["note"]) == (200, "available", "a-supervisor", "")
    assert lead(browser, "anna", "logout", note="Fire drill.")[1]["state"] == "logged_out"
    status, problem = lead(browser, "anna", "ready")
    assert (status, problem["code"]) == (409, "conflict")
    assert "anna is logged out" in problem["detail"]
    entries = store.audit_entries(subject="agent anna", limit=4)
    assert [(entry.action, entry.detail) for entry in entries] == [
        ("agent.ready", {"outcome": "conflict"}),
        ("agent.logout", {"note": "Fire drill."}),
        ("agent.ready", {}),
        ("agent.pause", {"reason": "lunch", "note": "You look tired."}),
    ]


@pytest.mark.parametrize(
    ("verb", "body", "said"),
    [
        ("pause", {"reason": "yachting"}, "is not one of"),
        ("ready", {"reason": "lunch"}, "ready does not take that"),
        ("skills", {"note": "x"}, "skills does not take that"),
        ("skills", {"skills": {"tea": 1}}, "skills: the site has no skill 'tea'"),
        ("skills", {"skills": {"billing": 101}}, "skills: billing: a level is from 0"),
    ],
)
def test_what_does_not_fit_is_named_and_nothing_is_done(
    verb: str, body: dict[str, Any], said: str, sign_in: SignIn, live: Live
) -> None:
    before = live.agent("anna")
    status, problem = lead(sign_in("admin"), "anna", verb, **body)
    assert (status, problem["code"]) == (422, "bad_value")
    assert said in problem["detail"]
    assert live.agent("anna") == before
    assert lead(sign_in("admin"), "nobody", "pause")[0] == 404
    assert lead(sign_in("admin"), "anna", "dance")[0] == 404


def test_skills_for_the_day_are_seen_on_the_live_page_and_in_why_and_end_at_midnight(
    sign_in: SignIn, web: WebServices, store: Store
) -> None:
    web.fanout.start()
    eventually(lambda: web.fanout.ready)
    browser = sign_in("supervisor")
    midnight = day.next_midnight("Europe/Paris", time.time())
    status, after = lead(browser, "anna", "skills", skills={"billing": 60, "lang_en": 0})
    assert (status, after["skills"]) == (200, {"billing": 60, "lang_en": 0})
    assert after["skills_until"] in (midnight, day.next_midnight("Europe/Paris", time.time()))
    eventually(lambda: browser.get("/api/v1/snapshot").get_json()["agents"]["anna"]["skills"])
    row = browser.get("/api/v1/snapshot").get_json()["agents"]["anna"]
    assert row["queues"] == ["support", "billing"]
    levels = {
        one["name"]: (one["site"], one["today"]) for one in browser.get("/api/v1/agents/anna/skills").json["skills"]
    }
    assert levels == {"billing": (0, 60), "lang_en": (60, 0), "lang_fr": (90, None)}
    why = browser.get("/api/v1/agents/anna/why").get_json()["now"]
    assert why["skills"] == {"lang_fr": 90, "billing": 60}
    assert any(line.startswith("For today: billing 60, without lang_en, for ") for line in why["lines"])
    assert store.audit_entries(subject="agent anna", limit=1)[0].detail == {"skills": {"billing": 60, "lang_en": 0}}
    assert lead(browser, "anna", "skills")[1]["skills"] == {}
    eventually(lambda: browser.get("/api/v1/snapshot").get_json()["agents"]["anna"]["queues"] == ["support"])


def test_who_talks_is_paused_when_the_call_is_over(sign_in: SignIn, world: World) -> None:
    caller, leg = talks(world)
    status, after = lead(sign_in("supervisor"), leg.endpoint, "pause", reason="training")
    assert (status, after["state"], after["then"], after["by"]) == (200, "talking", "pause:training", "a-supervisor")
    world.pbx.leave(caller)
    eventually(lambda: world.live.agent(leg.endpoint).state is AgentState.PAUSED, "paused")
    assert world.live.agent(leg.endpoint).by == "a-supervisor"
    world.peace()
    world.check()


def test_routing_sees_skills_for_the_day_at_once_also_after_a_restart_and_no_longer_at_their_end(
    sign_in: SignIn, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Anna alone is logged in, and billing is not hers until somebody says so."""
    agents = {name: Agent(skills={}) for name in ("anna", "bert")}
    queues = {**SITE.queues, "ways": Queue(requires="billing", wrap_up=0, retry_delay=0)}
    site = SITE.model_copy(update={"agents": agents, "queues": queues, "skills": {"billing": ""}})
    monkeypatch.setattr(world, "configuration", lambda: Configuration.of(1, site, Prompts(world.at, texts={})))
    world.controller.node.configure(world.configuration())
    world.live.change("bert", Verb.LOGOUT, time.time())
    caller = calls(world, "7")
    assert comes(world, caller, Kind.DECISION).data["agent"] == ""
    world.live.change("anna", Verb.LEND, time.time(), skills="billing=60", until=time.time() + 3600)
    assert rings(world).endpoint == "anna"
    world.pbx.leave(caller)
    eventually(world.quiet, "quiet")

    world.restart()
    caller = calls(world, "7")
    assert rings(world).endpoint == "anna"
    world.pbx.leave(caller)
    eventually(world.quiet, "quiet")

    config = world.controller.node.replica.index
    assert "anna" in _fits(config, world)
    world.live.change("anna", Verb.LEND, time.time(), skills="billing=60", until=time.time() + 0.2)
    eventually(lambda: "anna" not in _fits(config, world), "the day is over")
    world.peace()
    world.check()


def _fits(index: Any, world: World) -> set[str]:
    terms = index.config.terms(Waiting("c", "ways"), world.controller.node.now())
    return set(terms.fits)
