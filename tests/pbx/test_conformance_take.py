"""Calls of the PBX's own queue and dialplan can be taken into our hands, as every PBX driver must let them."""

import pytest

from contactcentre.pbx.errors import Gone
from contactcentre.pbx.events import Arrived, Digit, Ended, PhoneHeld, PlaybackEnded, TransferAsked
from contactcentre.pbx.protocol import Progress
from tests.pbx.bed import MUSIC, PATIENCE, Heard, listed, told
from tests.pbx.scene import ANNA, BEN, CUSTOMER, Scene
from tests.pbx.test_conformance_keys import phone_of
from tests.waiting import eventually

PLACES = {"queue": "*1", "plain": "*2"}


@pytest.mark.parametrize("place", PLACES)
def test_a_supervisor_takes_over_the_customer_of_a_call_that_lives_in_the_dialplan(scene: Scene, place: str) -> None:
    bed = scene.bed
    phone = scene.enter(bed.phone("anna", ring=0, talk=None, tone=ANNA))
    call = bed.dial(PLACES[place], tone=CUSTOMER, talk=None, patience=None)
    call.until("person")
    (customer,) = listed(bed, "lab")
    inbox = Heard()
    channel = bed.pbx.take(customer.id, inbox)
    assert bed.pbx.inventory().channels[customer.id].ours
    carla = scene.agent("carla")
    bed.pbx.bridge(bed.name("bridge"), digits=True).add(channel, carla.channel)
    phone.wait_calls()
    scene.onlooker("customer", CUSTOMER, call)
    assert scene.heard() == {"carla": {"customer"}, "customer": {"carla"}}
    call.send_digits("5")
    assert inbox.next(Digit).digit == "5"
    call.hang_up()
    inbox.next(Ended)


@pytest.mark.parametrize("place", PLACES)
def test_the_agent_of_such_a_call_can_be_taken_as_well(scene: Scene, place: str) -> None:
    bed, customer = scene.bed, scene.customer()
    phone = scene.enter(bed.phone("anna", ring=0, talk=None, tone=ANNA))
    call = bed.dial(PLACES[place], tone=CUSTOMER + 50, talk=None, patience=None)
    call.until("person")
    (agent,) = listed(bed, "anna")
    inbox = Heard()
    channel = bed.pbx.take(agent.id, inbox)
    bed.pbx.bridge(bed.name("bridge")).add(channel, customer.channel)
    assert call.wait(PATIENCE).answered
    scene.onlooker("anna", ANNA, phone)
    assert scene.heard() == {"anna": {"customer"}, "customer": {"anna"}}
    phone.hang_up()
    inbox.next(Ended)


@pytest.mark.usefixtures("left_to_us")
def test_a_phones_attended_transfer_to_a_call_of_the_dialplan_is_completed(scene: Scene) -> None:
    bed, customer, anna = scene.bed, scene.customer(), scene.agent("anna")
    scene.together(customer, anna)
    ben = scene.enter(bed.phone("ben", ring=0, talk=None, tone=BEN))
    phone_of(anna).hold()
    anna.inbox.until(PhoneHeld)
    customer.channel.wait_with_music(MUSIC)
    call = phone_of(anna).dial("*99", tone=1000, talk=None, patience=None)
    call.until("person")
    phone_of(anna).transfer("*99", other=call)
    asked = anna.inbox.until(TransferAsked)
    inbox = Heard()
    expert = bed.pbx.take(asked.peer, inbox)
    bed.pbx.bridge(bed.name("bridge")).add(customer.channel, expert)
    anna.channel.transfer_progress(Progress.DONE)
    assert phone_of(anna).wait_transfer() == 200
    assert call.wait(PATIENCE).answered
    scene.everybody.remove(anna)
    scene.onlooker("ben", BEN, ben)
    assert scene.heard() == {"customer": {"ben"}, "ben": {"customer"}}


def test_what_is_gone_cannot_be_taken_and_what_is_ours_is_adopted(scene: Scene) -> None:
    customer = scene.customer()
    inbox = Heard()
    taken = scene.bed.pbx.take(customer.channel.id, inbox)
    assert taken.id == customer.channel.id
    taken.hangup()
    inbox.until(Ended)
    eventually(lambda: not scene.bed.pbx.inventory().channels, "it is gone")
    with pytest.raises(Gone):
        scene.bed.pbx.take(customer.channel.id, inbox)


def test_a_caller_who_waits_in_the_pbxs_own_queue_for_want_of_a_controller_can_be_fetched(scene: Scene) -> None:
    bed = scene.bed
    call = bed.dial("*3", tone=CUSTOMER, talk=None, patience=None)
    call.until("answered")
    (waits,) = eventually(lambda: [c for c in bed.pbx.inventory().channels.values() if c.waits], "it waits")
    assert not waits.ours
    bed.pbx.fetch(waits.id)
    arrived = bed.nodes.until(Arrived)
    assert (arrived.channel_id, arrived.args, arrived.up) == (waits.id, ("did", "800", "1795000000"), True)
    assert bed.pbx.inventory().channels[waits.id].dialled == "800"  # whoever looks, as if it had not been told
    inbox = Heard()
    channel, carla = bed.pbx.adopt(waits.id, inbox), scene.agent("carla")
    channel.play(bed.name("played"), ["silence:1"])  # after which a PBX may go on with the queue's music
    inbox.until(PlaybackEnded)
    bed.pbx.bridge(bed.name("bridge")).add(channel, carla.channel)
    scene.onlooker("customer", CUSTOMER, call)
    assert scene.heard() == {"carla": {"customer"}, "customer": {"carla"}}
    assert not bed.pbx.inventory().channels[waits.id].waits


@pytest.mark.parametrize("number", ["*1", "*3"])
def test_nobody_is_fetched_who_is_talked_to_in_the_pbxs_own_queue(scene: Scene, number: str) -> None:
    bed = scene.bed
    phone = scene.enter(bed.phone("anna", ring=0, talk=None, tone=ANNA))
    call = bed.dial(number, tone=CUSTOMER, talk=None, patience=None)
    call.until("person")
    (customer,) = listed(bed, "lab")
    assert not customer.waits
    bed.pbx.fetch(customer.id)
    scene.onlooker("anna", ANNA, phone)
    scene.onlooker("customer", CUSTOMER, call)
    assert scene.heard() == {"anna": {"customer"}, "customer": {"anna"}}
    assert told(bed.nodes, Arrived) == []
    call.hang_up()
