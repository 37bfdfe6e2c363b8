"""A store with the schema of today, in a database of the test module's own."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from contactcentre.store import Store

EMPTIED = (
    "event",
    "recording_event",
    "agent_event",
    "rejected_event",
    "contact",
    "leg",
    "segment",
    "queue_visit",
    "recording",
    "voicemail",
    "box_message",
    "participation",
    "recording_key",
    "secret",
    "user_account",
    "one_time_link",
)


@pytest.fixture(scope="module")
def migrated(database_url: str) -> Iterator[Store]:
    with Store(database_url) as store:
        store.migrate()
        yield store


@pytest.fixture
def store(migrated: Store) -> Store:
    """The module's store without a trace of the test before."""
    # DELETE: a TRUNCATE would lock out, and be locked out by, whoever reads meanwhile
    with migrated._begin() as connection:
        for name in EMPTIED:
            connection.execute(sa.text(f"DELETE FROM {name}"))
    return migrated
