"""Which endpoints can be reached, asked every few seconds.

Asterisk could tell changes by itself (subscription `endpoint:PJSIP`), but with them come all events of all channels
of all endpoints. Asking costs a millisecond and mends itself.
"""

from collections.abc import Callable, Mapping
from time import time
from typing import Any

from contactcentre.pbx.asterisk.protocol import resource
from contactcentre.pbx.events import EndpointChanged

POLL = 3.0
"""Seconds between two looks; so late a change is told at most. A call to an endpoint that is gone fails at once."""


class Endpoints:
    """`fetch(path)` gets a resource; `tell` takes what changed."""

    def __init__(
        self, technology: str, fetch: Callable[[str, str], Any], tell: Callable[[EndpointChanged], None]
    ) -> None:
        self._path, self._fetch, self._tell = resource("endpoints", technology), fetch, tell
        self._known: dict[str, bool] | None = None

    def reachable(self) -> Mapping[str, bool]:
        """What the PBX says now. Raises Gone if it has no such technology."""
        return {e["resource"]: e.get("state") == "online" for e in self._fetch("GET", self._path)}

    def look(self) -> None:
        """Tells what changed since the last look; the first one tells nothing."""
        now = self.reachable()
        known, self._known = self._known, dict(now)
        if known is None:
            return
        at = time()
        for name in known.keys() | now.keys():
            if known.get(name, False) != now.get(name, False):
                self._tell(EndpointChanged(at, name, now.get(name, False)))
