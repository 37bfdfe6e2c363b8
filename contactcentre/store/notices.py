"""What people at work tell each other: to all agents, a queue's, one, or the supervisors, and who has read it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from contactcentre.domain.ids import uuid7
from contactcentre.store.database import Database
from contactcentre.store.tables import Epoch, metadata

KEPT_SECONDS = 30 * 86400.0
"""For so long they can be read; then they are gone."""

SUPERVISORS = ""
"""The reader of what is told to the supervisors: whoever of them reads it first."""

notice = sa.Table(
    "notice",
    metadata,
    sa.Column("id", sa.Uuid(as_uuid=False), primary_key=True),
    sa.Column("at", Epoch, nullable=False, index=True),
    sa.Column("sender", sa.Text, nullable=False, comment="an account"),
    sa.Column("agent", sa.Text, nullable=False, comment="whose account that is, or nothing"),
    sa.Column("audience", sa.Text, nullable=False, comment="all, queue:NAME, agent:NAME or supervisors"),
    sa.Column("text", sa.Text, nullable=False),
)

notice_reader = sa.Table(
    "notice_reader",
    metadata,
    sa.Column("notice_id", sa.ForeignKey("notice.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("reader", sa.Text, primary_key=True, index=True, comment="an agent, or nothing: the supervisors"),
    sa.Column("read_at", Epoch, nullable=True),
    sa.Column("read_by", sa.Text, nullable=False, server_default="", comment="an account"),
)


@dataclass(frozen=True)
class Notice:
    """Times are epoch seconds."""

    id: str
    at: float
    sender: str
    agent: str
    audience: str
    text: str
    readers: Mapping[str, float | None] = field(default_factory=dict)  # reader -> when, None = not yet


class Notices(Database):
    def send_notice(
        self, sender: str, agent: str, audience: str, text: str, readers: Collection[str], now: float
    ) -> Notice:
        """Also forgets what is too old."""
        made = Notice(uuid7(now), now, sender, agent, audience, text, dict.fromkeys(readers))
        values = {"id": made.id, "at": now, "sender": sender, "agent": agent, "audience": audience, "text": text}
        with self._begin() as connection:
            connection.execute(sa.delete(notice).where(notice.c.at < now - KEPT_SECONDS))
            connection.execute(sa.insert(notice).values(values))
            if readers:
                connection.execute(
                    sa.insert(notice_reader), [{"notice_id": made.id, "reader": reader} for reader in readers]
                )
        return made

    def notices(
        self, now: float, agent: str = "", *, supervisors: bool = False, limit: int = 50, before: str = ""
    ) -> list[Notice]:
        """What the agent was told or has told; or what supervisors were told and have told. The latest first;
        `before`: those before the one with this id."""
        own = notice.c
        told = sa.select(notice_reader.c.notice_id).where(
            notice_reader.c.reader == (SUPERVISORS if supervisors else agent)
        )
        statement = (
            sa.select(own.id, own.at, own.sender, own.agent, own.audience, own.text)
            .where(own.at >= now - KEPT_SECONDS)
            .where(own.id.in_(told) | (own.agent == ("" if supervisors else agent)))
        )
        if before:
            statement = statement.where(sa.cast(own.id, sa.Text) < before)
        statement = statement.order_by(own.id.desc()).limit(limit)
        with self._begin() as connection:
            rows = list(connection.execute(statement))
            read: dict[str, dict[str, Any]] = {}
            ids = [row.id for row in rows]
            theirs = notice_reader.c
            for row in connection.execute(sa.select(notice_reader).where(theirs.notice_id.in_(ids))):
                read.setdefault(row.notice_id, {})[row.reader] = row.read_at
        return [Notice(**row._mapping, readers=read.get(row.id, {})) for row in rows]

    def read_notice(self, id: str, reader: str, by: str, now: float) -> bool:
        """False: nothing of this id was told to the reader, or they had read it."""
        theirs = notice_reader.c
        wanted = (sa.cast(theirs.notice_id, sa.Text) == id) & (theirs.reader == reader) & theirs.read_at.is_(None)
        with self._begin() as connection:
            done = connection.execute(sa.update(notice_reader).where(wanted).values(read_at=now, read_by=by))
        return bool(done.rowcount)
