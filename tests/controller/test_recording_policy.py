"""What a queue says about recording: which contacts, on demand or not, and the beep that tells of it."""

import pytest

from contactcentre.domain.events import Kind
from contactcentre.domain.sampling import chosen
from tests.controller.people import calls, comes, rings, story, talks
from tests.controller.stack import kinds
from tests.controller.test_external import configure
from tests.controller.test_verbs import ask, refused
from tests.controller.world import World
from tests.waiting import eventually


def queue_one(world: World, **changes: object) -> None:
    queues = world.controller.node.site.queues
    configure(world, queues={**queues, "one": queues["one"].model_copy(update=changes)})


@pytest.mark.parametrize("share", [1, 50])
def test_only_the_chosen_share_is_recorded(world: World, share: int) -> None:
    queue_one(world, record_share=share)
    caller = calls(world, "1")
    world.pbx.answer(rings(world))
    contact = comes(world, caller, Kind.TALK_STARTED).contact_id
    world.peace()
    world.check()
    assert (Kind.RECORDING_STARTED in kinds(story(world, caller))) is chosen(contact, share)


def test_on_demand_where_the_queue_allows_it(world: World) -> None:
    queue_one(world, record=False)
    caller = calls(world, "1")
    world.pbx.answer(rings(world))
    comes(world, caller, Kind.TALK_STARTED)
    assert ask(world, caller, "record", action="start")["recording"] == "running"
    assert ask(world, caller, "record", action="stop")["recording"] == ""
    queue_one(world, record_on_demand=False)
    assert refused(world, caller, "record", action="start") == "not_allowed"
    world.peace()
    world.check()


def test_never_is_never(world: World) -> None:
    queue_one(world, record=False, record_on_demand=False, record_share=100)
    caller = calls(world, "1")
    world.pbx.answer(rings(world))
    comes(world, caller, Kind.TALK_STARTED)
    assert refused(world, caller, "record", action="start") == "not_allowed"
    assert refused(world, caller, "record", action="pause") == "not_recorded"
    world.peace()
    world.check()
    assert not [kind for kind in kinds(story(world, caller)) if kind.startswith("recording")]


def test_both_hear_the_beep_while_they_are_recorded_and_not_in_a_pause(world: World) -> None:
    queue_one(world, record_beep=0.1)
    caller, leg = talks(world)
    eventually(lambda: caller.heard.count(("tone:beep", "")) >= 2, "the caller hears it again and again")
    assert leg.heard.count(("tone:beep", "")) >= 1
    ask(world, caller, "record", action="pause")
    heard = len(caller.heard)
    ask(world, caller, "record", action="resume")
    eventually(lambda: len(caller.heard) > heard, "and again after the pause")
    world.peace()
    world.check()
