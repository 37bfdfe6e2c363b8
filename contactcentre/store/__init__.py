"""PostgreSQL: the site's configuration, users and audit log, and the history of all contacts."""

from contactcentre.store.accounts import Accounts, AuditEntry, Link, NameTaken, NoSuchUser, User
from contactcentre.store.alerts import AlertHistory
from contactcentre.store.boxes import Boxes, BoxMessage, NoSuchMessage, Taken
from contactcentre.store.callers import Callback, Callers
from contactcentre.store.customers import CustomerPage, Customers, NoSuchCustomer, NumberTaken
from contactcentre.store.data_keys import DataKeys
from contactcentre.store.database import NotStorable, SchemaTooNew, StoreUnavailable
from contactcentre.store.facts import Facts
from contactcentre.store.history import (
    AmbiguousContact,
    History,
    NoSuchContact,
    NoSuchRecording,
    Page,
)
from contactcentre.store.holds import Hold, Holds, OnHold
from contactcentre.store.identities import Identities, Identity, IdentityTaken
from contactcentre.store.journal import Recorded
from contactcentre.store.notices import Notice, Notices
from contactcentre.store.paging import BadCursor
from contactcentre.store.recording_notes import RecordingNote, RecordingNotes
from contactcentre.store.results import Changed, Note, Promise, SaidCount
from contactcentre.store.second_factors import SecondFactor, SecondFactors
from contactcentre.store.shifts import Shifts
from contactcentre.store.sites import NoSuchVersion, SiteChanged, SiteVersion
from contactcentre.store.statistics import QueueStats, Statistics
from contactcentre.store.tokens import ApiToken, NoSuchToken, Tokens
from contactcentre.store.traffic import Traffic
from contactcentre.store.waits import Waits
from contactcentre.store.webhooks import NoSuchWebhook, Webhooks, WebhookThere

__all__ = [
    "AmbiguousContact",
    "ApiToken",
    "AuditEntry",
    "BadCursor",
    "BoxMessage",
    "Callback",
    "Changed",
    "CustomerPage",
    "Hold",
    "Identity",
    "IdentityTaken",
    "Link",
    "NameTaken",
    "NoSuchContact",
    "NoSuchCustomer",
    "NoSuchMessage",
    "NoSuchRecording",
    "NoSuchToken",
    "NoSuchUser",
    "NoSuchVersion",
    "NoSuchWebhook",
    "NotStorable",
    "Note",
    "Notice",
    "NumberTaken",
    "OnHold",
    "Page",
    "Promise",
    "QueueStats",
    "Recorded",
    "RecordingNote",
    "SaidCount",
    "SchemaTooNew",
    "SecondFactor",
    "SiteChanged",
    "SiteVersion",
    "Store",
    "StoreUnavailable",
    "Taken",
    "User",
    "WebhookThere",
]


class Store(
    Traffic,
    Customers,
    Facts,
    History,
    Callers,
    Waits,
    Statistics,
    Shifts,
    Boxes,
    Holds,
    DataKeys,
    Notices,
    RecordingNotes,
    Tokens,
    SecondFactors,
    Identities,
    Webhooks,
    AlertHistory,
    Accounts,
):
    """Everything in PostgreSQL. One object for each process; usable from many threads or greenlets at once."""
