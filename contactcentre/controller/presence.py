"""Tells the PBX's dialplan every second that we are there, so that it need not wait for a controller that hangs."""

from collections.abc import Callable

import gevent
import structlog

from contactcentre.controller.node import Node
from contactcentre.pbx.errors import PbxError

log = structlog.get_logger(__name__)

EVERY = 1.0
PROMISED = 4.0
"""Seconds for which new callers are led to us after the last word of ours: three words may be late."""


class Presence:
    def __init__(self, node: Node, linked: Callable[[], bool]) -> None:
        self._node, self._linked = node, linked

    def run(self) -> None:
        while True:
            if self._linked():
                self.say()
            gevent.sleep(EVERY)

    def say(self) -> None:
        """Once, now."""
        try:
            self._node.pbx.stay(PROMISED)
        except PbxError as error:
            log.info("the dialplan was not told that we are there", error=str(error))
