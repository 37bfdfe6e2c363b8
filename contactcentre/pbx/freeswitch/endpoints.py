"""Which phones can be called, asked every few seconds: that mends itself, and costs one answer for all of them.

Phones are the users of FreeSWITCH's directory; one is there when it is registered.
"""

from collections.abc import Callable, Mapping
from time import time

import gevent
from gevent.event import Event as Flag

from contactcentre.pbx.events import EndpointChanged, Phone
from contactcentre.pbx.freeswitch.connection import Connection
from contactcentre.pbx.freeswitch.reader import Event
from contactcentre.pbx.freeswitch.stock import rows
from contactcentre.pbx.freeswitch.translate import endpoint_of
from contactcentre.pbx.legs import Legs

POLL = 3.0
"""Seconds between two looks; so late a change is told at most. A call to a phone that is gone fails at once."""
SOON, SOONEST = 1.0, 0.2
"""Seconds within which a registration is in the table that is looked at, and between two looks meanwhile."""
REGISTRATIONS = ("sofia::register", "sofia::unregister", "sofia::expire")
"""The events that tell of one."""


class Endpoints:
    def __init__(self, link: Connection, tell: Callable[[EndpointChanged], None], legs: Legs) -> None:
        self._link, self._tell, self._legs = link, tell, legs
        self._known: Mapping[str, Phone] | None = None
        self._closely_until = 0.0
        self._moved = Flag()

    def registered(self, event: Event) -> None:
        """One of REGISTRATIONS. Does not wait. Who only registers anew changes nothing."""
        away = (self._known or {}).get(event.get("from-user") or event.get("user", ""), Phone.AWAY) is Phone.AWAY
        if away is (event["Event-Subclass"] == REGISTRATIONS[0]):
            self._closely_until = time() + SOON
            self._moved.set()

    def wait(self) -> None:
        """Until it is time to look again."""
        if time() < self._closely_until or self._moved.wait(POLL):
            gevent.sleep(SOONEST)
        self._moved.clear()

    def phones(self) -> dict[str, Phone]:
        """What the PBX says now."""
        ours = self._legs.called()
        users = self._link.job("list_users")
        talking = {endpoint_of(row["name"]) for row in rows(self._link) if row["uuid"] not in ours}
        ours |= self._legs.called()
        phones: dict[str, Phone] = {}
        for line in users.splitlines()[1:]:
            fields = line.split("|")
            if len(fields) < 5 or not fields[0]:
                continue
            there = "sofia/" in fields[4]
            phones[fields[0]] = Phone.AWAY if not there else Phone.IN_USE if fields[0] in talking else Phone.FREE
        return phones

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
