"""The key that takes a call after the answer: at a number outside an answering machine may have answered, and it must
never get a customer."""

from collections.abc import Callable
from contextlib import suppress

from contactcentre.pbx.errors import Gone, Refused
from contactcentre.pbx.events import Digit, PlaybackEnded
from contactcentre.pbx.protocol import Channel

SECONDS = 15.0
"""For so long, after the answer, the key can be pressed."""


class Confirming:
    """Asks who has answered for the key, again and again: whoever answers may not listen at once. Only they hear it."""

    def __init__(self, now: float, new_id: Callable[[], str], leg: Channel, key: str) -> None:
        """`new_id` makes ids of playbacks."""
        self._new_id, self._leg, self._key = new_id, leg, key
        self.until = now + SECONDS
        self._ask()

    def _ask(self) -> None:
        self._playback = self._new_id()
        with suppress(Gone, Refused):
            self._leg.play(self._playback, ["sound:vm-press", f"digits:{self._key}", "silence:1"])

    def takes(self, message: object) -> bool:
        """Whether this is the key; the question is not heard any more then."""
        match message:
            case Digit(channel_id=self._leg.id, digit=self._key):
                playback, self._playback = self._playback, ""
                with suppress(Gone, Refused):
                    self._leg.stop_playing(playback)
                return True
            case PlaybackEnded(channel_id=self._leg.id, playback_id=self._playback):
                self._ask()
        return False
