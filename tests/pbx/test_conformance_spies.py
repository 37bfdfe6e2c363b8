"""Supervisors in calls, as every PBX driver must let them: whom they hear and who hears them is measured."""

import gevent
import pytest

from contactcentre.lab import Phone
from contactcentre.pbx.errors import Gone, Refused
from contactcentre.pbx.events import Ended, LinkUp
from contactcentre.pbx.protocol import Channel, Mode
from tests.pbx.bed import MUSIC, Heard, listed
from tests.pbx.scene import ANNA, CUSTOMER, Party, Scene
from tests.waiting import eventually

HEARD_BY = {Mode.LISTEN: set(), Mode.WHISPER: {"anna"}, Mode.BARGE: {"anna", "customer"}}


def supervise(scene: Scene, target: Party, supervisor: Party, mode: Mode, bridge_id: str = "") -> tuple[Channel, Heard]:
    inbox = Heard()
    spy = scene.bed.pbx.spy(target.channel.id, spy_id=scene.bed.name("spy"), mode=mode, inbox=inbox)
    scene.bed.pbx.bridge(bridge_id or scene.bed.name("bridge")).add(spy, supervisor.channel)
    return spy, inbox


@pytest.mark.parametrize("mode", Mode)
def test_a_supervisor_hears_both_sides_and_is_heard_as_the_mode_says(scene: Scene, mode: Mode) -> None:
    customer, anna, carla = scene.customer(), scene.agent("anna"), scene.agent("carla")
    scene.together(customer, anna)
    supervise(scene, anna, carla, mode)
    heard = scene.heard()
    assert heard["carla"] == {"customer", "anna"}
    assert heard["anna"] - {"carla"} == {"customer"}
    assert heard["customer"] - {"carla"} == {"anna"}
    assert {name for name in ("anna", "customer") if "carla" in heard[name]} == HEARD_BY[mode]


def test_a_whisper_is_heard_while_the_customer_is_on_music_and_the_agent_talks_on_afterwards(scene: Scene) -> None:
    """A switch that sends an agent nothing has nothing to mix a whisper into."""
    customer, anna, carla = scene.customer(), scene.agent("anna"), scene.agent("carla")
    place = scene.together(customer, anna)
    supervise(scene, anna, carla, Mode.WHISPER)
    for _ in range(2):
        customer.channel.wait_with_music(MUSIC)
        gevent.sleep(1.2)  # so that the agent has been alone for a while
        assert scene.heard() == {"customer": set(), "anna": {"carla"}, "carla": {"anna"}}
        scene.bed.pbx.bridge(place).add(customer.channel)
        assert scene.heard() == {"customer": {"anna"}, "anna": {"carla", "customer"}, "carla": {"customer", "anna"}}


def test_a_supervisor_changes_the_mode_without_being_called_again(scene: Scene) -> None:
    customer, anna, carla = scene.customer(), scene.agent("anna"), scene.agent("carla")
    scene.together(customer, anna)
    place = scene.bed.name("bridge")
    spy, inbox = supervise(scene, anna, carla, Mode.LISTEN, place)
    for mode in (Mode.WHISPER, Mode.BARGE, Mode.LISTEN):
        following, its_inbox = supervise(scene, anna, carla, mode, place)
        spy.hangup()
        inbox.next(Ended)
        spy, inbox = following, its_inbox
        heard = scene.heard()
        assert heard["carla"] == {"customer", "anna"}
        assert {name for name in ("anna", "customer") if "carla" in heard[name]} == HEARD_BY[mode]
    assert isinstance(carla.end, Phone)
    assert (len(carla.end.ringing), carla.end.calls) == (1, [])


def test_a_spy_ends_with_its_target_and_the_supervisor_stays(scene: Scene) -> None:
    customer, anna, carla = scene.customer(), scene.agent("anna"), scene.agent("carla")
    scene.together(customer, anna)
    spy, inbox = supervise(scene, anna, carla, Mode.WHISPER)
    assert isinstance(anna.end, Phone)
    anna.end.hang_up()
    inbox.next(Ended)
    inbox.nothing_for(0.2)
    eventually(lambda: not scene.bed.pbx.inventory().spies, "no spy is left")
    with pytest.raises(Gone):
        scene.bed.pbx.adopt(spy.id, Heard())
    carla.inbox.nothing_for(0)


def test_a_spy_is_no_party_and_one_of_a_killed_controller_is_found_and_ended(scene: Scene) -> None:
    bed = scene.bed
    customer, anna, carla = scene.customer(), scene.agent("anna"), scene.agent("carla")
    scene.together(customer, anna)
    spy, _ = supervise(scene, anna, carla, Mode.WHISPER)
    inventory = bed.pbx.inventory()
    assert inventory.spies == {spy.id: anna.channel.id}
    assert set(inventory.channels) == {customer.channel.id, anna.channel.id, carla.channel.id}
    bed.pbx.stop()
    bed.pbx.start(bed.nodes)
    bed.nodes.until(LinkUp)
    found = bed.pbx.inventory().spies
    assert found == inventory.spies
    inbox = Heard()
    for stray in found:
        bed.pbx.adopt(stray, inbox).hangup()
    inbox.next(Ended)
    eventually(lambda: not bed.pbx.inventory().spies, "no spy is left")
    assert bed.channels() == 3


def test_a_spy_without_the_prefix_is_refused_because_nobody_would_find_it_again(scene: Scene) -> None:
    customer = scene.customer()
    with pytest.raises(Refused, match="spy-"):
        scene.bed.pbx.spy(customer.channel.id, spy_id="listener", mode=Mode.LISTEN, inbox=Heard())
    assert scene.bed.channels() == 1


@pytest.mark.parametrize("place", ["queue", "plain"])
def test_a_call_that_lives_in_the_dialplan_can_be_listened_to_and_whispered_into(scene: Scene, place: str) -> None:
    bed, carla = scene.bed, scene.agent("carla")
    phone = scene.enter(bed.phone("anna", ring=0, talk=None, tone=ANNA))
    call = bed.dial({"queue": "*1", "plain": "*2"}[place], tone=CUSTOMER, talk=None, patience=None)
    call.until("person")
    (agent,) = listed(bed, "anna")
    assert not agent.ours
    inbox = Heard()
    spy = bed.pbx.spy(agent.id, spy_id=bed.name("spy"), mode=Mode.WHISPER, inbox=inbox)
    bed.pbx.bridge(bed.name("bridge")).add(spy, carla.channel)
    scene.onlooker("customer", CUSTOMER, call)
    scene.onlooker("anna", ANNA, phone)
    assert scene.heard() == {"carla": {"customer", "anna"}, "anna": {"customer", "carla"}, "customer": {"anna"}}
    call.hang_up()
    inbox.next(Ended)
