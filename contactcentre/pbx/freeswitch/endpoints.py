"""Which phones can be called, asked every few seconds: that mends itself, and costs one answer for all of them.

Phones are the users of FreeSWITCH's directory; one is there when it is registered.
"""

from collections.abc import Callable, Container, Mapping
from contextlib import suppress
from time import time

import gevent
from gevent.event import Event as Flag

from contactcentre.pbx.errors import Gone, Refused
from contactcentre.pbx.events import EndpointChanged, Phone
from contactcentre.pbx.freeswitch.connection import Connection
from contactcentre.pbx.freeswitch.reader import Event
from contactcentre.pbx.freeswitch.stock import rows
from contactcentre.pbx.freeswitch.translate import APP, endpoint_of
from contactcentre.pbx.legs import Legs

POLL = 3.0
"""Seconds between two looks; so late a change is told at most. A call to a phone that is gone fails at once."""
SOON, SOONEST = 1.0, 0.2
"""Seconds within which a registration is in the table that is looked at, and between two looks meanwhile."""
REGISTRATIONS = ("sofia::register", "sofia::unregister", "sofia::expire")
"""The events that tell of one."""


class Endpoints:
    def __init__(self, app: str, link: Connection, tell: Callable[[EndpointChanged], None], legs: Legs) -> None:
        self._app, self._link, self._tell, self._legs = app, link, tell, legs
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
        lines = [line.split("|") for line in self._link.job("list_users").splitlines()[1:]]
        there = {fields[0]: "sofia/" in fields[4] for fields in lines if len(fields) >= 5 and fields[0]}
        busy = self._in_calls_of_their_own(there.keys())
        return {
            name: Phone.AWAY if not is_there else Phone.IN_USE if name in busy else Phone.FREE
            for name, is_there in there.items()
        }

    def _in_calls_of_their_own(self, phones: Container[str]) -> set[str]:
        """Whose channels are not of our making. The list of channels also has those that have just ended, for up to a
        second: what it lists and we do not know is asked for itself, so that nobody counts as busy after a call."""
        before = self._legs.called()
        listed = [(endpoint_of(row["name"]), row["uuid"], row.get("direction")) for row in rows(self._link)]
        ours = before | self._legs.called()
        asked = [
            (phone, direction, self._link.send(f"uuid_getvar {channel_id} {APP}"))
            for phone, channel_id, direction in listed
            if channel_id not in ours and phone in phones
        ]
        busy = set()
        for phone, direction, pending in asked:
            with suppress(Gone, Refused):
                if pending.wait() != self._app or direction != "outbound":  # we called it, and it is just going
                    busy.add(phone)
        return busy

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
