"""What callers and agents do in a `World`, in the words of tests."""

from contactcentre.domain.agents import AgentState
from contactcentre.domain.events import Event, Kind
from tests.controller.fake_pbx import Line
from tests.controller.stack import kinds
from tests.controller.world import World
from tests.waiting import eventually


def story(world: World, caller: Line) -> list[Event]:
    events = sorted(world.events(), key=lambda e: e.seq)
    ids = {e.contact_id for e in events if e.kind is Kind.ARRIVED and e.data["channel"] == caller.id}
    return [e for e in events if e.contact_id in ids]


def comes(world: World, caller: Line, kind: Kind) -> Event:
    def found() -> Event | None:
        return next((e for e in story(world, caller) if e.kind is kind), None)

    event: Event = eventually(found, f"{kind} of {caller.id} in {kinds(story(world, caller))}")
    return event


def calls(world: World, key: str) -> Line:
    """A caller who chooses `key` in the menu."""
    world.arrive(0)
    caller = world.lines[-1]
    comes(world, caller, Kind.LEG_ANSWERED)
    world.pbx.press(caller, key)
    return caller


def rings(world: World) -> Line:
    ringing: list[Line] = eventually(world.pbx.ringing, "somebody's phone rings")
    return ringing[0]


def talks(world: World) -> tuple[Line, Line]:
    caller = calls(world, "1")
    leg = rings(world)
    world.pbx.answer(leg)
    comes(world, caller, Kind.RECORDING_STARTED)
    return caller, leg


def state(world: World, agent: str) -> AgentState:
    """As Redis and the controller have it, once they agree: what Redis has been told the controller hears a moment
    later."""

    def agreed() -> AgentState | None:
        told, known = world.live.agent(agent).state, world.controller.node.replica.agents.get(agent)
        return told if known is not None and known.state is told else None

    found: AgentState = eventually(agreed, f"Redis and the controller agree on {agent}")
    return found
