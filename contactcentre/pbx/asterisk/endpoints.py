"""Which endpoints can be called, asked every few seconds.

Asterisk could tell changes by itself (subscriptions to endpoints or device states), but with them come events of every
call of every endpoint, our own ones too: three more a call at least. Asking costs a millisecond and mends itself.
"""

from collections.abc import Callable, Mapping
from time import time
from typing import Any

from contactcentre.pbx.asterisk.protocol import resource
from contactcentre.pbx.events import EndpointChanged, Phone
from contactcentre.pbx.legs import Legs

POLL = 3.0
"""Seconds between two looks at least; so late a change is told. A call to an endpoint that is gone fails at once."""
ENDPOINTS_A_SECOND = 150
"""So many are looked at on average, at most: a look at 1500 costs the PBX and us ten milliseconds each, in which a
caller waits."""


class Endpoints:
    """`fetch(path)` gets a resource; `tell` takes what changed; `legs` are the channels in our hands."""

    def __init__(
        self, technology: str, fetch: Callable[[str, str], Any], tell: Callable[[EndpointChanged], None], legs: Legs
    ) -> None:
        self._path, self._fetch, self._tell, self._legs = resource("endpoints", technology), fetch, tell, legs
        self._known: Mapping[str, Phone] | None = None

    def phones(self) -> Mapping[str, Phone]:
        """What the PBX says now. Raises Gone if it has no such technology."""
        ours = self._legs.called()  # also such as end while the PBX answers
        endpoints = self._fetch("GET", self._path)
        ours |= self._legs.called()
        return {one["resource"]: _phone(one, ours) for one in endpoints}

    @property
    def pause(self) -> float:
        """Seconds until the next look."""
        return max(POLL, len(self._known or ()) / ENDPOINTS_A_SECOND)

    def look(self) -> None:
        """Tells what changed since the last look; the first one tells nothing."""
        now = self.phones()
        known, self._known = self._known, now
        if known is None:
            return
        at = time()
        for name in known.keys() | now.keys():
            phone = now.get(name, Phone.AWAY)
            if known.get(name, Phone.AWAY) is not phone:
                self._tell(EndpointChanged(at, name, phone))


def _phone(endpoint: Mapping[str, Any], ours: set[str]) -> Phone:
    if endpoint.get("state") != "online":
        return Phone.AWAY
    return Phone.FREE if ours.issuperset(endpoint.get("channel_ids", ())) else Phone.IN_USE
