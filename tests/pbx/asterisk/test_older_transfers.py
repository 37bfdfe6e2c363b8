"""The transfer key on an Asterisk that transfers by itself: it looks to the controller as on one that does not."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import gevent
import pytest

from contactcentre.lab import Lab
from contactcentre.pbx.asterisk import connection
from contactcentre.pbx.events import Answered, Arrived, Ended, EndpointChanged, PhoneHeld, TransferAsked
from contactcentre.pbx.protocol import Progress
from tests.pbx.bed import MUSIC, AsteriskBed, Heard
from tests.pbx.scene import BEN, Scene
from tests.pbx.test_conformance_keys import phone_of
from tests.waiting import eventually


@pytest.fixture
def scene(asterisk: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    """The driver takes this Asterisk for an older one."""
    monkeypatch.setattr(connection, "speaks_rest", lambda version: False)
    bed = AsteriskBed(asterisk)
    bed.start()
    with ExitStack() as stack:
        yield Scene(bed, tmp_path, stack)
        bed.hang_up_all()
    bed.pbx.stop()
    bed.quiet()


@pytest.mark.parametrize("target", ["203", "*2", "+33140123456", "support"])
def test_a_blind_transfer_leaves_the_others_in_their_bridge_and_is_told(scene: Scene, target: str) -> None:
    customer, anna, ben = scene.customer(), scene.agent("anna"), scene.agent("ben")
    scene.together(customer, anna, ben)
    phone_of(anna).transfer(target)
    asked = anna.inbox.until(TransferAsked)
    assert (asked.channel_id, asked.target, asked.other, asked.peer) == (anna.channel.id, target, "", "")
    anna.channel.transfer_progress(Progress.TRYING)
    anna.channel.transfer_progress(Progress.DONE)
    assert phone_of(anna).wait_transfer() == 200
    anna.inbox.until(Ended)
    eventually(lambda: scene.bed.channels() == 2, "nothing stands in for the phone")
    scene.everybody.remove(anna)
    assert scene.heard() == {"customer": {"ben"}, "ben": {"customer"}}
    scene.bed.nodes.nothing_for(0, but=EndpointChanged)  # which are of the phones that came


def test_a_customer_whose_agent_transfers_can_be_moved(scene: Scene) -> None:
    customer, anna = scene.customer(), scene.agent("anna")
    scene.together(customer, anna)
    phone_of(anna).transfer("203")
    anna.inbox.until(TransferAsked)
    customer.channel.wait_with_music(MUSIC)
    eventually(
        lambda: set(scene.bed.pbx.inventory().channels) == {customer.channel.id}, "nothing stands in for the phone"
    )
    customer.inbox.nothing_for(0.2)
    ben = scene.agent("ben")
    scene.together(customer, ben)
    scene.everybody.remove(anna)
    assert scene.heard() == {"customer": {"ben"}, "ben": {"customer"}}


def test_an_attended_transfer_between_two_calls_of_ours_leaves_both_parties_to_us(scene: Scene) -> None:
    bed, customer, anna, ben = scene.bed, scene.customer(), scene.agent("anna"), scene.agent("ben")
    scene.together(customer, anna)
    phone_of(anna).hold()
    anna.inbox.until(PhoneHeld)
    call = phone_of(anna).dial("*70", tone=1000, talk=None, patience=None)
    arrived = bed.nodes.until(Arrived)
    inbox = Heard()
    consulting = bed.pbx.adopt(arrived.channel_id, inbox)
    consulting.answer()
    inbox.until(Answered)
    bed.pbx.bridge(bed.name("bridge")).add(consulting, ben.channel)
    call.until("person")
    phone_of(anna).transfer("*70", other=call)
    asked = anna.inbox.until(TransferAsked)
    assert (asked.target, asked.other, asked.peer) == ("*70", consulting.id, "")
    anna.inbox.until(Ended)
    inbox.until(Ended)
    eventually(lambda: bed.channels() == 2, "nothing stands in for the phone's calls")
    scene.together(customer, ben)
    scene.everybody.remove(anna)
    assert scene.heard() == {"customer": {"ben"}, "ben": {"customer"}}


def test_an_attended_transfer_to_a_call_of_the_dialplan_gives_us_its_party(scene: Scene) -> None:
    bed, customer, anna = scene.bed, scene.customer(), scene.agent("anna")
    scene.together(customer, anna)
    ben = scene.enter(bed.phone("ben", ring=0, talk=None, tone=BEN))
    phone_of(anna).hold()
    anna.inbox.until(PhoneHeld)
    call = phone_of(anna).dial("*99", tone=1000, talk=None, patience=None)
    call.until("person")
    phone_of(anna).transfer("*99", other=call)
    asked = anna.inbox.until(TransferAsked)
    assert asked.target == "*99"
    inbox = Heard()
    expert = bed.pbx.adopt(asked.peer, inbox)
    anna.inbox.until(Ended)
    customer.channel.wait_with_music(MUSIC)
    bed.pbx.bridge(bed.name("bridge")).add(customer.channel, expert)
    scene.everybody.remove(anna)
    scene.onlooker("ben", BEN, ben)
    assert scene.heard() == {"customer": {"ben"}, "ben": {"customer"}}
    ben.hang_up()
    inbox.until(Ended)
    gevent.sleep(0)
    customer.inbox.nothing_for(0)
