"""The tables. `contact`, `leg`, `segment`, `queue_visit`, `said`, `recording` and `voicemail` are derived from
`event`, `said_event` and `recording_event` by `domain.contacts.fold` and can be made again at any time; the others are
truths of their own.

No table has a foreign key to `contact`: a contact's id is a UUIDv7, which begins with the time of its
arrival, so each of these tables can be partitioned by ranges of `contact_id` without changing a key.
"""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TIMESTAMP

from contactcentre.domain.events import Kind

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class Epoch(sa.types.TypeDecorator[float]):
    """`timestamptz` in the database, epoch seconds (UTC, to the microsecond) in Python."""

    impl = TIMESTAMP(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: float | None, dialect: sa.Dialect) -> datetime | None:
        return None if value is None else datetime.fromtimestamp(value, UTC)

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> float | None:
        return None if value is None else value.timestamp()


def _id(name: str = "contact_id", **options: Any) -> sa.Column[str]:
    return sa.Column(name, sa.Uuid(as_uuid=False), nullable=False, **options)


def _text(name: str, **options: Any) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False, **options)


def _time(name: str, nullable: bool = True, **options: Any) -> sa.Column[float]:
    return sa.Column(name, Epoch, nullable=nullable, **options)


def _seconds(name: str, nullable: bool = False) -> sa.Column[float]:
    return sa.Column(name, sa.Double, nullable=nullable)


event = sa.Table(
    "event",
    metadata,
    _id(primary_key=True),
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
    _time("at", nullable=False),
    _text("kind"),
    sa.Column("data", JSONB, nullable=False),
    _time("recorded_at", nullable=False, server_default=sa.func.now()),
    sa.CheckConstraint("seq > 0", name="seq_positive"),
)

# Literals, not parameters: PostgreSQL must see that a question is about what the index holds.
told_wait: sa.ColumnElement[str] = event.c.data.op("->>", return_type=sa.Text())(sa.literal_column("'estimate'"))
"""The estimated wait (seconds) in the fact of an announcement; "" = none was told."""
TOLD_WAIT = (event.c.kind == sa.literal_column(f"'{Kind.ANNOUNCED}'")) & (told_wait != sa.literal_column("''"))
sa.Index("ix_event_told_wait", event.c.at, postgresql_where=TOLD_WAIT)

recording_event = sa.Table(
    "recording_event",
    metadata,
    _text("recording", primary_key=True),
    _text("kind", primary_key=True),
    _id(index=True),
    _time("at", nullable=False),
    sa.Column("data", JSONB, nullable=False),
    _time("recorded_at", nullable=False, server_default=sa.func.now()),
    comment="What a worker adds after the contact's owner has done its part",
)

said_event = sa.Table(
    "said_event",
    metadata,
    _id("id", primary_key=True),
    _id(index=True),
    _time("at", nullable=False),
    _text("kind"),
    sa.Column("data", JSONB, nullable=False),
    _time("recorded_at", nullable=False, server_default=sa.func.now()),
    comment="What people say of a contact, perhaps after its end",
)

agent_event = sa.Table(
    "agent_event",
    metadata,
    _text("agent", primary_key=True),
    _time("at", nullable=False, primary_key=True, index=True),
    sa.Column("version", sa.BigInteger, primary_key=True, autoincrement=False),
    _text("state"),
    _text("reason"),
    sa.Column("contact_id", sa.Uuid(as_uuid=False), nullable=True),
    _text("queue"),
    _text("previous"),
    comment="at is in the key: versions start again when Redis has lost everything",
)

alert_event = sa.Table(
    "alert_event",
    metadata,
    _id("id", primary_key=True),
    _text("state", primary_key=True),
    _time("at", nullable=False, index=True),
    _text("queue"),
    _text("name"),
    _text("when"),
    _seconds("limit"),
    _seconds("value"),
    _text("by"),
    _time("recorded_at", nullable=False, server_default=sa.func.now()),
)

for _facts in (event, recording_event, said_event, agent_event):  # `store.facts` says what it is good for
    _facts.append_column(sa.Column("number", sa.BigInteger, server_default=sa.text("nextval('fact_number')")))
    sa.Index(f"ix_{_facts.name}_number", _facts.c.number, postgresql_where=_facts.c.number.is_not(None))

rejected_event = sa.Table(
    "rejected_event",
    metadata,
    _text("digest", primary_key=True, comment="SHA-256 of text, so that a repeated delivery is one row"),
    _time("at", nullable=False, server_default=sa.func.now(), index=True),
    _text("text"),
    _text("error"),
)

