"""Phones' hold keys. FreeSWITCH says CHANNEL_HOLD when one was pressed. It says CHANNEL_UNHOLD also when whoever the
phone is connected with is taken away, and then no more when the phone goes on. So that one is not listened to: a phone
that sends a new offer (sofia::reinvite) is asked what it offered last.
"""

from collections.abc import Callable
from time import time

from contactcentre.pbx.events import PhoneHeld, PhoneResumed
from contactcentre.pbx.freeswitch.connection import Connection
from contactcentre.pbx.legs import Legs

OFFER = "switch_r_sdp"
"""The channel variable with the phone's last session description."""
_HELD = ("a=sendonly", "a=inactive", "c=IN IP4 0.0.0.0")


class Holds:
    """`later` runs something outside of the reader."""

    def __init__(self, link: Connection, legs: Legs, later: Callable[[Callable[[], None]], None]) -> None:
        self._link, self._legs, self._later = link, legs, later
        self._held: set[str] = set()

    def held(self, channel_id: str, at: float) -> None:
        if channel_id not in self._held:
            self._held.add(channel_id)
            self._legs.tell(PhoneHeld(channel_id, at))

    def offered(self, channel_id: str, at: float) -> None:
        """Does not wait."""
        if channel_id in self._held:
            self._later(lambda: self.saw(channel_id, self._link.request(f"uuid_getvar {channel_id} {OFFER}"), at))

    def saw(self, channel_id: str, offer: str, at: float = 0.0) -> None:
        """The phone's last session description."""
        if any(line.strip() in _HELD for line in offer.splitlines()):
            self.held(channel_id, at or time())
        elif channel_id in self._held:
            self._held.discard(channel_id)
            self._legs.tell(PhoneResumed(channel_id, at or time()))

    def ended(self, channel_id: str) -> None:
        self._held.discard(channel_id)
