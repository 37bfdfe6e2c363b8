"""Asks another program who calls from a number, when a contact begins and nobody has asked of late.

The recorder says which contacts have begun, a worker asks: the call waits for nothing. One round runs at a time in all
workers together; what comes while the other program fails is not asked.
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from typing import Any

from redis import Redis

from contactcentre import logs
from contactcentre.archive import BadKeys, LostKey, Signing
from contactcentre.domain.customers import Customer, learned, number_of
from contactcentre.domain.ids import uuid7
from contactcentre.domain.results import NotAcceptable
from contactcentre.domain.site import Settings, Site
from contactcentre.domain.webhooks import LOOKUP, body, message_id, signed
from contactcentre.live.connection import PREFIX, ask
from contactcentre.outgoing import Failed, Reach
from contactcentre.outgoing import ask as request
from contactcentre.outgoing.request import object_of
from contactcentre.store import Changed, NoSuchContact, Store

KEY_NAME = "lookup/customer"
"""Under which the key lies that questions are signed with."""
BY = "looked up"
"""Who has changed a customer so."""
DEADLINE = 2.0
AT_ONCE = 16
MOST_WAITING = 1000
FAILED_SECONDS = 60
"""After a failure a number is not asked again for so long."""
REST_SECONDS = 10
"""After a failure nothing is asked for so long."""

log = logs.get(__name__)


class Lookups:
    """`reach`: whom it may connect to."""

    def __init__(
        self,
        store: Store,
        redis: "Redis",
        signing: Signing,
        reach: Reach,
        clock: Callable[[], float] = time.time,
        prefix: str = PREFIX,
    ) -> None:
        self._store, self._redis, self._reach, self._clock = store, redis, reach, clock
        self.signing = signing
        self._waiting, self._rest, self._looked = (f"{prefix}lookups{part}" for part in ("", ":rest", ":of:"))

    @property
    def waiting(self) -> int:
        """Contacts that nobody has asked for yet. Raises Away, Refused."""
        return int(ask(self._redis, "LLEN", self._waiting))

    def wanted(self, contacts: Sequence[str]) -> None:
        """These have begun. Raises Away, Refused."""
        ask(self._redis, "RPUSH", self._waiting, *contacts)
        ask(self._redis, "LTRIM", self._waiting, -MOST_WAITING, -1)

    def run(self, go_on: Callable[[], bool]) -> None:
        """Until nothing waits. Raises Away, Refused, StoreUnavailable."""
        with ThreadPoolExecutor(AT_ONCE, "lookup") as pool:
            while go_on() and (ids := ask(self._redis, "LPOP", self._waiting, AT_ONCE)):
                for became in list(pool.map(self.look, ids)):
                    if became.startswith("failed"):
                        log.warning("customer lookup failed", error=became)

    def look(self, contact: str) -> str:
        """What came of it: `off`, `no number`, `fresh`, `resting`, `nothing`, `learned`, `same`, or `failed: WHY`."""
        rules = (self._store.site()[1] or Site()).settings
        if rules.customer_lookup is None:
            return "off"
        try:
            known = self._store.contact(contact)
            number = number_of(known.caller, rules.country)
        except (NoSuchContact, NotAcceptable):
            return "no number"
        if ask(self._redis, "EXISTS", self._rest):
            return "resting"
        # no number of a caller's lies there, which erasing a customer would have to find
        key = f"{self._looked}{sha256(number.encode()).hexdigest()}"
        if not ask(self._redis, "SET", key, "1", "NX", "EX", round(rules.customer_lookup.fresh)):
            return "fresh"
        try:
            said = self.ask(number, rules, contact, known.did)
            return "nothing" if said is None else self._learn(number, said, rules)
        except (Failed, NotAcceptable, BadKeys, LostKey) as error:
            ask(self._redis, "SET", key, "1", "EX", FAILED_SECONDS)
            ask(self._redis, "SET", self._rest, "1", "EX", REST_SECONDS)
            return f"failed: {error}"

    def ask(self, number: str, rules: Settings, contact: str = "", did: str = "") -> dict[str, Any] | None:
        """What the other program says of a number (E.164); None: it does not know it. Raises Failed, BadKeys,
        LostKey."""
        if rules.customer_lookup is None:
            raise Failed("the site has no customer_lookup")
        now = self._clock()
        message = message_id(LOOKUP, uuid7(now))
        sent = body(message, LOOKUP, now, {"number": number, "contact_id": contact, "did": did})
        headers = {"Content-Type": "application/json", "User-Agent": "contactcentre"}
        headers |= signed(self.signing.read(KEY_NAME), message, now, sent)
        answer = request(
            rules.customer_lookup.url, self._reach, body=sent, headers=headers, connect=DEADLINE, whole=DEADLINE
        )
        if answer.status in (204, 404):
            return None
        return object_of(answer) or None

    def _learn(self, number: str, said: dict[str, Any], rules: Settings) -> str:
        for _ in range(3):
            before, now = self._store.customer_of(number) or Customer("", (number,)), self._clock()
            after = learned(before, said, rules, now)
            if after is before:
                return "same"
            try:
                self._store.save_customer(before, after, rules.country, BY, now)
            except Changed:
                continue  # somebody writes down something at this moment
            return "learned"
        return "same"