contact = sa.Table(
    "contact",
    metadata,
    _id("id", primary_key=True),
    _text("node"),
    _text("direction", server_default="inbound"),
    _text("did"),
    _text("caller"),
    _text("caller_name"),
    _text("flow"),
    _text("language"),
    _time("arrived", nullable=False),
    _time("answered"),
    _time("queued"),
    _time("connected"),
    _time("ended"),
    _text("outcome", comment="empty while the contact lives"),
    _text("ended_by"),
    sa.Column("cause", sa.Integer, nullable=False),
    _text("queue", comment="the last one"),
    sa.Column("queues", ARRAY(sa.Text), nullable=False),
    _text("agent", comment="the last one who talked"),
    sa.Column("agents", ARRAY(sa.Text), nullable=False),
    _seconds("waited"),
    _seconds("ring"),
    _seconds("talk"),
    _seconds("hold"),
    _seconds("consult"),
    _seconds("wrap_up"),
    _text("transferred_to"),
    _text("disposition"),
    sa.Column("last_seq", sa.Integer, nullable=False),
    sa.Column("missing", JSONB, nullable=False, comment="ranges [first, last] of sequence numbers never seen"),
)
sa.Index("ix_contact_arrived_id", contact.c.arrived.desc(), contact.c.id.desc())
sa.Index("ix_contact_caller_arrived", contact.c.caller, contact.c.arrived.desc())
sa.Index("ix_contact_queues", contact.c.queues, postgresql_using="gin")
sa.Index("ix_contact_agents", contact.c.agents, postgresql_using="gin")
sa.Index("ix_contact_live", contact.c.arrived, postgresql_where=contact.c.ended.is_(None))

leg = sa.Table(
    "leg",
    metadata,
    _id(primary_key=True),
    _text("leg", primary_key=True),
    _text("role"),
    _text("endpoint"),
    _text("agent"),
    _time("started", nullable=False),
    _time("answered"),
    _time("ended"),
    sa.Column("cause", sa.Integer, nullable=False),
)

segment = sa.Table(
    "segment",
    metadata,
    _id(primary_key=True),
    sa.Column("n", sa.Integer, primary_key=True, autoincrement=False),
    _text("kind"),
    _time("started", nullable=False),
    _time("ended"),
    _text("queue"),
    _text("agent"),
)
sa.Index("ix_segment_agent_started", segment.c.agent, segment.c.started, postgresql_where=segment.c.agent != "")

participation = sa.Table(
    "participation",
    metadata,
    _id(primary_key=True),
    sa.Column("n", sa.Integer, primary_key=True, autoincrement=False),
    _text("agent"),
    _text("kind"),
    _time("started", nullable=False),
    _time("ended"),
    _text("queue"),
    sa.Column("had_customer", sa.Boolean, nullable=False),
    comment="what each agent did in a conversation",
)
sa.Index("ix_participation_agent_started", participation.c.agent, participation.c.started)

queue_visit = sa.Table(
    "queue_visit",
    metadata,
    _id(primary_key=True),
    sa.Column("n", sa.Integer, primary_key=True, autoincrement=False),
    _text("queue"),
    _text("requirement"),
    sa.Column("priority", sa.Integer, nullable=False),
    _time("entered", nullable=False),
    _time("left"),
    _text("reason", comment="empty while the contact waits"),
    _seconds("waited", nullable=True),
    _text("agent"),
    sa.Column("offers", sa.Integer, nullable=False),
    sa.Column("missed", sa.Integer, nullable=False),
    _seconds("talk"),
    _seconds("wrap_up"),
)
sa.Index("ix_queue_visit_entered_queue", queue_visit.c.entered, queue_visit.c.queue)

said = sa.Table(
    "said",
    metadata,
    _id(primary_key=True),
    _text("queue", primary_key=True),
    _text("agent"),
    _text("code"),
    _text("label"),
    _time("at", nullable=False),
    _text("by"),
    _time("callback_at"),
    _text("number"),
    _time("called_at"),
    comment="how each contact ended for each of its queues, as was said last",
)
sa.Index("ix_said_at", said.c.at)
sa.Index("ix_said_promise", said.c.callback_at, postgresql_where=said.c.callback_at.is_not(None))

contact_note = sa.Table(
    "contact_note",
    metadata,
    _id(primary_key=True),
    _text("queue", primary_key=True),
    _text("note"),
    sa.Column("answers", JSONB, nullable=False, comment="of the script: name -> {label, value}"),
    sa.Column("version", sa.Integer, nullable=False),
    _time("at", nullable=False),
    _text("by"),
    comment="what agents write down about a contact; erased with the customer's data, so it is in no event",
)

