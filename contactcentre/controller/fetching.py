"""Callers who wait in the PBX's own queue, because there was no controller when they came, are fetched from there."""

from collections.abc import Sequence
from time import monotonic

import structlog

from contactcentre.controller.node import Node
from contactcentre.pbx.errors import PbxError

log = structlog.get_logger(__name__)

AGAIN = 10.0
"""Seconds after which somebody who still waits there is fetched once more. A PBX that is busy carries out what it was
asked for seconds later, and fetching somebody twice would take them out of our own hands the second time."""


class Fetching:
    def __init__(self, node: Node) -> None:
        self._node = node
        self._asked: dict[str, float] = {}  # channel -> when (monotonic)

    def due(self, waiting: Sequence[str]) -> list[str]:
        """Of the channels that wait there now, those that are to be fetched. They count as fetched from now on."""
        now = monotonic()
        self._asked = {channel: at for channel, at in self._asked.items() if at + AGAIN > now}
        due = [channel for channel in waiting if channel not in self._asked]
        self._asked |= dict.fromkeys(due, now)
        return due

    def fetch(self, channels: Sequence[str]) -> None:
        """Whom the PBX cannot give us now is asked for again later."""
        for channel in channels:
            try:
                self._node.pbx.fetch(channel)
            except PbxError as error:
                log.info("caller not fetched from the PBX's own queue", channel=channel, error=str(error))
