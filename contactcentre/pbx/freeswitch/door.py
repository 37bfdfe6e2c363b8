"""How a call comes into our hands, and falls back to the dialplan when there are none.

The dialplan connects to us (`socket`), at the address that we left in a global variable. We say that the call is ours,
and go: what comes behind `socket` then parks it, and from there on it is held by FreeSWITCH and not by this connection,
so that it outlives us. Nobody there, or no link: the dialplan goes its other way at once.
"""

from collections.abc import Callable
from contextlib import suppress

from contactcentre.pbx.errors import PbxError
from contactcentre.pbx.freeswitch import protocol
from contactcentre.pbx.freeswitch.outbound import OutboundESLServer, OutboundSession
from contactcentre.pbx.freeswitch.stock import NOTE
from contactcentre.pbx.freeswitch.translate import APP, HANDS

VARIABLE = "contactcentre_door"
"""The global variable with our address."""
NEXT = "contactcentre_next"
"""What the dialplan does behind `socket`: `taken`, or what it has set there before."""


class Door:
    """`open` says whether calls can be taken now."""

    def __init__(self, app: str, host: str, open: Callable[[], bool]) -> None:
        self._app, self._host, self._open = app, host, open
        self._server: OutboundESLServer | None = None

    @property
    def address(self) -> str:
        return f"{self._host}:{self._server.port}" if self._server is not None else ""

    def start(self) -> None:
        """Raises OSError when it cannot listen."""
        server = OutboundESLServer(self._host, 0, self._taking)
        server.start()
        self._server = server

    def stop(self) -> None:
        if self._server is not None:
            self._server.stop()
            self._server = None

    def _taking(self, session: OutboundSession) -> "_Taking":
        return _Taking(session, self._app, self._open)


class _Taking:
    def __init__(self, session: OutboundSession, app: str, open: Callable[[], bool]) -> None:
        self._session, self._app, self._open = session, app, open

    def run(self) -> None:
        if not self._open():
            return
        self._session.connect()
        variables = {**HANDS, APP: self._app, NEXT: "taken"}
        values = ";".join(f"{name}={value}" for name, value in variables.items())
        channel_id = protocol.identity(self._session.uuid)
        with suppress(PbxError):  # the caller hung up
            self._session.api(f"{NOTE}/{self._app}/{channel_id}/1")
            self._session.api(f"uuid_setvar_multi {channel_id} {values}")
