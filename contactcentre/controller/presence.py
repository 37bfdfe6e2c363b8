"""Tells the PBX's dialplan every second that we are there, so that it need not wait for a controller that hangs."""

from time import monotonic

import gevent
import structlog

from contactcentre.controller.node import Node
from contactcentre.controller.reception import Reception
from contactcentre.pbx.errors import PbxError

log = structlog.get_logger(__name__)

EVERY = 1.0
"""Seconds between two words; by default three of them may be late (`Settings.presence`)."""


class Presence:
    def __init__(self, node: Node, reception: Reception, promised: float) -> None:
        """`promised`: seconds for which new callers are led to us after the last word of ours."""
        self._node, self._reception, self._promised = node, reception, promised
        self._until = 0.0  # by the monotonic clock, which goes on while we are frozen

    def run(self) -> None:
        while True:
            if self._reception.linked:
                self.say()
            gevent.sleep(EVERY)

    def say(self) -> None:
        """Once, now."""
        began = monotonic()
        try:
            # where nobody is turned away the dialplan may answer callers before we have them
            self._node.pbx.stay(self._promised, answers=self._reception.admits)
        except PbxError as error:
            log.info("the dialplan was not told that we are there", error=str(error))
            return
        gap, self._until = monotonic() > self._until, began + self._promised
        if gap:  # who came meanwhile went elsewhere
            self._reception.look_soon()
