"""An agent's browser is loaded anew in the middle of a call, on a PBX in memory."""

import gevent
import pytest

from contactcentre.controller import rejoining, sound
from contactcentre.domain.agents import AgentState
from contactcentre.domain.conversation import Conversation, Place
from contactcentre.domain.events import Kind
from contactcentre.domain.site import Agent
from tests.controller.fake_pbx import Line
from tests.controller.people import comes, rings, state, story, talks
from tests.controller.stack import kinds
from tests.controller.test_verbs import ask, end, hears, refused
from tests.controller.world import SITE, World
from tests.waiting import eventually


@pytest.fixture
def browsers(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """Both agents are called in their browsers, one rings first."""
    monkeypatch.setattr(sound, "OFTEN", 0.02)
    monkeypatch.setattr(sound, "SILENT_SECONDS", 0.2)
    agents = {name: Agent(number=one.number, webrtc=True, device="webrtc") for name, one in SITE.agents.items()}
    monkeypatch.setitem(world.changes, "agents", agents)
    world.restart()
    return world


def name(leg: Line) -> str:
    return leg.endpoint.removesuffix("-web")


def comes_back(world: World, caller: Line, agent: str) -> Line:
    """The window is there again, and answers."""
    ask(world, caller, "rejoin", agent=agent)
    leg = rings(world)
    assert name(leg) == agent
    world.pbx.answer(leg)
    eventually(lambda: comes(world, caller, Kind.REJOINED).data["leg"] == leg.id, "back")
    return leg


def test_the_customer_hears_music_while_the_window_is_away_and_the_agent_when_it_is_back(browsers: World) -> None:
    caller, leg = talks(browsers)
    agent, token = name(leg), browsers.live.agent(name(leg)).token
    assert ask(browsers, caller, "away", agent=agent)["state"] == "held"
    assert hears(caller) == "music"
    assert comes(browsers, caller, Kind.TALK_HELD).data == {"agent": agent, "by": "window"}
    back = comes_back(browsers, caller, agent)
    eventually(lambda: (hears(caller), hears(back)) == ("talk", "talk"), "they talk")
    assert leg.id not in browsers.pbx.lines, "the old leg is ended"
    assert comes(browsers, caller, Kind.REJOINED).data == {"leg": back.id, "agent": agent, "instead_of": leg.id}
    assert state(browsers, agent) is AgentState.TALKING
    there = browsers.live.agent(agent)
    assert (there.state, there.token, there.calls) == (AgentState.TALKING, token, 1)
    assert ask(browsers, caller, "hold")["parties"][1]["leg"] == back.id, "what is asked for reaches the new leg"
    browsers.pbx.leave(back)
    eventually(lambda: state(browsers, agent) is AgentState.AVAILABLE, "the agent goes on")
    comes(browsers, caller, Kind.TALK_ENDED)
    end(browsers)


def test_a_window_that_comes_back_at_once_leaves_no_hold_and_twice_is_once(browsers: World) -> None:
    caller, leg = talks(browsers)
    ask(browsers, caller, "rejoin", agent=name(leg))
    first = rings(browsers)
    second = comes_back(browsers, caller, name(leg)) if first.id not in browsers.pbx.lines else None
    if second is None:
        ask(browsers, caller, "rejoin", agent=name(leg))
        eventually(lambda: first.id not in browsers.pbx.lines, "the first call is taken back")
        second = rings(browsers)
        browsers.pbx.answer(second)
        comes(browsers, caller, Kind.REJOINED)
    eventually(lambda: (hears(caller), hears(second)) == ("talk", "talk"), "they talk")
    assert Kind.TALK_HELD not in kinds(story(browsers, caller))
    end(browsers)


def test_a_customer_whom_the_agent_had_on_hold_stays_there(browsers: World) -> None:
    caller, leg = talks(browsers)
    ask(browsers, caller, "hold")
    ask(browsers, caller, "away", agent=name(leg))
    back = comes_back(browsers, caller, name(leg))
    eventually(lambda: hears(back) == "talk", "back")
    assert hears(caller) == "music"
    assert ask(browsers, caller, "resume")["state"] == "talking"
    end(browsers)


def test_a_window_that_was_only_silent_takes_the_customer_from_the_music(browsers: World) -> None:
    caller, leg = talks(browsers)
    ask(browsers, caller, "away", agent=name(leg))
    ask(browsers, caller, "here", agent="nobody")
    assert hears(caller) == "music"
    assert ask(browsers, caller, "here", agent=name(leg))["state"] == "talking"
    assert hears(caller) == "talk"
    assert leg.id in browsers.pbx.lines
    end(browsers)


def test_while_nothing_comes_from_the_window_the_customer_hears_music_whatever_the_window_says(browsers: World) -> None:
    caller, leg = talks(browsers)
    leg.silent = True
    comes(browsers, caller, Kind.TALK_HELD)
    eventually(lambda: hears(caller) == "music", "music")
    assert ask(browsers, caller, "here", agent=name(leg))["state"] == "held", "it hears, but is not heard"
    ask(browsers, caller, "resume")
    eventually(lambda: kinds(story(browsers, caller)).count(Kind.TALK_HELD) == 2, "still nothing comes")
    leg.silent = False
    eventually(lambda: hears(caller) == "talk", "they talk")
    assert state(browsers, name(leg)) is AgentState.TALKING
    assert leg.id in browsers.pbx.lines
    end(browsers)


def test_a_customer_whom_the_agent_had_on_hold_is_not_taken_from_there_by_sound(browsers: World) -> None:
    caller, leg = talks(browsers)
    ask(browsers, caller, "hold")
    leg.silent = True
    back = comes_back(browsers, caller, name(leg))
    eventually(lambda: back.packets > 5, "something comes, and is asked about")
    assert hears(caller) == "music"
    end(browsers)


def test_a_window_that_is_back_but_is_not_heard_does_not_end_the_music_nor_the_time_to_come_back(
    browsers: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rejoining, "BACK_SECONDS", 2.0)
    caller, leg = talks(browsers)
    leg.silent = True
    comes(browsers, caller, Kind.TALK_HELD)
    ask(browsers, caller, "rejoin", agent=name(leg))
    back = rings(browsers)
    back.silent = True
    browsers.pbx.answer(back)
    comes(browsers, caller, Kind.REJOINED)
    comes(browsers, caller, Kind.TRANSFERRED)
    assert kinds(story(browsers, caller)).count(Kind.TALK_HELD) == 1
    assert Kind.TALK_RESUMED not in kinds(story(browsers, caller))
    end(browsers)


def test_a_killed_controllers_successor_hears_that_the_window_is_back(browsers: World) -> None:
    caller, leg = talks(browsers)
    leg.silent = True
    comes(browsers, caller, Kind.TALK_HELD)
    browsers.kill()
    leg.silent = False
    browsers.start()
    eventually(lambda: hears(caller) == "talk", "they talk")
    end(browsers)


def test_phones_on_the_desk_may_be_silent(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sound, "OFTEN", 0.02)
    _, leg = talks(world)
    gevent.sleep(0.2)  # some looks
    assert leg.packets == 0, "they are not asked about"
    end(world)


def test_who_does_not_come_back_gives_the_customer_to_the_queue_again(
    browsers: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rejoining, "BACK_SECONDS", 0.2)
    caller, leg = talks(browsers)
    ask(browsers, caller, "away", agent=name(leg))
    comes(browsers, caller, Kind.TRANSFERRED)
    other = rings(browsers)
    assert leg.id not in browsers.pbx.lines
    browsers.pbx.answer(other)
    eventually(lambda: (hears(caller), hears(other)) == ("talk", "talk"), "another agent has them")
    end(browsers)


def test_an_agent_who_goes_on_by_other_means_keeps_the_customer(
    browsers: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rejoining, "BACK_SECONDS", 0.2)
    caller, leg = talks(browsers)
    ask(browsers, caller, "away", agent=name(leg))
    ask(browsers, caller, "resume")
    eventually(lambda: browsers.live.contacts(), "known")
    assert ask(browsers, caller, "hold")["state"] == "held"
    assert Kind.TRANSFERRED not in kinds(story(browsers, caller))
    end(browsers)


def test_a_killed_controllers_successor_takes_the_window_back(browsers: World) -> None:
    caller, leg = talks(browsers)
    ask(browsers, caller, "away", agent=name(leg))
    browsers.restart()
    eventually(lambda: browsers.controller.node.contacts, "taken up")
    assert hears(caller) == "music"
    back = comes_back(browsers, caller, name(leg))
    eventually(lambda: (hears(caller), hears(back)) == ("talk", "talk"), "they talk")
    end(browsers)


def test_who_is_asked_comes_back_too(browsers: World) -> None:
    caller, leg = talks(browsers)
    ask(browsers, caller, "consult", to=f"agent:{'bert' if name(leg) == 'anna' else 'anna'}")
    asked = rings(browsers)
    browsers.pbx.answer(asked)
    comes(browsers, caller, Kind.CONSULT_ANSWERED)
    ask(browsers, caller, "away", agent=name(asked))
    back = comes_back(browsers, caller, name(asked))
    eventually(lambda: hears(back) == "talk", "back")
    assert hears(caller) == "music"
    ask(browsers, caller, "complete")
    eventually(lambda: (hears(caller), state(browsers, name(asked))) == ("talk", AgentState.TALKING), "handed over")
    assert leg.id not in browsers.pbx.lines
    end(browsers)


def test_only_who_takes_part_and_has_a_browser_comes_back(world: World) -> None:
    caller, leg = talks(world)
    assert refused(world, caller, "rejoin", agent=leg.endpoint) == "no_softphone"
    assert refused(world, caller, "rejoin", agent="nobody") == "no_softphone"
    end(world)


def test_another_leg_keeps_the_place_the_token_and_who_owns_the_call() -> None:
    from contactcentre.domain.conversation import after

    talking = after(Conversation(), Kind.TALK_STARTED, {"agent": "anna", "queue": "q", "leg": "a", "token": "t"}, 1.0)
    asked = after(talking, Kind.CONSULT_STARTED, {"agent": "anna", "to": "agent:ben", "leg": "b", "token": "u"}, 2.0)
    asked = after(asked, Kind.CONSULT_ANSWERED, {"agent": "anna", "to": "agent:ben", "leg": "b"}, 3.0)
    both = after(asked, Kind.REJOINED, {"leg": "b2", "agent": "ben", "instead_of": "b"}, 4.0)
    both = after(both, Kind.REJOINED, {"leg": "a2", "agent": "anna", "instead_of": "a"}, 5.0)
    assert (both.owner, both.asked, both.state) == ("a2", "b2", "consulting")
    assert [(p.leg, p.agent, p.token, p.place) for p in both.parties.values()] == [
        ("a2", "anna", "t", Place.TOGETHER),
        ("b2", "ben", "u", Place.TOGETHER),
    ]
    assert after(both, Kind.REJOINED, {"leg": "c", "agent": "cleo", "instead_of": "gone"}, 6.0) == both
