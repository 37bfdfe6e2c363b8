"""Hold and transfer keys of other makers' phones do what those of the lab's phones do."""

import shutil
import socket
from pathlib import Path

import gevent
import pytest

from contactcentre.lab.ports import free_port
from contactcentre.pbx.events import Answered, Ended, PhoneHeld, PhoneResumed, TransferAsked
from contactcentre.pbx.protocol import Progress
from tests.pbx.bed import MUSIC, MUSIC_TONE, SECRET, AsteriskBed
from tests.pbx.other_phones import baresip, sipp
from tests.pbx.scene import BEN, Scene
from tests.pbx.spectrum import share
from tests.waiting import eventually


@pytest.mark.usefixtures("left_to_us")
@pytest.mark.skipif(shutil.which("sipp") is None, reason="sipp is not installed: apt install sip-tester")
def test_hold_and_transfer_keys_of_sipp(scene: Scene, tmp_path: Path) -> None:
    bed = scene.bed
    assert isinstance(bed, AsteriskBed)
    port = free_port(socket.SOCK_DGRAM)
    bed.place("elsewhere", f"127.0.0.1:{port}")
    with sipp(tmp_path, bed.address, port, "203") as phone:
        customer = scene.customer()
        leg, inbox = bed.call("elsewhere")
        inbox.until(Answered)
        bed.pbx.bridge(bed.name("bridge")).add(customer.channel, leg)
        inbox.until(PhoneHeld)
        inbox.until(PhoneResumed)
        assert inbox.until(TransferAsked).target == "203"
        leg.transfer_progress(Progress.DONE)
        inbox.until(Ended)
        assert phone.wait(60) == 0, (tmp_path / "errors").read_text()
        customer.inbox.nothing_for(0.1)


@pytest.mark.usefixtures("left_to_us")
@pytest.mark.skipif(shutil.which("baresip") is None, reason="baresip is not installed: apt install baresip-core")
def test_hold_and_transfer_keys_of_baresip(scene: Scene, tmp_path: Path) -> None:
    bed = scene.bed
    assert isinstance(bed, AsteriskBed)
    with baresip(tmp_path, bed.address, free_port(socket.SOCK_DGRAM), "ben", SECRET, BEN) as phone:
        eventually(lambda: bed.pbx.reachable().get("ben"), "baresip is registered")
        customer = scene.customer()
        leg, inbox = bed.call("ben")
        inbox.until(Answered)
        bridge = bed.pbx.bridge(bed.name("bridge"))
        bridge.add(customer.channel, leg)
        gevent.sleep(1)  # of talk
        assert share(customer.end.hear(0.5, tmp_path / "talk.wav").wait(), BEN) > 0.9
        phone.do("hold")
        inbox.until(PhoneHeld)
        customer.channel.wait_with_music(MUSIC)
        gevent.sleep(1)  # of music
        assert share(customer.end.hear(0.5, tmp_path / "hold.wav").wait(), MUSIC_TONE) > 0.9
        phone.do("resume")
        inbox.until(PhoneResumed)
        bridge.add(customer.channel)
        gevent.sleep(0.5)
        assert share(customer.end.hear(0.5, tmp_path / "again.wav").wait(), BEN) > 0.9
        phone.do("transfer", f"sip:203@{bed.address}")
        assert inbox.until(TransferAsked).target == "203"
        leg.transfer_progress(Progress.DONE)
        inbox.until(Ended)
        customer.inbox.nothing_for(0.1)
