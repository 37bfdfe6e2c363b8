"""Fetching callers from Asterisk's own queue in the moment in which an agent answers."""

from pathlib import Path

import gevent

from contactcentre.lab import Lab
from contactcentre.pbx.events import Arrived
from tests.pbx.bed import AsteriskBed, listed, told
from tests.waiting import eventually

_SLOW_TO_BRIDGE = """
[contactcentre-in](+)
exten => *4,1,Set(CONTACTCENTRE_DID=800)
 same => n,Set(CONTACTCENTRE_SINCE=1795000000)
 same => n,Goto(contactcentre-fallback,slow,1)

[contactcentre-fallback](+)
exten => slow,1,Set(CONTACTCENTRE_QUEUE=own)
 same => n,Answer()
 same => n,Queue(own,,,,,,slow)

[slow]
exten => s,1,Wait(3)
 same => n,Return()
"""


def test_a_caller_whom_an_agent_has_answered_is_not_fetched_though_they_do_not_hear_each_other_yet(
    fresh_lab: Lab,
) -> None:
    """A busy Asterisk needs a while between the two. Fetched then, the caller would wait for another agent, and the one
    who has answered would be hung up on."""
    bed = AsteriskBed(fresh_lab)
    with (Path(fresh_lab.info().provisioned_dir) / "extensions.conf").open("a") as file:
        file.write(_SLOW_TO_BRIDGE)
    bed.lab.rx("dialplan reload")
    bed.start()
    try:
        with bed.phone("anna", ring=0, talk=None):
            call = bed.dial("*4", talk=None, patience=None)
            eventually(lambda: [leg for leg in listed(bed, "anna") if leg.up], "the agent has answered")
            gevent.sleep(0.5)
            (customer,) = listed(bed, "lab")
            assert customer.waits, "not in a bridge"
            bed.pbx.fetch(customer.id)
            call.until("person", 20)
            assert told(bed.nodes, Arrived) == []
            call.hang_up()
    finally:
        bed.pbx.stop()
        bed.quiet()
