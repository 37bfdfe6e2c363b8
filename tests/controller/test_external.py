"""Agents at numbers outside, who take a call by a key; and agents whose phone is away."""

import time
from collections.abc import Iterator

import pytest

from contactcentre.controller import router
from contactcentre.controller.absent import Absent
from contactcentre.domain.agents import UNREACHABLE, AgentState, Verb
from contactcentre.domain.events import Kind, OfferResult
from contactcentre.domain.site import Agent, Settings
from tests.controller.fake_pbx import Line
from tests.controller.people import calls, comes, rings, state, story
from tests.controller.stack import eventually
from tests.controller.world import World

OUTSIDE = "+33611223344"


def configure(world: World, **changes: object) -> None:
    node = world.controller.node
    configuration = node.configuration
    site = node.site.model_copy(update=changes)
    node.configure(type(configuration).of(configuration.version, site, configuration.prompts))


@pytest.fixture
def home(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Both agents are at home; their own phones are not registered."""
    monkeypatch.setattr(router, "CONFIRMING", 0.4)
    agents = {name: Agent(external=f"{OUTSIDE}{n}") for n, name in enumerate(("anna", "bert"))}
    configure(world, agents=agents)
    world.controller.node.router.reach({"anna": False, "bert": False})
    yield world
    world.peace()
    world.check()


def called(world: World) -> tuple[Line, Line]:
    """A caller, and the phone outside that rings for them."""
    caller = calls(world, "1")
    leg = rings(world)
    assert leg.endpoint.startswith(OUTSIDE)
    assert leg.endpoint.endswith("@carrier")
    return caller, leg


def test_the_key_takes_the_call_and_until_then_the_caller_hears_music(home: World) -> None:
    caller, leg = called(home)
    home.pbx.answer(leg)
    comes(home, caller, Kind.LEG_ANSWERED)
    eventually(lambda: ("digits:1", "") in leg.heard, "is asked for the key")
    home.pbx.press(leg, "5")
    assert leg.bridge == ""
    home.pbx.press(leg, "1")
    comes(home, caller, Kind.TALK_STARTED)
    assert leg.bridge == caller.bridge != ""


def test_an_answering_machine_never_gets_the_customer(home: World) -> None:
    caller, leg = called(home)
    home.pbx.answer(leg)  # and says what it has to say
    refused = comes(home, caller, Kind.REFUSED).data
    assert refused["result"] == OfferResult.MISSED
    eventually(lambda: leg.id not in home.pbx.lines, "hung up")
    assert Kind.TALK_STARTED not in [event.kind for event in story(home, caller)]
    assert caller.id in home.pbx.lines, "the caller waits on"


def test_without_a_key_answering_is_enough(home: World) -> None:
    agents = {name: Agent(external=OUTSIDE, confirm="") for name in ("anna", "bert")}
    configure(home, agents=agents)
    caller, leg = called(home)
    home.pbx.answer(leg)
    comes(home, caller, Kind.TALK_STARTED)


def test_who_hangs_up_instead_of_pressing_the_key_has_declined(home: World) -> None:
    caller, leg = called(home)
    home.pbx.answer(leg)
    eventually(lambda: leg.heard, "is asked")
    home.pbx.leave(leg)
    assert comes(home, caller, Kind.REFUSED).data["result"] == OfferResult.REJECTED


def test_who_is_away_for_long_is_paused_and_comes_back_with_the_phone(world: World) -> None:
    configure(world, settings=Settings(unreachable_pause=0.2))
    absent, away = Absent(world.controller.node), frozenset({"anna"})
    absent.look(away)
    assert state(world, "anna") is AgentState.AVAILABLE
    time.sleep(0.25)  # so long it must be away
    absent.look(away)
    assert (state(world, "anna"), world.live.agent("anna").reason) == (AgentState.PAUSED, UNREACHABLE)
    assert state(world, "bert") is AgentState.AVAILABLE
    absent.look(frozenset())
    assert state(world, "anna") is AgentState.AVAILABLE


def test_a_pause_of_their_own_is_not_taken_back(world: World) -> None:
    world.live.change("anna", Verb.PAUSE, time.time(), reason="lunch")
    absent = Absent(world.controller.node)
    absent.look(frozenset({"anna"}))
    absent.look(frozenset())
    assert world.live.agent("anna").reason == "lunch"
