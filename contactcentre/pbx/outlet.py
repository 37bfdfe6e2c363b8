"""How a driver tells the controller: in order, and nothing between a new link and its LinkUp."""

import logging
from collections.abc import Callable
from time import time

from contactcentre.pbx.events import LinkLost, LinkUp, NodeEvent

log = logging.getLogger(__name__)


class Outlet:
    """To the sink that `Pbx.start` was given. While there is no link, events wait for the next LinkUp."""

    def __init__(self) -> None:
        self._sink: Callable[[NodeEvent], None] | None = None
        self._held: list[NodeEvent] | None = []

    @property
    def linked(self) -> bool:
        """LinkUp was told, and no loss since."""
        return self._held is None

    def lead_to(self, sink: Callable[[NodeEvent], None]) -> None:
        self._sink = sink

    def tell(self, event: NodeEvent) -> None:
        if self._held is not None:
            self._held.append(event)
        else:
            self._pass(event)

    def up(self) -> None:
        """Tells LinkUp, and then what waited for it."""
        self._pass(LinkUp(time()))
        held, self._held = self._held or [], None
        for event in held:
            self._pass(event)

    def hold(self) -> None:
        """The link is gone: what comes waits for the next one, what waited is void."""
        self._held = []

    def lost(self, reason: str, replaced: bool) -> None:
        """Tells LinkLost."""
        self._pass(LinkLost(time(), reason, replaced))

    def _pass(self, event: NodeEvent) -> None:
        if self._sink is None:
            return
        try:
            self._sink(event)
        except Exception:
            report(f"the sink failed on {type(event).__name__}")


def report(text: str) -> None:
    """Logs the exception that is being handled."""
    log.exception(text)
