"""PostgreSQL: the site's configuration, users and audit log, and the history of all contacts."""

from contactcentre.store.accounts import (
    ROLES,
    Accounts,
    AuditEntry,
    Link,
    NameTaken,
    NoSuchUser,
    User,
)
from contactcentre.store.database import StoreUnavailable
from contactcentre.store.sites import NoSuchVersion, SiteChanged, Sites, SiteVersion

__all__ = [
    "ROLES",
    "AuditEntry",
    "Link",
    "NameTaken",
    "NoSuchUser",
    "NoSuchVersion",
    "SiteChanged",
    "SiteVersion",
    "Store",
    "StoreUnavailable",
    "User",
]


class Store(Sites, Accounts):
    """Everything in PostgreSQL. One object for each process; usable from many threads or greenlets at once."""
