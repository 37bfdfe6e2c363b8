"""The hold and transfer keys of agents' phones: every PBX driver tells them, and does nothing by itself."""

from collections.abc import Iterator
from contextlib import contextmanager

import gevent
import pytest

from contactcentre.lab import OngoingCall, Phone
from contactcentre.pbx.events import Answered, Arrived, Ended, PhoneHeld, PhoneResumed, TransferAsked
from contactcentre.pbx.protocol import Progress
from tests.pbx.bed import MUSIC, MUSIC_TONE, PATIENCE, Heard
from tests.pbx.scene import ANNA, BEN, Party, Scene
from tests.pbx.spectrum import share

OWN_MUSIC = 2200
"""What a phone plays to those it holds, Hz."""


def phone_of(party: Party) -> Phone:
    assert isinstance(party.end, Phone)
    return party.end


def test_the_hold_key_is_told_and_so_is_its_end(scene: Scene) -> None:
    customer, anna = scene.customer(), scene.agent("anna")
    scene.together(customer, anna)
    phone_of(anna).hold()
    held = anna.inbox.next(PhoneHeld)
    assert held.channel_id == anna.channel.id
    phone_of(anna).resume()
    assert anna.inbox.next(PhoneResumed).at >= held.at
    customer.inbox.nothing_for(0.2)
    assert scene.heard() == {"customer": {"anna"}, "anna": {"customer"}}


def test_a_customer_who_is_moved_hears_that_music_and_no_other_while_the_phone_holds(scene: Scene) -> None:
    customer, anna = scene.customer(), scene.agent("anna")
    bridge_id = scene.together(customer, anna)
    phone_of(anna).hold(music=OWN_MUSIC)
    anna.inbox.next(PhoneHeld)
    customer.channel.wait_with_music(MUSIC)
    gevent.sleep(1)
    heard = customer.end.hear(1, scene.file("held")).wait()
    assert share(heard, MUSIC_TONE) > 0.9
    phone_of(anna).resume()
    anna.inbox.next(PhoneResumed)
    scene.bed.pbx.bridge(bridge_id).add(customer.channel)
    assert scene.heard() == {"customer": {"anna"}, "anna": {"customer"}}


def test_in_a_conference_a_phone_that_holds_leaves_the_others_talking(scene: Scene) -> None:
    customer, anna, ben = scene.customer(), scene.agent("anna"), scene.agent("ben")
    scene.together(customer, anna, ben)
    phone_of(anna).hold(music=OWN_MUSIC)
    anna.inbox.next(PhoneHeld)
    anna.channel.mute()
    gevent.sleep(0.3)
    heard = customer.end.hear(0.5, scene.file("held")).wait()
    assert share(heard, BEN) > 0.9
    phone_of(anna).resume()
    anna.channel.unmute()
    assert scene.heard()["customer"] == {"anna", "ben"}


@pytest.mark.usefixtures("left_to_us")
@pytest.mark.parametrize("target", ["203", "*2", "+33140123456", "support"])
def test_a_blind_transfer_is_told_and_nobody_is_transferred(scene: Scene, target: str) -> None:
    customer, anna = scene.customer(), scene.agent("anna")
    scene.together(customer, anna)
    phone_of(anna).transfer(target)
    asked = anna.inbox.until(TransferAsked)
    assert (asked.channel_id, asked.target, asked.other, asked.peer) == (anna.channel.id, target, "", "")
    anna.channel.transfer_progress(Progress.TRYING)
    gevent.sleep(0.3)
    assert scene.heard() == {"customer": {"anna"}, "anna": {"customer"}}
    assert scene.bed.channels() == 2
    anna.channel.transfer_progress(Progress.DONE)
    assert phone_of(anna).wait_transfer() == 200
    assert set(phone_of(anna).transferring) == {202, 100, 200}  # datagrams may overtake each other
    anna.inbox.next(Ended)
    customer.inbox.nothing_for(0.3)


@pytest.mark.usefixtures("left_to_us")
@pytest.mark.parametrize(("progress", "status"), [(Progress.DECLINED, 603), (Progress.UNAVAILABLE, 503)])
def test_a_phone_whose_transfer_fails_is_told_why_and_talks_on(scene: Scene, progress: Progress, status: int) -> None:
    customer, anna = scene.customer(), scene.agent("anna")
    scene.together(customer, anna)
    for _ in range(2):
        phone_of(anna).transfer("203")
        anna.inbox.until(TransferAsked)
        anna.channel.transfer_progress(progress)
        assert phone_of(anna).wait_transfer() == status
    assert scene.heard() == {"customer": {"anna"}, "anna": {"customer"}}


@pytest.mark.usefixtures("left_to_us")
@pytest.mark.parametrize("target", ["a b", "2';drop", "${SHELL(id)}"])
def test_a_transfer_to_what_is_no_number_is_told_without_one(scene: Scene, target: str) -> None:
    customer, anna = scene.customer(), scene.agent("anna")
    scene.together(customer, anna)
    phone_of(anna).transfer(target)
    assert anna.inbox.until(TransferAsked).target == ""
    anna.channel.transfer_progress(Progress.DECLINED)
    assert phone_of(anna).wait_transfer() == 603


