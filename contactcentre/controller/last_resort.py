"""The last resort, when no controller comes back: callers who hear nobody are led on to the PBX's own queues.

A call that is in our hands stays there when its controller is gone: it talks on, or hears the music of a queue in which
nobody is looked for. The next controller takes it up. Where none comes, this does what the dialplan does with callers
who come now. Who talks is not touched; somebody on hold is led on, too, as nobody could ever take them back. Should a
controller come after all, it fetches who still waits there.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import structlog
from gevent.event import Event as Flag

from contactcentre.pbx.errors import Gone, LinkDown, PbxError, Refused
from contactcentre.pbx.events import LinkLost, LinkUp, NodeEvent
from contactcentre.pbx.protocol import FALLBACK, LINE, ChannelInfo, Inventory, Pbx, fetchable

log = structlog.get_logger(__name__)

LINKED_WITHIN = 10.0
"""Seconds that the PBX may take to let us in."""


@dataclass(frozen=True, slots=True)
class LedOn:
    led_on: int
    """Callers who wait in a queue of the PBX's own now."""
    left: int
    """Callers who hear nobody, and for whose number there is no such queue."""


def lead_on(pbx: Pbx, queues: Mapping[str, str], waits_in: Mapping[str, str]) -> LedOn:
    """`queues`: number of ours -> its queue in the PBX; `waits_in`: channel -> the queue it waits in, of those of whom
    that is known. `pbx` is not started. Raises LinkDown when it cannot be reached, or a controller has come."""
    linked, lost = Flag(), Flag()

    def told(event: NodeEvent) -> None:
        if isinstance(event, LinkUp):
            linked.set()
        elif isinstance(event, LinkLost):
            lost.set()

    pbx.start(told)
    try:
        if not linked.wait(LINKED_WITHIN):
            raise LinkDown(f"no link to the PBX within {LINKED_WITHIN:g} s")
        led_on = left = 0
        for caller in _alone(pbx.inventory(), queues):
            if lost.is_set():
                raise LinkDown("a controller has come: the callers are its own")
            if queue := waits_in.get(caller.id) or queues[caller.dialled]:
                led_on += _lead(pbx, caller, queue)
            else:
                left += 1
        return LedOn(led_on, left)
    finally:
        pbx.stop()


def _alone(there: Inventory, queues: Mapping[str, str]) -> list[ChannelInfo]:
    """The callers who hear nobody, the one who came first before all others."""
    together = {
        channel
        for bridge in there.bridges.values()
        if bridge.kind == "mixing" and len(there.channels.keys() & set(bridge.channels)) > 1
        for channel in bridge.channels
    }
    callers = [
        one
        for one in there.channels.values()
        if one.ours and not one.contact_id and one.dialled in queues and not one.id.startswith(LINE)
    ]
    return [one for one in sorted(callers, key=lambda one: one.created_at) if one.id not in together]


def _lead(pbx: Pbx, caller: ChannelInfo, queue: str) -> bool:
    try:
        channel = pbx.adopt(caller.id, lambda event: None)
        for name, value in fetchable(caller.dialled, caller.created_at, queue).items():
            channel.set_variable(name, value)
        channel.leave_to(FALLBACK, queue)
    except Gone:
        return False
    except (Refused, LinkDown):
        raise
    except PbxError as error:
        log.warning("caller not led on", channel=caller.id, error=str(error))
        return False
    return True
