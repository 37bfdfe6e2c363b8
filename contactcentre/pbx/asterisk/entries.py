"""Waiting until a channel that we asked for is in our hands: its StasisStart."""

from collections.abc import Iterator
from contextlib import contextmanager

from gevent.event import AsyncResult

from contactcentre.pbx.errors import Deadline, Gone, PbxError
from contactcentre.pbx.protocol import REQUEST_DEADLINE


class Entries:
    """Channels that are on their way to us."""

    def __init__(self) -> None:
        self._awaited: dict[str, AsyncResult[None]] = {}

    @contextmanager
    def expected(self, channel_id: str) -> Iterator[None]:
        """Ask for it inside; the end of the block waits. Raises Gone (it ended before), LinkDown, Deadline."""
        result = self._awaited[channel_id] = AsyncResult()
        try:
            yield
            result.wait(REQUEST_DEADLINE)
            if not result.ready():
                raise Deadline(f"channel {channel_id}: did not come within {REQUEST_DEADLINE} s")
            result.get()
        finally:
            del self._awaited[channel_id]

    # -- events, called by the reader ------------------------------------------------------------------------------

    def entered(self, channel_id: str) -> None:
        if (result := self._awaited.get(channel_id)) is not None:
            result.set(None)

    def ended(self, channel_id: str) -> None:
        self._fail(channel_id, Gone(f"channel {channel_id} ended before it came"))

    def lost(self, error: PbxError) -> None:
        """The link is gone: nobody shall wait for what we cannot hear."""
        for channel_id in self._awaited:
            self._fail(channel_id, error)

    def _fail(self, channel_id: str, error: PbxError) -> None:
        if (result := self._awaited.get(channel_id)) is not None and not result.ready():
            result.set_exception(error)
