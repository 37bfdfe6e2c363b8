"""Lets agents' softphones sign in to the PBX, each with a password that is made for one window and soon ends.

The page that holds the phone asks again before the time is over, as long as somebody is signed in there. A second
window gets the phone only if it says so (`take`); the first one is told when it asks the next time.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import structlog
from gevent.event import Event as Flag

from contactcentre.controller.node import Node
from contactcentre.domain.devices import web_account
from contactcentre.live import CommandFailed
from contactcentre.pbx.errors import PbxError, Refused
from contactcentre.pbx.events import Phone

log = structlog.get_logger(__name__)

GOOD_SECONDS = 600.0
"""How long a password is good after it was asked for last."""
SILENT_SECONDS = 150.0
"""A window that has not asked for so long is taken for closed (it asks every minute)."""
STARTING = 5.0
"""Seconds that a window may take to sign in with what it was given."""
LOOK = 5.0
"""Seconds between two looks whose time is over."""


@dataclass(frozen=True, slots=True)
class _Grant:
    holder: str  # the window
    password: str
    until: float  # epoch seconds


class Softphones:
    def __init__(self, node: Node) -> None:
        self._node = node
        self._grants: dict[str, _Grant] = {}  # by agent
        self._unsure: set[str] = set()  # agents of whom the PBX may know another password than we do
        self._look_now = Flag()

    def run(self) -> None:
        while True:
            self._look_now.wait(LOOK)
            self._look_now.clear()
            now = self._node.now()
            for agent in [agent for agent, grant in self._grants.items() if grant.until <= now]:
                del self._grants[agent]
                self._unsure.add(agent)
            for agent in list(self._unsure):
                try:
                    self._tell(agent)
                except Refused:
                    self._unsure.discard(agent)  # it keeps none
                except PbxError as error:
                    log.info("softphone's password not told", agent=agent, error=str(error))

    def linked(self) -> None:
        """A PBX that was restarted has forgotten all passwords, and ours may have been given by a controller before."""
        self._unsure |= {name for name, agent in self._node.site.agents.items() if agent.webrtc}
        self._look_now.set()

    def command(self, args: Mapping[str, Any]) -> dict[str, Any]:
        """`agent`, and `holder`: the window; `take` the phone from another one, or `end`. Raises CommandFailed."""
        agent, holder, now = str(args.get("agent", "")), str(args.get("holder", "")), self._node.now()
        known = self._node.site.agents.get(agent)
        if known is None or not known.webrtc:
            raise CommandFailed("no_softphone", f"agent {agent[:40]!r} has no softphone (webrtc: true in the site)")
        grant = self._grants.get(agent)
        heard = grant.until - GOOD_SECONDS if grant is not None else 0.0
        others = grant is not None and grant.holder != holder and heard + SILENT_SECONDS > now
        if args.get("end"):
            if grant is not None and grant.holder == holder:
                del self._grants[agent]
                self._unsure.add(agent)
                self._look_now.set()
            return {}
        if others and not args.get("take") and not self._lost(agent, heard):
            raise CommandFailed("phone_elsewhere", "your phone is in another window")
        if grant is None or grant.holder != holder:
            grant = _Grant(holder, secrets.token_urlsafe(24), now + GOOD_SECONDS)
        self._grants[agent] = grant = replace(grant, until=now + GOOD_SECONDS)
        self._unsure.add(agent)
        try:
            self._tell(agent)
        except Refused as error:
            log.error("softphone's password refused by the PBX", agent=agent, error=str(error))
            why = "the PBX does not take softphones' passwords: `contactcentre doctor` says more"
            raise CommandFailed("phone_not_prepared", why) from error
        except PbxError as error:
            raise CommandFailed("pbx", str(error)) from error
        return {"account": web_account(agent), "password": grant.password, "until": grant.until}

    def _lost(self, agent: str, heard: float) -> bool:
        """The window that has the phone crashed, or has no network: the PBX does not reach it."""
        if heard + STARTING > self._node.now():
            return False
        try:
            return self._node.pbx.phones().get(web_account(agent)) is Phone.AWAY
        except PbxError:
            return False

    def _tell(self, agent: str) -> None:
        """Raises PbxError."""
        while agent in self._unsure:
            grant = self._grants.get(agent)
            self._node.pbx.set_password(web_account(agent), grant.password if grant is not None else "")
            if self._grants.get(agent) is grant:  # else another window has come meanwhile
                self._unsure.discard(agent)
