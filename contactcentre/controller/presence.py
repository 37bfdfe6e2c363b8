"""Tells the PBX's dialplan every second that we are there, so that it need not wait for a controller that hangs."""

from collections.abc import Callable

import gevent
import structlog

from contactcentre.controller.node import Node
from contactcentre.pbx.errors import PbxError

log = structlog.get_logger(__name__)

EVERY = 1.0
"""Seconds between two words; by default three of them may be late (`Settings.presence`)."""


class Presence:
    def __init__(self, node: Node, linked: Callable[[], bool], promised: float) -> None:
        """`promised`: seconds for which new callers are led to us after the last word of ours."""
        self._node, self._linked, self._promised = node, linked, promised

    def run(self) -> None:
        while True:
            if self._linked():
                self.say()
            gevent.sleep(EVERY)

    def say(self) -> None:
        """Once, now."""
        try:
            self._node.pbx.stay(self._promised)
        except PbxError as error:
            log.info("the dialplan was not told that we are there", error=str(error))