def test_telling_a_phone_about_a_transfer_that_it_did_not_ask_for_is_no_error(scene: Scene) -> None:
    customer, anna = scene.customer(), scene.agent("anna")
    scene.together(customer, anna)
    anna.channel.transfer_progress(Progress.DONE)
    anna.inbox.nothing_for(0.2)
    assert scene.heard() == {"customer": {"anna"}, "anna": {"customer"}}


def test_a_phone_holds_until_its_key_is_pressed_again_wherever_the_other_one_is_taken(scene: Scene) -> None:
    customer, anna = scene.customer(), scene.agent("anna")
    scene.together(customer, anna)
    phone_of(anna).hold()
    anna.inbox.next(PhoneHeld)
    customer.channel.wait_with_music(MUSIC)
    anna.inbox.nothing_for(0.5)
    phone_of(anna).resume()
    anna.inbox.next(PhoneResumed)
    scene.together(customer, anna)
    assert scene.heard() == {"customer": {"anna"}, "anna": {"customer"}}


@contextmanager
def second_call(scene: Scene, anna: Party, number: str) -> Iterator[OngoingCall]:
    """The phone of an agent calls somebody else meanwhile, as one does before an attended transfer."""
    phone_of(anna).hold()
    anna.inbox.next(PhoneHeld)
    call = phone_of(anna).dial(number, tone=1000, talk=None, patience=None)
    call.until("answered")
    yield call
    call.hang_up()


@pytest.mark.usefixtures("left_to_us")
def test_an_attended_transfer_names_the_phones_other_call_in_our_hands(scene: Scene) -> None:
    customer, anna = scene.customer(), scene.agent("anna")
    bed = scene.bed
    scene.together(customer, anna)
    phone_of(anna).hold()
    anna.inbox.next(PhoneHeld)
    call = phone_of(anna).dial("*70", tone=1000, talk=None, patience=None)
    arrived = bed.nodes.until(Arrived)
    inbox = Heard()
    consulting = bed.pbx.adopt(arrived.channel_id, inbox)
    consulting.answer()
    inbox.next(Answered)
    call.until("answered")
    phone_of(anna).transfer("*70", other=call)
    asked = anna.inbox.until(TransferAsked)
    assert (asked.target, asked.other, asked.peer) == ("*70", consulting.id, "")
    anna.channel.transfer_progress(Progress.DONE)
    assert phone_of(anna).wait_transfer() == 200
    anna.inbox.until(Ended)
    call.hang_up()
    customer.inbox.nothing_for(0.2)


@pytest.mark.usefixtures("left_to_us")
def test_an_attended_transfer_names_the_other_call_and_its_peer_in_the_dialplan(scene: Scene) -> None:
    customer, anna = scene.customer(), scene.agent("anna")
    bed = scene.bed
    scene.together(customer, anna)
    scene.enter(bed.phone("ben", ring=0, talk=None, tone=BEN))
    with second_call(scene, anna, "*99") as call:
        call.until("person")  # the two are connected, and not only answered
        phone_of(anna).transfer("*99", other=call)
        asked = anna.inbox.until(TransferAsked)
        channels = bed.pbx.inventory().channels
        assert asked.target == "*99"
        assert channels[asked.other].endpoint == "anna"
        assert channels[asked.peer].endpoint == "ben"
        assert not channels[asked.peer].ours
        anna.channel.transfer_progress(Progress.DECLINED)
        assert phone_of(anna).wait_transfer() == 603
    assert call.wait(PATIENCE).answered


def test_a_customers_line_can_hold_but_not_transfer(scene: Scene) -> None:
    """What a customer's carrier asks for must not move our agents."""
    if not scene.bed.declines_carriers:
        pytest.skip("this PBX says yes to a carrier and moves nobody, which is tested with it")
    customer, anna = scene.customer(), scene.agent("anna")
    scene.together(customer, anna)
    customer.end.hold()
    customer.inbox.next(PhoneHeld)
    customer.end.resume()
    customer.inbox.next(PhoneResumed)
    customer.end.transfer("203")
    assert customer.end.wait_transfer() == 603
    customer.inbox.nothing_for(0.2)
    assert scene.heard() == {"customer": {"anna"}, "anna": {"customer"}}


@pytest.mark.usefixtures("left_to_us")
def test_a_phone_that_dialled_into_our_hands_has_its_transfer_told_too(scene: Scene) -> None:
    """An agent who takes a parked call by its code."""
    bed, customer = scene.bed, scene.customer()
    phone = scene.enter(bed.phone("anna", ring=0, talk=None))
    call = phone.dial("*70", tone=ANNA, talk=None, patience=None)
    arrived = bed.nodes.until(Arrived)
    inbox = Heard()
    channel = bed.pbx.adopt(arrived.channel_id, inbox)
    channel.answer()
    inbox.next(Answered)
    call.until("answered")
    bed.pbx.bridge(bed.name("bridge")).add(customer.channel, channel)
    call.transfer("203")
    assert inbox.until(TransferAsked).target == "203"
    channel.transfer_progress(Progress.DONE)
    assert call.wait_transfer() == 200
    inbox.next(Ended)
    customer.inbox.nothing_for(0.2)
