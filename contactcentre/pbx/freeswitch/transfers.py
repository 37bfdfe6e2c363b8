"""The transfer keys of agents' phones (SIP REFER).

FreeSWITCH transfers by itself, at once: whomever the phone talks with is sent into the dialplan. We lead them into a
context of ours that only parks them, tell the controller what was asked for, and leave everything else to it. The phone
has been told of success by then, and hangs up. Whoever is no agent (a carrier) moves nobody: the two are connected
again, as they are when the controller declines.
"""

from collections.abc import Callable

from contactcentre.pbx.events import TransferAsked
from contactcentre.pbx.freeswitch.places import Places
from contactcentre.pbx.freeswitch.translate import REFERRED, number_of
from contactcentre.pbx.legs import Legs


class Transfers:
    """`attempt` sends an api and does not wait, `later` runs something outside of the reader."""

    def __init__(
        self, legs: Legs, places: Places, attempt: Callable[[str], None], later: Callable[[Callable[[], None]], None]
    ) -> None:
        self._legs, self._places, self._attempt, self._later = legs, places, attempt, later
        self._phones: set[str] = set()
        self._told: set[str] = set()

    def allow(self, channel_id: str) -> None:
        """This is a phone of ours."""
        self._phones.add(channel_id)

    def ended(self, channel_id: str) -> None:
        self._phones.discard(channel_id)
        self._told.discard(channel_id)

    def parked(self, channel_id: str, target: str, at: float) -> None:
        """It was transferred by whom it was connected with, and waits in our context now."""
        self._attempt(f"uuid_setvar {channel_id} {REFERRED}")
        for other in self._places.others(channel_id):
            if other in self._phones:
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
