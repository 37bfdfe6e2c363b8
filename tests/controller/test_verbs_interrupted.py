"""A controller that is killed, or loses its link, while somebody's phone rings because an agent asked for it."""

import gevent
import pytest

from contactcentre.domain.agents import AgentState
from contactcentre.domain.events import Kind
from contactcentre.pbx.errors import Refused
from tests.controller.fake_pbx import Line
from tests.controller.people import comes, rings, state, story, talks
from tests.controller.test_verbs import ask, end, hears
from tests.controller.world import World
from tests.waiting import eventually


def ringing_for(world: World, verb: str) -> tuple[Line, Line, str]:
    """The caller, the phone that rings, and whose it is."""
    caller, leg = talks(world)
    other = "bert" if leg.endpoint == "anna" else "anna"
    if verb == "retrieve":
        ask(world, caller, "park")
        ask(world, caller, verb, agent=other)
    else:
        ask(world, caller, verb, to=f"agent:{other}")
    asked = rings(world)
    assert asked.endpoint == other
    return caller, asked, other


@pytest.mark.parametrize("verb", ["consult", "add", "retrieve"])
@pytest.mark.parametrize("trouble", ["killed", "cut"])
def test_the_phone_rings_no_longer_and_its_agent_is_free(world: World, verb: str, trouble: str) -> None:
    caller, asked, other = ringing_for(world, verb)
    eventually(lambda: not world.controller.node.journal.unsent, "all facts are written")
    if trouble == "killed":
        world.restart()
    else:
        world.pbx.cut()
        world.pbx.mend()
    eventually(lambda: asked.id not in world.pbx.lines, "it rings no longer")
    eventually(lambda: state(world, other) is AgentState.AVAILABLE, "free again")
    ended = (Kind.LEG_ENDED, asked.id)
    told = eventually(
        lambda: [e for e in story(world, caller) if (e.kind, e.data.get("leg")) == ended], "its end is told"
    )
    assert len(told) == 1
    eventually(lambda: hears(caller) == ("music" if verb == "retrieve" else "talk"), "the customer is with somebody")
    end(world)


@pytest.mark.parametrize("verb", ["consult", "add"])
def test_a_phone_that_answers_while_nobody_looks_does_not_ring_on(world: World, verb: str) -> None:
    caller, asked, other = ringing_for(world, verb)
    world.pbx.cut()
    world.pbx.answer(asked)
    world.pbx.mend()
    eventually(lambda: asked.id not in world.pbx.lines, "taken back")
    eventually(lambda: hears(caller) == "talk", "the customer is with the agent")
    assert state(world, other) is AgentState.AVAILABLE
    assert comes(world, caller, Kind.TALK_STARTED)
    end(world)


@pytest.mark.parametrize("verb", ["consult", "add", "retrieve"])
def test_who_answers_and_hangs_up_at_once_is_free_again(world: World, verb: str) -> None:
    caller, asked, other = ringing_for(world, verb)
    contact = comes(world, caller, Kind.ARRIVED).contact_id
    world.pbx.answer(asked)
    eventually(lambda: state(world, other) is AgentState.TALKING or None, "answered")
    world.pbx.leave(asked)
    eventually(lambda: state(world, other) is AgentState.AVAILABLE, "free again")
    assert contact in world.controller.node.contacts or verb == "retrieve"
    end(world)


@pytest.mark.parametrize("verb", ["consult", "add", "retrieve"])
def test_who_answers_and_cannot_be_connected_is_free_again(world: World, verb: str) -> None:
    caller, asked, other = ringing_for(world, verb)
    world.pbx.troubles.append((Refused, False))
    world.pbx.answer(asked)
    ended = (Kind.LEG_ENDED, asked.id)
    eventually(lambda: [e for e in story(world, caller) if (e.kind, e.data.get("leg")) == ended], "its end is told")
    eventually(lambda: state(world, other) is AgentState.AVAILABLE, "free again")
    assert hears(caller) == ("music" if verb == "retrieve" else "talk")
    end(world)


def test_the_recording_of_a_retrieved_customer_ends_also_after_a_restart(world: World) -> None:
    caller, asked, _ = ringing_for(world, "retrieve")
    world.pbx.answer(asked)
    comes(world, caller, Kind.RETRIEVED)
    eventually(lambda: hears(caller) == "talk", "they talk")
    eventually(lambda: not world.controller.node.journal.unsent, "all facts are written")
    world.restart()
    eventually(lambda: world.controller.node.contacts, "taken up")
    world.pbx.leave(asked)
    comes(world, caller, Kind.RECORDING_ENDED)
    end(world)


def test_who_is_called_into_a_conversation_that_is_over_is_called_no_longer(world: World) -> None:
    _, asked, other = ringing_for(world, "add")
    talking = next(line for line in world.pbx.lines.values() if line.contact_id and line.up)
    world.pbx.leave(talking)
    eventually(lambda: asked.id not in world.pbx.lines, "it rings no longer")
    eventually(lambda: state(world, other) is AgentState.AVAILABLE, "free again")
    end(world)


def test_a_customer_who_is_being_retrieved_stays_parked_until_that_is_decided(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller, leg = talks(world)
    settings = world.controller.node.site.settings.model_copy(update={"park_seconds": 0.2})
    site = world.controller.node.site.model_copy(update={"settings": settings})
    monkeypatch.setattr(type(world.controller.node), "site", property(lambda node: site))
    ask(world, caller, "park")
    other = "bert" if leg.endpoint == "anna" else "anna"
    ask(world, caller, "retrieve", agent=other)
    asked = rings(world)
    gevent.sleep(0.3)
    assert hears(caller) == "music"
    world.pbx.answer(asked)
    assert comes(world, caller, Kind.RETRIEVED).data["by"] == other
    eventually(lambda: hears(caller) == "talk", "they talk")
    end(world)
