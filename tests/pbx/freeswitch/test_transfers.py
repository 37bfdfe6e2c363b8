"""Transfer keys on FreeSWITCH, which transfers at once: what was done is held, and left to the controller."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import gevent
import pytest

from contactcentre.lab import FreeswitchLab, Phone
from contactcentre.pbx.events import Ended, TransferAsked
from tests.pbx.bed import MUSIC
from tests.pbx.freeswitch.bed import FreeSwitchBed
from tests.pbx.scene import SETTLE, Scene


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
    gevent.sleep(SETTLE)
    assert scene.music(customer)
    anna.channel.hangup()
    anna.inbox.until(Ended)
    scene.everybody.remove(anna)
    scene.together(customer, ben)
    assert scene.heard() == {"customer": {"ben"}, "ben": {"customer"}}
    customer.inbox.nothing_for(0)


def test_a_carrier_moves_none_of_our_agents(scene: Scene) -> None:
    customer, anna = scene.customer(), scene.agent("anna")
    scene.together(customer, anna)
    customer.end.transfer("203")
    assert customer.end.wait_transfer() == 200  # FreeSWITCH says so at once, where its profile takes transfers
    anna.inbox.nothing_for(0.5)
    assert scene.bed.pbx.inventory().channels[anna.channel.id].ours
