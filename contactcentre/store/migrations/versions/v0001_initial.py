"""The first schema."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

REFUSE = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of % are never changed or removed', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$
"""
PROTECTED = ("audit", "site_version")


def upgrade() -> None:
    op.create_table(
        "agent_event",
        sa.Column("agent", sa.Text(), nullable=False),
        sa.Column("at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("version", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("contact_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("previous", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("agent", "at", "version", name="pk_agent_event"),
        comment="at is in the key: versions start again when Redis has lost everything",
    )
    op.create_index("ix_agent_event_at", "agent_event", ["at"], unique=False)
    op.create_table(
        "audit",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("at", sa.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("detail", postgresql.JSONB(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
    )
    op.create_index("ix_audit_actor_at", "audit", ["actor", "at"], unique=False)
    op.create_index("ix_audit_at", "audit", ["at"], unique=False)
    op.create_index("ix_audit_subject_at", "audit", ["subject", "at"], unique=False)
    op.create_table(
        "contact",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("node", sa.Text(), nullable=False),
        sa.Column("did", sa.Text(), nullable=False),
        sa.Column("caller", sa.Text(), nullable=False),
        sa.Column("caller_name", sa.Text(), nullable=False),
        sa.Column("flow", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("arrived", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("answered", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("queued", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("connected", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("ended", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=False, comment="empty while the contact lives"),
        sa.Column("ended_by", sa.Text(), nullable=False),
        sa.Column("cause", sa.Integer(), nullable=False),
        sa.Column("queue", sa.Text(), nullable=False, comment="the last one"),
        sa.Column("queues", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("agent", sa.Text(), nullable=False, comment="the last one who talked"),
        sa.Column("agents", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("waited", sa.Double(), nullable=False),
        sa.Column("ring", sa.Double(), nullable=False),
        sa.Column("talk", sa.Double(), nullable=False),
        sa.Column("wrap_up", sa.Double(), nullable=False),
        sa.Column("transferred_to", sa.Text(), nullable=False),
        sa.Column("disposition", sa.Text(), nullable=False),
        sa.Column("last_seq", sa.Integer(), nullable=False),
        sa.Column(
            "missing",
            postgresql.JSONB(),
            nullable=False,
            comment="ranges [first, last] of sequence numbers never seen",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_contact"),
    )
    op.create_index("ix_contact_agents", "contact", ["agents"], unique=False, postgresql_using="gin")
    op.create_index(
        "ix_contact_arrived_id",
        "contact",
        [sa.literal_column("arrived DESC"), sa.literal_column("id DESC")],
        unique=False,
    )
    op.create_index("ix_contact_caller_arrived", "contact", ["caller", sa.literal_column("arrived DESC")], unique=False)
    op.create_index("ix_contact_live", "contact", ["arrived"], unique=False, postgresql_where=sa.text("ended IS NULL"))
    op.create_index("ix_contact_queues", "contact", ["queues"], unique=False, postgresql_using="gin")
    op.create_table(
        "event",
        sa.Column("contact_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("data", postgresql.JSONB(), nullable=False),
        sa.Column("recorded_at", sa.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("seq > 0", name="ck_event_seq_positive"),
        sa.PrimaryKeyConstraint("contact_id", "seq", name="pk_event"),
    )
    op.create_table(
        "leg",
        sa.Column("contact_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("leg", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("endpoint", sa.Text(), nullable=False),
        sa.Column("agent", sa.Text(), nullable=False),
        sa.Column("started", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("answered", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("ended", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("cause", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("contact_id", "leg", name="pk_leg"),
    )
    op.create_table(
        "one_time_link",
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("created_at", sa.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("used_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("token_hash", name="pk_one_time_link"),
    )
    op.create_table(
        "queue_visit",
        sa.Column("contact_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("n", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("requirement", sa.Text(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("entered", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("left", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False, comment="empty while the contact waits"),
        sa.Column("waited", sa.Double(), nullable=True),
        sa.Column("agent", sa.Text(), nullable=False),
        sa.Column("offers", sa.Integer(), nullable=False),
        sa.Column("missed", sa.Integer(), nullable=False),
        sa.Column("talk", sa.Double(), nullable=False),
        sa.Column("wrap_up", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("contact_id", "n", name="pk_queue_visit"),
    )
    op.create_index("ix_queue_visit_entered_queue", "queue_visit", ["entered", "queue"], unique=False)
    op.create_table(
        "recording",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("contact_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("agent", sa.Text(), nullable=False),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("box", sa.Text(), nullable=False),
        sa.Column("started", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("ended", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("files", postgresql.JSONB(), nullable=False),
        sa.Column("offsets", postgresql.JSONB(), nullable=False),
        sa.Column("stored_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("path", sa.Text(), nullable=False, comment="below the recordings directory"),
        sa.Column("seconds", sa.Double(), nullable=True),
        sa.Column("bytes", sa.BigInteger(), nullable=True),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("channels", sa.Integer(), nullable=True),
        sa.Column("failed_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("deleted_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_recording"),
    )
    op.create_index("ix_recording_contact_id", "recording", ["contact_id"], unique=False)
    op.create_index(
        "ix_recording_kept",
        "recording",
        ["stored_at"],
        unique=False,
        postgresql_where=sa.text("stored_at IS NOT NULL AND deleted_at IS NULL"),
    )
    op.create_index(
        "ix_recording_unfinished",
        "recording",
        ["ended"],
        unique=False,
        postgresql_where=sa.text("stored_at IS NULL AND failed_at IS NULL"),
    )
    op.create_table(
        "recording_event",
        sa.Column("recording", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("contact_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("data", postgresql.JSONB(), nullable=False),
        sa.Column("recorded_at", sa.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("recording", "kind", name="pk_recording_event"),
        comment="What a worker adds after the contact's owner has done its part",
    )
    op.create_index("ix_recording_event_contact_id", "recording_event", ["contact_id"], unique=False)
    op.create_table(
        "rejected_event",
        sa.Column(
            "digest",
            sa.Text(),
            nullable=False,
            comment="SHA-256 of text, so that a repeated delivery is one row",
        ),
        sa.Column("at", sa.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_rejected_event"),
    )
    op.create_index("ix_rejected_event_at", "rejected_event", ["at"], unique=False)
    op.create_table(
        "secret",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("at", sa.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_secret"),
    )
    op.create_table(
        "segment",
        sa.Column("contact_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("n", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("started", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("ended", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("agent", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("contact_id", "n", name="pk_segment"),
    )
    op.create_index(
        "ix_segment_agent_started",
        "segment",
        ["agent", "started"],
        unique=False,
        postgresql_where=sa.text("agent != ''"),
    )
    op.create_table(
        "site_version",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("at", sa.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column(
            "document",
            sa.JSON(),
            nullable=False,
            comment="json, not jsonb: it keeps the order people wrote things in",
        ),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_site_version"),
    )
    op.create_table(
        "user_account",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("created_at", sa.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("disabled", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_user_account"),
        sa.UniqueConstraint("name", name="uq_user_account_name"),
    )
    op.create_table(
        "voicemail",
        sa.Column("recording", sa.Text(), nullable=False),
        sa.Column("contact_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("box", sa.Text(), nullable=False),
        sa.Column("at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("recording", name="pk_voicemail"),
    )
    op.create_index("ix_voicemail_box_at", "voicemail", ["box", sa.literal_column("at DESC")], unique=False)
    op.create_index("ix_voicemail_contact_id", "voicemail", ["contact_id"], unique=False)
    op.execute(REFUSE)
    for table in PROTECTED:
        op.execute(
            f"CREATE TRIGGER {table}_is_final BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
