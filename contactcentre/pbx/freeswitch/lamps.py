"""Message lamps: FreeSWITCH sends on what it is told to the phones that are there (MESSAGE_WAITING). One that registers
is told again, because FreeSWITCH keeps no counts but those of its own voicemail."""

import re
from collections.abc import Mapping
from contextlib import suppress

import gevent

from contactcentre.pbx.errors import LinkDown, Refused
from contactcentre.pbx.freeswitch import protocol
from contactcentre.pbx.freeswitch.connection import Connection
from contactcentre.pbx.freeswitch.endpoints import REGISTRATIONS
from contactcentre.pbx.freeswitch.link import Pending
from contactcentre.pbx.freeswitch.reader import Event

TABLE_LAG = 1.0
"""Seconds after which a registration is in the table by which FreeSWITCH finds whom to tell."""
_name = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}").fullmatch
_account = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}").fullmatch


class Lamps:
    def __init__(self, link: Connection) -> None:
        self._link = link
        self._counts: dict[str, tuple[int, int]] = {}  # by SIP account

    def show(self, counts: Mapping[str, tuple[int, int]], accounts: Mapping[str, str]) -> None:
        """`accounts`: of agents whose phone has another name. Raises Refused, LinkDown, Deadline."""
        wanted: dict[str, tuple[int, int]] = {}
        for name, count in counts.items():
            if not _name(name):
                raise Refused(f"agent {name[:60]!r}: must be small letters, digits, _ and -")
            if not _account(account := accounts.get(name, name)):
                raise Refused(f"account {account[:60]!r}: must be letters, digits, _ . and -")
            wanted[account] = count
        self._counts |= wanted
        domain = self._link.request("global_getvar domain").strip()
        for pending in [self._tell(f"{account}@{domain}", count) for account, count in wanted.items()]:
            pending.wait()

    def registered(self, event: Event) -> None:
        """sofia::register, a new one or not; anything else is no news. Does not wait."""
        if event["Event-Subclass"] != REGISTRATIONS[0]:
            return
        name, domain = event.get("from-user", ""), event.get("from-host", "")
        if name in self._counts:
            self._link.spawn(self._answer, f"{name}@{domain}")

    def _answer(self, account: str) -> None:
        gevent.sleep(TABLE_LAG)
        if (counts := self._counts.get(account.partition("@")[0])) is not None:
            with suppress(LinkDown, Refused):  # it is told when the link is back; or no account can have this name
                self._tell(account, counts)

    def _tell(self, account: str, counts: tuple[int, int]) -> Pending:
        new, old = counts
        headers = {
            "MWI-Messages-Waiting": "yes" if new else "no",
            "MWI-Message-Account": account,
            "MWI-Voice-Message": f"{new}/{old} (0/0)",
        }
        return self._link.link().send(protocol.command("sendevent MESSAGE_WAITING", headers))
