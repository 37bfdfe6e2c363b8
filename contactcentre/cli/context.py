"""What most commands need: the settings, the store, the live state."""

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from contactcentre import embedded
from contactcentre.embedded import Services
from contactcentre.settings import Settings

if TYPE_CHECKING:
    from contactcentre.live import Live
    from contactcentre.store import Store


@contextlib.contextmanager
def open_services(settings: Settings | None = None) -> Iterator[Services]:
    """The addresses of PostgreSQL and Redis, embedded ones started if need be."""
    with embedded.services((settings or Settings()).prepare()) as found:
        yield found


@contextlib.contextmanager
def open_store(settings: Settings | None = None) -> Iterator["Store"]:
    """The store, its schema up to date."""
    from contactcentre.store import Store

    with open_services(settings) as found, contextlib.closing(Store(found.database_url)) as store:
        store.migrate()
        yield store


@contextlib.contextmanager
def open_live(settings: Settings | None = None) -> Iterator["Live"]:
    """The live state in Redis."""
    from contactcentre.live import Live, connect

    with (
        open_services(settings) as found,
        contextlib.closing(connect(found.redis_url)) as client,
    ):
        yield Live(client)
