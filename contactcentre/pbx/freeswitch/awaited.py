"""Waiting until a channel is where it was sent.

FreeSWITCH answers a transfer or a bridge at once, and does it 20 to 60 ms later, when the channel's own thread comes to
it. What is asked of the channel meanwhile may meet it half-way. So a move is over when its event came.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from gevent.event import AsyncResult

from contactcentre.pbx.errors import Deadline, Gone, PbxError
from contactcentre.pbx.freeswitch.reader import Event
from contactcentre.pbx.protocol import REQUEST_DEADLINE

PARKED = "park"
BRIDGED = "bridge"
"""What can be awaited, besides names of applications."""


class Awaited:
    def __init__(self) -> None:
        self._awaited: dict[tuple[str, str], AsyncResult[Event]] = {}

    @contextmanager
    def expected(self, what: str, *channel_ids: str) -> "Iterator[AsyncResult[Event]]":
        """Ask for it inside; the end of the block waits until it happened to any of them. Raises Gone (one of them
        ended before), LinkDown, Deadline."""
        result: AsyncResult[Event] = AsyncResult()
        for channel_id in channel_ids:
            self._awaited[channel_id, what] = result
        try:
            yield result
            result.wait(REQUEST_DEADLINE)
            if not result.ready():
                raise Deadline(f"{what} of {channel_ids[0]}: not within {REQUEST_DEADLINE:g} s")
            result.get()
        finally:
            for channel_id in channel_ids:
                if self._awaited.get((channel_id, what)) is result:
                    del self._awaited[channel_id, what]

    # -- called by the reader ------------------------------------------------------------------------------------------

    def happened(self, what: str, channel_id: str, event: Event) -> None:
        if (result := self._awaited.get((channel_id, what))) is not None:
            result.set(event)

    def ended(self, channel_id: str) -> None:
        self._fail(channel_id, Gone(f"channel {channel_id} ended before it was there"))

    def lost(self, error: PbxError) -> None:
        """The link is gone: nobody shall wait for what we cannot hear."""
        for channel_id, _ in list(self._awaited):
            self._fail(channel_id, error)

    def _fail(self, channel_id: str, error: PbxError) -> None:
        for (awaited, _), result in self._awaited.items():
            if awaited == channel_id and not result.ready():
                result.set_exception(error)
