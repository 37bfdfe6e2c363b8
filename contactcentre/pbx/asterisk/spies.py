"""Spies: snoop channels that a supervisor hears and speaks through.

Unlike the snoops of a recording they are bound to an inbox like any leg, because whoever supervises must know when the
call that is listened to is over. Like them they can be used only after their own StasisStart.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from gevent.event import AsyncResult

from contactcentre.pbx.asterisk.legs import Legs
from contactcentre.pbx.asterisk.protocol import resource
from contactcentre.pbx.errors import Deadline, Gone, PbxError, Refused
from contactcentre.pbx.protocol import REQUEST_DEADLINE, SPY, Inbox, Mode

_WHISPER = {Mode.LISTEN: "none", Mode.WHISPER: "out", Mode.BARGE: "both"}
"""Where Asterisk mixes in what the supervisor says: `out` is what the spied channel hears, `in` what it says."""


class Spies:
    """`send` sends a request and returns what can be waited for."""

    def __init__(self, app: str, send: Callable[..., Any], legs: Legs) -> None:
        self._app, self._send, self._legs = app, send, legs
        self._starting: dict[str, AsyncResult[None]] = {}

    def start(self, channel_id: str, spy_id: str, mode: Mode, inbox: Inbox) -> None:
        """See Pbx.spy."""
        if not spy_id.startswith(SPY):
            raise Refused(f"spy {spy_id[:100]!r}: its id must begin with {SPY!r}")
        query = {"app": self._app, "appArgs": "spy", "spy": "both", "whisper": _WHISPER[mode]}
        ready = self._starting[spy_id] = AsyncResult()
        leg = self._legs.bind(spy_id, inbox)
        leg.placed, leg.answered = False, True
        try:
            self._send("POST", f"{resource('channels', channel_id)}/snoop/{resource(spy_id)}", query).wait()
            leg.placed = True
            ready.wait(REQUEST_DEADLINE)
            if not ready.ready():
                raise Deadline(f"spy {spy_id}: did not start within {REQUEST_DEADLINE} s")
            ready.get()
        except BaseException:
            self._legs.drop(spy_id)
            with suppress(PbxError):
                self._send("DELETE", resource("channels", spy_id))
            raise
        finally:
            del self._starting[spy_id]

    # -- events, called by the reader ------------------------------------------------------------------------------

    def started(self, channel_id: str) -> None:
        if (ready := self._starting.get(channel_id)) is not None:
            ready.set(None)

    def ended(self, channel_id: str) -> None:
        self._fail(channel_id, Gone("the channel ended before anybody could listen to it"))

    def lost(self, error: PbxError) -> None:
        """The link is gone: nobody shall wait for what we cannot hear."""
        for spy_id in self._starting:
            self._fail(spy_id, error)

    def _fail(self, spy_id: str, error: PbxError) -> None:
        if (ready := self._starting.get(spy_id)) is not None and not ready.ready():
            ready.set_exception(error)
