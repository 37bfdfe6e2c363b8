"""Telling people at work something: who the readers are, for the API and the command line."""

import re
import time
from collections.abc import Collection, Iterable
from contextlib import suppress

from pydantic import Field

from contactcentre.domain.agents import AgentStatus
from contactcentre.domain.day import given, on_the_day
from contactcentre.domain.members import members_of
from contactcentre.domain.sentences import phrase
from contactcentre.domain.site import Site
from contactcentre.live import Live, LiveError
from contactcentre.live.notices import announce
from contactcentre.store import Notice, Store
from contactcentre.store.notices import SUPERVISORS
from contactcentre.web.rows import Row

LONGEST = 1000
"""Characters."""


class NoSuchAudience(ValueError):
    """The text says why."""


class NoticeRow(Row):
    """Something that somebody at work told others."""

    id: str
    at: float
    sender: str = Field(description="an account")
    agent: str = Field(description="whose account that is, or nothing")
    to: str = Field(description="all, queue:NAME, agent:NAME or supervisors")
    text: str
    readers: int = Field(description="how many were told; of the supervisors, the first who reads it counts")
    read: int = Field(description="how many have read it")
    unread: list[str] = Field(default=[], description="agents who have not, for who may lead them")
    mine: bool = Field(default=False, description="sent by who asks")
    new: bool = Field(default=False, description="told to who asks, and not read")

    @classmethod
    def of(cls, one: Notice, reader: str | None, by: str, names: bool = False) -> "NoticeRow":
        """As `reader` sees it (an agent, or SUPERVISORS), by whom it may have been sent."""
        waiting = [name for name, at in one.readers.items() if at is None]
        return cls(
            id=one.id,
            at=one.at,
            sender=one.sender,
            agent=one.agent,
            to=one.audience,
            text=one.text,
            readers=len(one.readers),
            read=len(one.readers) - len(waiting),
            unread=sorted(filter(None, waiting)) if names else [],
            mine=one.sender == by,
            new=reader in waiting,
        )


def readers_of(site: Site, to: str, agents: Iterable[AgentStatus], now: float, only: Collection[str]) -> list[str]:
    """The agents whom `to` means (all, queue:NAME with the skills of the day, agent:NAME), of those in `only`. Raises
    NoSuchAudience."""
    kind, _, name = to.partition(":")
    if to == "all":
        meant = set(site.agents)
    elif kind == "agent" and name in site.agents:
        meant = {name}
    elif kind == "queue" and name in site.queues:
        meant = set(members_of(on_the_day(site, given(agents, now)), name))
    else:
        raise NoSuchAudience(
            phrase("to: %(to)s is none of all, queue:NAME and agent:NAME of the site", to=repr(to[:60]))
        )
    return sorted(meant.intersection(only))


def clean(text: str) -> str:
    """Without control characters but line ends. Raises NoSuchAudience for nothing."""
    found = re.sub(r"[^\S\n]+|[\x00-\x09\x0b-\x1f\x7f]", " ", text).strip()
    if not found:
        raise NoSuchAudience(phrase("text: it says nothing"))
    return found


def tell(
    store: Store, live: Live, sender: str, agent: str, to: str, text: str, readers: Collection[str], address: str = ""
) -> Notice:
    """Keeps it, and tells open pages. Raises StoreUnavailable."""
    made = store.send_notice(sender, agent, to, clean(text), readers, time.time())
    store.audit(sender, "notice.send", to, {"id": made.id, "readers": len(readers)}, address)
    row = NoticeRow.of(made, None, "").model_copy(update={"new": True})
    with suppress(LiveError):  # it is read when the page comes back
        announce(live.redis, row.model_dump(), readers)
    return made


__all__ = ["LONGEST", "SUPERVISORS", "NoSuchAudience", "NoticeRow", "clean", "readers_of", "tell"]
