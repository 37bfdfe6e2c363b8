"""Stores that tests share, emptied between them."""

from collections.abc import Iterable

import sqlalchemy as sa

from contactcentre.store import Store

FACTS_AND_PEOPLE = (
    "event",
    "said_event",
    "said",
    "contact_note",
    "customer",
    "customer_number",
    "recording_event",
    "agent_event",
    "alert_event",
    "contact",
    "leg",
    "segment",
    "queue_visit",
    "recording",
    "voicemail",
    "box_message",
    "participation",
    "recording_key",
    "webhook",
    "webhook_delivery",
    "notice",
    "recording_note",
    "user_account",
    "one_time_link",
)


def empty(store: Store, tables: Iterable[str] = FACTS_AND_PEOPLE) -> None:
    # DELETE: a TRUNCATE would lock out, and be locked out by, whoever reads meanwhile
    with store._begin() as connection:
        for name in tables:
            connection.execute(sa.text(f"DELETE FROM {name}"))
