"""A store with the schema of today, in a database of the test module's own."""

from collections.abc import Iterator

import pytest

from contactcentre.store import Store
from tests.store.emptied import FACTS_AND_PEOPLE, empty


@pytest.fixture(scope="module")
def migrated(database_url: str) -> Iterator[Store]:
    with Store(database_url) as store:
        store.migrate()
        yield store


@pytest.fixture
def store(migrated: Store) -> Store:
    """The module's store without a trace of the test before."""
    empty(migrated, (*FACTS_AND_PEOPLE, "rejected_event", "secret"))
    return migrated