recording = sa.Table(
    "recording",
    metadata,
    _text("id", primary_key=True),
    _id(index=True),
    _text("kind"),
    _text("agent"),
    _text("queue"),
    _text("box"),
    _time("started"),
    _time("ended"),
    sa.Column("files", JSONB, nullable=False),
    sa.Column("offsets", JSONB, nullable=False),
    _time("stored_at"),
    _text("path", comment="below the recordings directory"),
    _seconds("seconds", nullable=True),
    sa.Column("bytes", sa.BigInteger, nullable=True),
    _text("sha256"),
    sa.Column("channels", sa.Integer, nullable=True),
    _time("failed_at"),
    _text("error"),
    _time("deleted_at"),
    _text("file_sha256"),
)
sa.Index(
    "ix_recording_kept",
    recording.c.stored_at,
    postgresql_where=recording.c.stored_at.is_not(None) & recording.c.deleted_at.is_(None),
)
sa.Index(
    "ix_recording_unfinished",
    recording.c.ended,
    postgresql_where=recording.c.stored_at.is_(None) & recording.c.failed_at.is_(None),
)

voicemail = sa.Table(
    "voicemail",
    metadata,
    _text("recording", primary_key=True),
    _id(index=True),
    _text("box"),
    _time("at", nullable=False),
    _seconds("seconds"),
)
sa.Index("ix_voicemail_box_at", voicemail.c.box, voicemail.c.at.desc())

box_message = sa.Table(
    "box_message",
    metadata,
    _text("recording", primary_key=True),
    _text("box"),
    _text("state"),
    _text("owner"),
    _time("since", nullable=False),
    _text("note"),
    sa.Column("version", sa.Integer, nullable=False),
    comment="who looks after which message; one without a row is new",
)

legal_hold = sa.Table(
    "legal_hold",
    metadata,
    _text("recording", primary_key=True),
    _text("by"),
    _time("at", nullable=False, server_default=sa.func.now()),
    _text("reason"),
    comment="recordings that nothing deletes",
)

recording_key = sa.Table(
    "recording_key",
    metadata,
    _text("recording", primary_key=True),
    _text("master", index=True),
    sa.Column("wrapped", sa.LargeBinary, nullable=False),
    _time("made", nullable=False, server_default=sa.func.now()),
    comment="data keys of sealed recordings, wrapped by a master key that is not in this database",
)

site_version = sa.Table(
    "site_version",
    metadata,
    sa.Column("id", sa.Integer, sa.Identity(), primary_key=True),
    _time("at", nullable=False, server_default=sa.func.now()),
    _text("by"),
    sa.Column(
        "document",
        sa.JSON,
        nullable=False,
        comment="json, not jsonb: it keeps the order people wrote things in",
    ),
    _text("comment"),
)

secret = sa.Table(
    "secret",
    metadata,
    _text("name", primary_key=True),
    _text("value"),
    _time("at", nullable=False, server_default=sa.func.now()),
)

user_account = sa.Table(
    "user_account",
    metadata,
    sa.Column("id", sa.Integer, sa.Identity(), primary_key=True),
    _text("name", unique=True),
    _text("password_hash"),
    _text("role"),
    _time("created_at", nullable=False, server_default=sa.func.now()),
    sa.Column("disabled", sa.Boolean, nullable=False, server_default=sa.false()),
    _text("agent", server_default="", comment="of the site; empty: nobody's"),
    sa.Column(
        "queues", ARRAY(sa.Text), nullable=False, server_default="{}", comment="the only ones it sees; empty: all"
    ),
    _text("language", server_default="", comment="ISO 639; empty: the browser's"),
)

one_time_link = sa.Table(
    "one_time_link",
    metadata,
    _text("token_hash", primary_key=True),
    _text("purpose"),
    _text("role"),
    _time("created_at", nullable=False, server_default=sa.func.now()),
    _time("expires_at", nullable=False),
    _time("used_at"),
)

audit = sa.Table(
    "audit",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
    _time("at", nullable=False, server_default=sa.func.now(), index=True),
    _text("actor"),
    _text("action"),
    _text("subject"),
    sa.Column("detail", JSONB, nullable=False),
    _text("address"),
)
sa.Index("ix_audit_actor_at", audit.c.actor, audit.c.at)
sa.Index("ix_audit_subject_at", audit.c.subject, audit.c.at)
