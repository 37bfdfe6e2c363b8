"""Whether anything comes from the agents whose phone is a window of a browser, while they talk with a customer.

A browser sends sound all the time, also while its microphone is muted: where nothing comes, its network is gone, its
computer sleeps, or it was killed. No PBX tells that by itself, so it is asked how many packets have come: every second,
and more often as long as none do. Other phones are not asked about: they may send nothing while nobody speaks.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import gevent
import structlog

from contactcentre.controller.contact import Contact, Sound
from contactcentre.controller.node import Node
from contactcentre.domain.devices import Kind
from contactcentre.pbx.errors import Gone, PbxError, Refused

log = structlog.get_logger(__name__)

OFTEN = 0.25
"""Seconds between two questions about a window from which nothing comes, or not yet."""
SELDOM = 4
"""Every so many of these the others are asked about, too."""
SILENT_SECONDS = 3.0
"""A window from which nothing has come for so long is lost; by then a short gap in the network is over."""


@dataclass(slots=True)
class _Watched:
    browser: bool  # whether it is a browser's leg at all
    packets: int = -1
    at: float = 0.0  # when they became that many, epoch seconds
    comes: bool | None = None  # what was told last


class Sounds:
    """Tells the contacts (`Sound`): that it is silent again and again, that it comes once."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._watched: dict[str, _Watched] = {}  # by leg

    def run(self) -> None:
        for number in count():
            gevent.sleep(OFTEN)
            try:
                self._look(all_=number % SELDOM == 0)
            except PbxError as error:  # what was not asked now is asked the next time
                log.info("sound not asked about", error=str(error))

    def _look(self, all_: bool) -> None:
        """Raises LinkDown, Deadline."""
        talking = dict(self._talking())
        self._watched = {leg: one for leg, one in self._watched.items() if leg in talking}
        for leg, contact in talking.items():
            if leg not in self._watched:  # by what an agent is called may change during a call
                self._watched[leg] = _Watched(self._node.device(contact.now.agent).kind is Kind.WEBRTC)
            if self._watched[leg].browser and (all_ or not self._watched[leg].comes):
                self._ask(leg, contact, self._watched[leg])

    def _talking(self) -> Iterator[tuple[str, Contact]]:
        for contact in list(self._node.contacts.values()):
            if contact.in_talk and (leg := contact.now.channels.get("agent")):
                yield leg, contact

    def _ask(self, leg: str, contact: Contact, known: _Watched) -> None:
        try:
            packets = contact.channel(leg).packets()
        except Gone:
            return None
        except Refused as error:
            log.info("the PBX does not say what comes from a leg", leg=leg, error=str(error))
            known.browser = False
            return contact.post(Sound(leg, comes=True))
        now = self._node.now()
        if packets != known.packets:
            if known.packets >= 0 and not known.comes:
                known.comes = True
                contact.post(Sound(leg, comes=True))
            known.packets, known.at = packets, now
        elif now - known.at >= SILENT_SECONDS:
            known.comes = False
            contact.post(Sound(leg, comes=False))
        return None
