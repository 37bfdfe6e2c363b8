"""Transfer keys on FreeSWITCH, which transfers by itself: what was done is held, and left to the controller."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import gevent
import pytest

from contactcentre.lab import FreeswitchLab, Phone
from contactcentre.pbx.events import Ended, PhoneHeld, TransferAsked
from contactcentre.pbx.protocol import Progress
from tests.pbx.bed import MUSIC, PATIENCE, Heard
from tests.pbx.freeswitch.bed import FreeSwitchBed
from tests.pbx.scene import BEN, SETTLE, Scene


@pytest.fixture
def scene(freeswitch: FreeswitchLab, tmp_path: Path) -> Iterator[Scene]:
    bed = FreeSwitchBed(freeswitch)
    bed.start()
    with ExitStack() as stack:
        yield Scene(bed, tmp_path, stack)
        bed.hang_up_all()
    bed.pbx.stop()
    bed.quiet()


@pytest.mark.parametrize(
    ("dialled", "target"),
    [("203", "203"), ("*2", "*2"), ("support", "support"), ("2';drop", ""), ("${system(id)}", "")],
)
def test_a_blind_transfer_is_told_and_the_customer_stays_with_us(scene: Scene, dialled: str, target: str) -> None:
    customer, anna, ben = scene.customer(), scene.agent("anna"), scene.agent("ben")
    scene.together(customer, anna)
    assert isinstance(anna.end, Phone)
    anna.end.transfer(dialled)
    asked = anna.inbox.until(TransferAsked)
    assert (asked.channel_id, asked.target, asked.other, asked.peer) == (anna.channel.id, target, "", "")
    customer.channel.wait_with_music(MUSIC)
    anna.channel.transfer_progress(Progress.DONE)
    assert anna.end.wait_transfer() == 200
    gevent.sleep(SETTLE)
    assert scene.music(customer)
    anna.channel.hangup()
    anna.inbox.until(Ended)
    scene.everybody.remove(anna)
    scene.together(customer, ben)
    assert scene.heard() == {"customer": {"ben"}, "ben": {"customer"}}
    customer.inbox.nothing_for(0)


def test_a_transfer_that_is_declined_is_told_to_the_phone_and_the_two_talk_on(scene: Scene) -> None:
    customer, anna = scene.customer(), scene.agent("anna")
    bridge = scene.together(customer, anna)
    assert isinstance(anna.end, Phone)
    for _ in range(2):
        anna.end.transfer("999")
        anna.inbox.until(TransferAsked)
        anna.channel.transfer_progress(Progress.DECLINED)
        assert anna.end.wait_transfer() == 403
        assert scene.heard() == {"customer": {"anna"}, "anna": {"customer"}}
    scene.bed.pbx.bridge(bridge).remove(customer.channel)
    gevent.sleep(SETTLE)
    assert scene.heard() == {"customer": set(), "anna": set()}, "and they can be moved as before"


def test_whom_a_phone_hands_over_is_hung_up_when_that_is_declined(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("contactcentre.pbx.freeswitch.translate.PEER_WAITS", 3600)
    customer, anna, bed = scene.customer(), scene.agent("anna"), scene.bed
    scene.together(customer, anna)
    assert isinstance(anna.end, Phone)
    anna.end.hold()
    anna.inbox.until(PhoneHeld)
    customer.channel.wait_with_music(MUSIC)
    scene.enter(bed.phone("ben", ring=0, talk=None, tone=BEN))
    call = anna.end.dial("*99", tone=1000, talk=None, patience=None)
    call.until("person")
    anna.end.transfer("*99", other=call)
    asked = anna.inbox.until(TransferAsked)
    assert (asked.channel_id, asked.target) == (anna.channel.id, "*99")
    anna.channel.transfer_progress(Progress.DECLINED)
    anna.inbox.next(Ended)
    scene.everybody.remove(anna)
    with gevent.Timeout(PATIENCE, AssertionError("the colleague is left alone")):
        while asked.peer in bed.pbx.inventory().channels:
            gevent.sleep(0.05)
    assert call.wait(PATIENCE)
    assert customer.channel.id in bed.pbx.inventory().channels


def test_an_attended_transfer_is_told_before_the_phone_is_gone_and_the_colleague_can_be_taken(scene: Scene) -> None:
    customer, anna, bed = scene.customer(), scene.agent("anna"), scene.bed
    scene.together(customer, anna)
    assert isinstance(anna.end, Phone)
    anna.end.hold()
    anna.inbox.until(PhoneHeld)
    customer.channel.wait_with_music(MUSIC)
    phone = scene.enter(bed.phone("ben", ring=0, talk=None, tone=BEN))
    call = anna.end.dial("*99", tone=1000, talk=None, patience=None)
    call.until("person")
    anna.end.transfer("*99", other=call)
    asked = anna.inbox.until(TransferAsked)
    assert (asked.channel_id, asked.target) == (anna.channel.id, "*99")
    assert anna.end.wait_transfer() == 200
    anna.inbox.next(Ended)
    scene.everybody.remove(anna)
    peer = bed.pbx.inventory().channels[asked.peer]
    assert (peer.endpoint, peer.ours) == ("ben", False)
    inbox = Heard()
    ben = bed.pbx.take(asked.peer, inbox)
    bridge = bed.pbx.bridge(bed.name("bridge"))
    bridge.add(customer.channel, ben)
    scene.onlooker("ben", BEN, phone)
    gevent.sleep(SETTLE)
    assert scene.heard() == {"customer": {"ben"}, "ben": {"customer"}}
    inbox.nothing_for(0)
    call.wait(PATIENCE)


def test_a_carrier_moves_none_of_our_agents(scene: Scene) -> None:
    customer, anna = scene.customer(), scene.agent("anna")
    scene.together(customer, anna)
    customer.end.transfer("203")
    assert customer.end.wait_transfer() == 200  # FreeSWITCH says so at once, where its profile takes transfers
    anna.inbox.nothing_for(0.5)
    assert scene.bed.pbx.inventory().channels[anna.channel.id].ours
