"""Agents at numbers outside, who take a call by a key; and agents whose phone is away."""

import time
from collections.abc import Iterator

import pytest

from contactcentre.controller import confirming
from contactcentre.controller.absent import Absent
from contactcentre.domain.agents import UNREACHABLE, AgentState, Verb
from contactcentre.domain.events import Kind, OfferResult
from contactcentre.domain.site import Agent, Settings
from contactcentre.pbx.events import Phone
from tests.controller.fake_pbx import Line
from tests.controller.people import calls, comes, rings, state, story, talks
from tests.controller.world import World
from tests.waiting import eventually

OUTSIDE = "+33611223344"


def configure(world: World, **changes: object) -> None:
    node = world.controller.node
    configuration = node.configuration
    site = node.site.model_copy(update=changes)
    node.configure(type(configuration).of(configuration.version, site, configuration.prompts))


@pytest.fixture
def calm(world: World) -> Iterator[World]:
    """A world that is left in peace."""
    yield world
    for endpoint in list(world.pbx.states):
        world.pbx.becomes(endpoint, Phone.FREE)
    world.peace()
    world.check()


@pytest.fixture
def home(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Both agents are at home; their own phones are not registered."""
    monkeypatch.setattr(confirming, "SECONDS", 0.4)
    agents = {name: Agent(external=f"{OUTSIDE}{n}") for n, name in enumerate(("anna", "bert"))}
    configure(world, agents=agents)
    world.controller.node.router.phones.reach({"anna": Phone.AWAY, "bert": Phone.AWAY})
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
    absent, node = Absent(world.controller.node), world.controller.node
    eventually(lambda: {"anna", "bert"} <= node.replica.agents.keys(), "both are known to be logged in")
    now = time.time()
    away = {"anna": now - 1000}
    absent.look(away)
    assert state(world, "anna") is AgentState.AVAILABLE, "who has just logged in has time to register the phone"
    node.now = lambda: now + 61
    absent.look(away)
    assert (state(world, "anna"), world.live.agent("anna").reason) == (AgentState.PAUSED, UNREACHABLE)
    assert state(world, "bert") is AgentState.AVAILABLE
    configure(world, settings=Settings(unreachable_return=False))
    absent.look({})
    assert state(world, "anna") is AgentState.PAUSED, "where the site wants people to come back themselves"
    configure(world, settings=Settings())
    absent.look({})
    assert state(world, "anna") is AgentState.AVAILABLE


def test_nobody_is_paused_where_the_site_sets_no_limit(world: World) -> None:
    configure(world, settings=Settings(unreachable_pause=0))
    world.controller.node.now = lambda: time.time() + 10_000
    Absent(world.controller.node).look({"anna": 1.0})
    assert state(world, "anna") is AgentState.AVAILABLE


def test_a_pause_of_their_own_is_not_taken_back(world: World) -> None:
    world.live.change("anna", Verb.PAUSE, time.time(), reason="lunch")
    absent = Absent(world.controller.node)
    absent.look({"anna": 1.0})
    absent.look({})
    assert world.live.agent("anna").reason == "lunch"


def test_another_device_is_called_from_the_next_call_on(calm: World) -> None:
    agents = {"anna": Agent(external=OUTSIDE, device="phone"), "bert": Agent()}
    configure(calm, agents=agents)
    calm.live.change("bert", Verb.PAUSE, time.time(), reason="lunch")
    caller, leg = talks(calm)
    assert leg.endpoint == "anna"
    calm.live.change("anna", Verb.SWITCH, time.time(), device="external")
    calm.pbx.press(caller, "9")  # the call goes on where it is
    assert leg.id in calm.pbx.lines
    assert state(calm, "anna") is AgentState.TALKING
    calm.pbx.leave(caller)
    eventually(lambda: state(calm, "anna") is AgentState.AVAILABLE, "free")
    second, outside = called(calm)
    calm.pbx.answer(outside)
    comes(calm, second, Kind.LEG_ANSWERED)
    eventually(lambda: outside.heard, "is asked for the key")
    calm.pbx.press(outside, "1")
    comes(calm, second, Kind.TALK_STARTED)


def test_a_phone_in_a_call_of_its_own_gets_no_offer_until_that_is_over(calm: World) -> None:
    calm.pbx.becomes("anna", Phone.IN_USE)
    calm.pbx.becomes("bert", Phone.IN_USE)
    node = calm.controller.node
    eventually(lambda: len(node.router.phones.not_free) == 2, "both are known to be in use")
    caller = calls(calm, "1")
    comes(calm, caller, Kind.DECISION)
    assert not calm.pbx.ringing()
    calm.pbx.becomes("bert", Phone.FREE)
    assert rings(calm).endpoint == "bert"
    configure(calm, settings=Settings(offer_while_in_use=True))
    calls(calm, "1")
    eventually(lambda: "anna" in {leg.endpoint for leg in calm.pbx.ringing()}, "rings in between")


def test_a_trunk_that_is_away_counts_for_who_is_called_through_it_until_they_are_called_otherwise(calm: World) -> None:
    phones = calm.controller.node.router.phones
    outside = {name: Agent(external=f"{OUTSIDE}{n}") for n, name in enumerate(("anna", "bert"))}
    configure(calm, agents=outside)
    phones.reach({"carrier": Phone.AWAY})
    assert phones.not_free.keys() == {"anna", "bert"}
    since = phones.not_free["bert"]
    configure(calm, agents=outside | {"anna": Agent()})
    assert phones.not_free == {"bert": since}, "anna has a phone again, and bert is away since the same moment"
    phones.told("anna", Phone.AWAY)
    assert phones.not_free.keys() == {"anna", "bert"}
    configure(calm, agents={"anna": Agent()})
    assert phones.not_free.keys() == calm.controller.node.replica.index.reachable.keys() == {"anna"}
    phones.reach({"carrier": Phone.FREE, "anna": Phone.FREE})
    assert not phones.not_free
    assert not calm.controller.node.replica.index.reachable


def test_a_phone_that_was_not_free_at_the_last_look_is_looked_at_as_soon_as_its_agent_is(calm: World) -> None:
    calm.live.change("bert", Verb.LOGOUT, time.time())
    eventually(lambda: state(calm, "bert") is AgentState.LOGGED_OUT, "anna is alone")
    _, leg = talks(calm)
    node = calm.controller.node
    node.router.phones.reach({"anna": Phone.IN_USE})  # so it looks to a controller that has just taken over
    caller = calls(calm, "1")
    comes(calm, caller, Kind.DECISION)
    calm.pbx.leave(leg)
    assert rings(calm).endpoint == "anna"
    assert not node.router.phones.not_free


def test_a_colleague_at_home_is_asked_for_the_key_too(calm: World) -> None:
    configure(calm, agents={"anna": Agent(), "bert": Agent(external=OUTSIDE)})
    calm.live.change("bert", Verb.PAUSE, time.time(), reason="lunch")
    caller, _ = talks(calm)
    calm.live.change("bert", Verb.UNPAUSE, time.time())
    contact = next(iter(calm.controller.node.contacts.values()))
    eventually(lambda: calm.controller.node.replica.agents["bert"].state is AgentState.AVAILABLE, "bert is back")
    contact.ask("consult", {"to": "agent:bert"}, "agent")
    expert = rings(calm)
    assert expert.endpoint == f"{OUTSIDE}@carrier"
    calm.pbx.answer(expert)
    eventually(lambda: ("digits:1", "") in expert.heard, "is asked for the key")
    assert expert.bridge == ""
    calm.pbx.press(expert, "1")
    comes(calm, caller, Kind.CONSULT_ANSWERED)
    assert expert.bridge != ""
