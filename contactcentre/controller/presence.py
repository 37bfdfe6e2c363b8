"""Tells the PBX's dialplan every second that we are there, so that it need not wait for a controller that hangs."""

from collections.abc import Callable
from time import monotonic

import gevent
import structlog

from contactcentre.controller.node import Node
from contactcentre.pbx.errors import PbxError

log = structlog.get_logger(__name__)

EVERY = 1.0
"""Seconds between two words; by default three of them may be late (`Settings.presence`)."""


class Presence:
    def __init__(
        self,
        node: Node,
        linked: Callable[[], bool],
        promised: float,
        admits: Callable[[], bool],
        after_a_gap: Callable[[], None],
    ) -> None:
        """`promised`: seconds for which new callers are led to us after the last word of ours. `admits`: none of them
        would be turned away, so the dialplan may answer them before we have them. `after_a_gap` is called
        when the word is given again after the last one has run out: who came meanwhile went elsewhere."""
        self._node, self._linked, self._promised = node, linked, promised
        self._admits, self._after_a_gap = admits, after_a_gap
        self._until = 0.0  # by the monotonic clock, which goes on while we are frozen

    def run(self) -> None:
        while True:
            if self._linked():
                self.say()
            gevent.sleep(EVERY)

    def say(self) -> None:
        """Once, now."""
        began = monotonic()
        try:
            self._node.pbx.stay(self._promised, answers=self._admits())
        except PbxError as error:
            log.info("the dialplan was not told that we are there", error=str(error))
            return
        gap, self._until = monotonic() > self._until, began + self._promised
        if gap:
            self._after_a_gap()
