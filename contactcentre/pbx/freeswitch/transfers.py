"""The transfer keys of agents' phones (SIP REFER).

FreeSWITCH transfers by itself: whomever the phone talks with is sent into the dialplan. We lead them into a context of
ours that only parks them, tell the controller what was asked for, and leave everything else to it. The phone is told
nothing before the controller has decided (`confirm_blind_transfer`); when it declines, FreeSWITCH connects the two
again by itself. Whoever is no agent (a carrier) moves nobody: it is told of success, and the two are connected again.

A phone that hands over a call which it made by itself meanwhile has the customer on hold, who is on music then. Of such
two calls FreeSWITCH leads the one whom the phone has called to the phone's own `inline_destination`, says yes, and ends
the phone's calls. So that one parks, and the end of the phone's leg is told after the transfer. Where the customer is
not on hold, or the other one still rings, it refuses (403).
"""

from collections.abc import Callable
from contextlib import ExitStack, suppress

from gevent.event import Event as Flag

from contactcentre.pbx.errors import Gone, PbxError
from contactcentre.pbx.events import TransferAsked
from contactcentre.pbx.freeswitch.awaited import BRIDGED, Awaited
from contactcentre.pbx.freeswitch.connection import Connection
from contactcentre.pbx.freeswitch.places import Places
from contactcentre.pbx.freeswitch.reader import Event
from contactcentre.pbx.freeswitch.stock import Stocked, variable
from contactcentre.pbx.freeswitch.translate import ATTENDED, REFERRED, hand_over, number_of, referred_to
from contactcentre.pbx.legs import Legs

CONFIRM = "confirm_blind_transfer"
PEER_WITHIN = 1.0
"""Seconds in which whom a phone hands over has parked."""
DECIDED_WITHIN = 1.0
"""Seconds after a phone's attended transfer in which its leg, which is gone, can still be told what became of it."""


class Transfers:
    """`later` runs something outside of the reader."""

    def __init__(
        self,
        app: str,
        link: Connection,
        legs: Legs,
        places: Places,
        awaited: Awaited,
        later: Callable[[Callable[[], None]], None],
    ) -> None:
        self._app, self._link = app, link
        self._legs, self._places, self._awaited, self._later = legs, places, awaited, later
        self._phones: set[str] = set()
        self._told: set[str] = set()
        self._asked: dict[str, str] = {}  # a phone's leg -> whom it transfers, until it is told what becomes of it
        self._peers: dict[str, tuple[str, str]] = {}  # a phone's leg -> whom it hands over, and the number
        self._ending: dict[str, Flag] = {}  # phones' legs that are gone, and whose peers are not there yet
        self._deciding: dict[str, tuple[str, Flag]] = {}  # phones' legs that are gone, whom they hand over; decided?

    def allow(self, channel_id: str) -> None:
        """This is a phone of ours."""
        self._phones.add(channel_id)

    def variables(self, channel_id: str) -> dict[str, str]:
        """Of a phone of ours."""
        return {"inline_destination": hand_over(self._app, channel_id), CONFIRM: "true"}

    def is_phone(self, channel: Stocked) -> bool:
        """Did an earlier controller know it as a phone of ours?"""
        return variable(channel, CONFIRM) == "true"

    def confirm(self, channel_id: str, *, done: bool) -> None:
        """Tells the phone what becomes of the transfer that it asked for. If it is not `done` FreeSWITCH connects the
        two again; after an attended transfer, whom the phone has called is hung up. Raises LinkDown, Deadline."""
        if channel_id in self._deciding:
            peer, decided = self._deciding.pop(channel_id)
            if not done:
                self._link.send(f"uuid_kill {peer}")
            return decided.set()
        if not (customer := self._asked.pop(channel_id, "")):
            return None
        with suppress(Gone), ExitStack() as stack:
            if not done:
                stack.enter_context(self._awaited.expected(BRIDGED, channel_id, customer))
            told = self._link.link().execute(customer, "blind_transfer_ack", str(done).lower(), queued=False)
            told.wait()  # not before may the phone's leg be hung up
        if not done:
            self._places.reconnect(channel_id)
        return None

    def handed_over(self, event: Event, peer: str) -> None:
        """Whom a phone of ours has called by itself is parked now."""
        channel_id = event[f"variable_{ATTENDED}"]
        if channel_id in self._phones:
            self._peers[channel_id] = peer, referred_to(event)
            if (ending := self._ending.get(channel_id)) is not None:
                ending.set()

    def ends(self, channel_id: str, event: Event, at: float, end: Callable[[], None]) -> None:
        """The leg is gone; `end` tells it, after the transfer that it ended with."""
        if event.get("Hangup-Cause") != "ATTENDED_TRANSFER" or channel_id not in self._phones:
            return end()
        ready = self._ending[channel_id] = Flag()
        if channel_id in self._peers:
            ready.set()

        def finish() -> None:
            ready.wait(PEER_WITHIN)
            del self._ending[channel_id]
            peer, target = self._peers.get(channel_id, ("", ""))
            if peer:
                other = event.get("variable_refer_uuid", "")
                self._deciding[channel_id] = peer, (decided := Flag())
                self._legs.tell(TransferAsked(channel_id, at, number_of(target), other, peer))
                decided.wait(DECIDED_WITHIN)
                self._deciding.pop(channel_id, None)
            end()

        return self._later(finish)

    def ended(self, channel_id: str) -> None:
        self._phones.discard(channel_id)
        self._told.discard(channel_id)
        self._peers.pop(channel_id, None)
        self._asked.pop(channel_id, None)

    def parked(self, channel_id: str, target: str, at: float) -> None:
        """It was transferred by whom it was connected with, and waits in our context now."""
        with suppress(PbxError):
            self._link.send(f"uuid_setvar {channel_id} {REFERRED}")
        for other in self._places.others(channel_id):
            if other in self._phones:
                self._asked[other] = channel_id
                self._tell(other, target, at)
            else:
                self.undo(channel_id)

    def hangs_up(self, channel_id: str, destination: str, at: float) -> None:
        """It is just going, mostly before the other one has come anywhere. `destination`: `blind:NUMBER` if it asked
        for a transfer at some time."""
        kind, _, target = destination.partition(":")
        if kind == "blind" and channel_id in self._phones and channel_id not in self._told:
            for other in self._places.others(channel_id):
                self._places.transferred(other)
            self._tell(channel_id, target, at)

    def _tell(self, channel_id: str, target: str, at: float) -> None:
        self._told.add(channel_id)
        self._legs.tell(TransferAsked(channel_id, at, number_of(target)))

    def undo(self, channel_id: str) -> None:
        """Who is in its bridge is connected again."""
        bridge_id = self._places.where(channel_id)
        self._later(lambda: self._places.rearrange(bridge_id))
