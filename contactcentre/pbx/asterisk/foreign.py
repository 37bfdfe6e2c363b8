"""What can be done with channels that are not in our hands: spying on them, and taking them.

A spy is a snoop channel that a supervisor hears and speaks through. Unlike the snoops of a recording it is bound to an
inbox like any leg, because whoever supervises must know when the call that is listened to is over.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from contactcentre.pbx.asterisk.entries import Entries
from contactcentre.pbx.asterisk.protocol import resource
from contactcentre.pbx.errors import Deadline, PbxError, Refused
from contactcentre.pbx.legs import Legs
from contactcentre.pbx.protocol import SPY, Inbox, Mode

_WHISPER = {Mode.LISTEN: "none", Mode.WHISPER: "out", Mode.BARGE: "both"}
"""Where Asterisk mixes in what the supervisor says: `out` is what the spied channel hears, `in` what it says."""


class Foreign:
    """`send` sends a request and returns what can be waited for."""

    def __init__(self, app: str, send: Callable[..., Any], legs: Legs, entries: Entries) -> None:
        self._app, self._send, self._legs, self._entries = app, send, legs, entries

    def spy(self, channel_id: str, spy_id: str, mode: Mode, inbox: Inbox) -> None:
        """See Pbx.spy."""
        if not spy_id.startswith(SPY):
            raise Refused(f"spy {spy_id[:100]!r}: its id must begin with {SPY!r}")
        query = {"app": self._app, "appArgs": "spy", "spy": "both", "whisper": _WHISPER[mode]}
        leg = self._legs.bind(spy_id, inbox)
        leg.placed, leg.answered = False, True
        try:
            with self._entries.expected(spy_id):
                self._send("POST", f"{resource('channels', channel_id)}/snoop/{resource(spy_id)}", query).wait()
                leg.placed = True
        except BaseException:
            self._legs.drop(spy_id)
            with suppress(PbxError):
                self._send("DELETE", resource("channels", spy_id))
            raise

    def take(self, channel_id: str, inbox: Inbox) -> None:
        """See Pbx.take. ARI moves only channels that are in an application; the dialplan moves any, so a Local channel
        goes there, does it and is gone."""
        answered = self._send("GET", resource("channels", channel_id)).wait()["state"] == "Up"
        leg = self._legs.bind(channel_id, inbox)
        leg.answered = answered
        try:
            with self._entries.expected(channel_id):
                self._redirect("take", channel_id)
        except BaseException as error:
            self._legs.drop(channel_id)
            if isinstance(error, Deadline):
                self._send("GET", resource("channels", channel_id)).wait()  # it was just going
            raise

    def fetch(self, channel_id: str) -> None:
        """See Pbx.fetch: the dialplan looks, right before it does it, whether the channel may go."""
        self._redirect("fetch", channel_id)

    def _redirect(self, way: str, channel_id: str) -> None:
        query = {"endpoint": f"Local/{way}@contactcentre-take", "context": "contactcentre-take", "extension": "wait"}
        self._send("POST", "channels", query, {"variables": {"CHANNEL_TO_TAKE": channel_id}}).wait()
