"""An Asterisk that is killed and comes back."""

import os
import signal
import subprocess
import sys

from contactcentre.lab import Lab
from contactcentre.pbx.events import Answered, Arrived, Ended, LinkLost, LinkUp
from tests.pbx.bed import MUSIC, AsteriskBed


def test_a_killed_pbx_ends_every_call_and_serves_new_ones_when_it_is_back(fresh_lab: Lab) -> None:
    bed = AsteriskBed(fresh_lab)
    bed.start()
    try:
        arrival = bed.arrive()
        arrival.channel.answer()
        arrival.inbox.next(Answered)
        arrival.channel.wait_with_music(MUSIC)
        os.kill(fresh_lab.info().pid, signal.SIGKILL)
        bed.nodes.until(LinkLost)
        fresh_lab.start(until_parent_dies=True)
        bed.nodes.until(LinkUp)
        arrival.inbox.next(Ended)
        again = bed.arrive()
        again.channel.answer()
        again.inbox.next(Answered)
        again.channel.wait_with_music(MUSIC)
        (room,) = bed.pbx.inventory().bridges.values()
        assert room.channels == (again.channel.id,)
    finally:
        bed.pbx.stop()
        bed.hang_up_all()


def test_the_driver_works_in_a_process_that_gevent_has_not_patched(asterisk: Lab) -> None:
    info = asterisk.info()
    script = """
import sys
from gevent import monkey
from gevent.queue import Queue
from contactcentre.pbx.asterisk import AsteriskPbx
from contactcentre.pbx.events import LinkUp
url, user = sys.argv[1:]
pbx, nodes = AsteriskPbx("node1", url, user, sys.stdin.read(), "unpatched"), Queue()
pbx.start(nodes.put)
assert isinstance(nodes.get(timeout=60), LinkUp)
pbx.bridge("from-an-unpatched-process").destroy()
pbx.inventory()
pbx.phones()
pbx.stop()
assert not monkey.is_module_patched("socket")
print("well")
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script, info.ari_url, info.ari_user],
        input=info.ari_secret,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.stdout == "well\n", done.stderr


def test_a_caller_in_the_hands_of_nobody_is_found_by_the_next_controller(asterisk: Lab) -> None:
    bed = AsteriskBed(asterisk)
    bed.start()
    arrival = bed.arrive()
    arrival.channel.answer()
    arrival.inbox.next(Answered)
    arrival.channel.set_variable("CONTACT_ID", "the-contact")
    bed.pbx.stop()
    following = AsteriskBed(asterisk)
    following.start()
    try:
        found = following.pbx.inventory().channels[arrival.channel.id]
        assert (found.ours, found.contact_id, found.up) == (True, "the-contact", True)
        assert all(not isinstance(event, Arrived) for event in following.nodes.all)
    finally:
        following.pbx.stop()
        following.quiet()
