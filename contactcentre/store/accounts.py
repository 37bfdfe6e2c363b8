"""Who may sign in, one-time links, and the audit log. Passwords and tokens are hashed by the caller (`web`);
this module never sees them in clear."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from contactcentre.settings import ROLES
from contactcentre.store.database import Database
from contactcentre.store.tables import audit, one_time_link, user_account
from contactcentre.store.values import storable


class NameTaken(Exception):
    """There is a user of this name already."""


class NoSuchUser(Exception):
    """There is no user of this name."""


@dataclass(frozen=True, slots=True)
class User:
    id: int
    name: str
    password_hash: str
    role: str
    created_at: float
    disabled: bool
    agent: str  # of the site: who this account is at the phone; "" = nobody
    queues: tuple[str, ...] = ()  # of the site: the only ones that this account sees; () = all
    language: str = ""  # of the pages, ISO 639; "" = the browser's


@dataclass(frozen=True, slots=True)
class Link:
    """A one-time link. Only the hash of its token is stored."""

    token_hash: str
    purpose: str
    role: str
    created_at: float
    expires_at: float
    used_at: float | None


@dataclass(frozen=True, slots=True)
class AuditEntry:
    id: int
    at: float
    actor: str
    action: str
    subject: str
    detail: Mapping[str, Any]
    address: str


class Accounts(Database):
    # -- users -----------------------------------------------------------------------------------------------

    def add_user(self, name: str, password_hash: str, role: str, agent: str = "", queues: Collection[str] = ()) -> User:
        """Raises NameTaken; ValueError for a role that is none of ROLES."""
        _check_role(role)
        statement = (
            insert(user_account)
            .values(name=name, password_hash=password_hash, role=role, agent=agent, queues=sorted(set(queues)))
            .on_conflict_do_nothing()
            .returning(user_account)
        )
        with self._begin() as connection:
            row = connection.execute(statement).one_or_none()
        if row is None:
            raise NameTaken(f"there is a user named {name!r} already")
        return _user(row)

    def user(self, id: int) -> User | None:
        return self._user(user_account.c.id == id)

    def user_named(self, name: str) -> User | None:
        return self._user(user_account.c.name == name)

    def _user(self, condition: sa.ColumnElement[bool]) -> User | None:
        with self._begin() as connection:
            row = connection.execute(sa.select(user_account).where(condition)).one_or_none()
        return None if row is None else _user(row)

    def users(self) -> list[User]:
        with self._begin() as connection:
            return [_user(row) for row in connection.execute(sa.select(user_account).order_by(user_account.c.name))]

    def change_user(
        self,
        name: str,
        *,
        password_hash: str | None = None,
        role: str | None = None,
        disabled: bool | None = None,
        agent: str | None = None,
        queues: Collection[str] | None = None,
        language: str | None = None,
    ) -> User:
        """Changes what is given. Raises NoSuchUser; ValueError for an unknown role."""
        if role is not None:
            _check_role(role)
        changes = {
            "password_hash": password_hash,
            "role": role,
            "disabled": disabled,
            "agent": agent,
            "queues": None if queues is None else sorted(set(queues)),
            "language": language,
        }
        given = {key: value for key, value in changes.items() if value is not None}
        statement = sa.update(user_account).where(user_account.c.name == name).returning(user_account)
        with self._begin() as connection:
            row = connection.execute(statement.values(given or {"name": name})).one_or_none()
        if row is None:
            raise NoSuchUser(f"there is no user named {name!r}")
        return _user(row)

    def remove_user(self, name: str) -> None:
        """Raises NoSuchUser. What the user did stays in the audit log."""
        with self._begin() as connection:
            if not connection.execute(sa.delete(user_account).where(user_account.c.name == name)).rowcount:
                raise NoSuchUser(f"there is no user named {name!r}")

    # -- one-time links --------------------------------------------------------------------------------------

    def add_link(self, token_hash: str, *, purpose: str, role: str, expires_at: float) -> None:
        """`purpose` says what it is good for (`first-admin`, `password:NAME` ...); it expires at
        `expires_at`."""
        _check_role(role)
        values = {"token_hash": token_hash, "purpose": purpose, "role": role, "expires_at": expires_at}
        with self._begin() as connection:
            connection.execute(sa.insert(one_time_link).values(values))

    def link(self, token_hash: str, now: float) -> Link | None:
        """The link, if it can still be used (for showing its form; `use_link` is what takes it)."""
        with self._begin() as connection:
            row = connection.execute(sa.select(one_time_link).where(_usable(token_hash, now))).one_or_none()
        return None if row is None else Link(*row)

    def use_link(self, token_hash: str, now: float) -> Link | None:
        """Takes the link: of several who try at once exactly one gets it, the others and all who come later
        get None."""
        statement = sa.update(one_time_link).where(_usable(token_hash, now)).values(used_at=now)
        with self._begin() as connection:
            row = connection.execute(statement.returning(one_time_link)).one_or_none()
        return None if row is None else Link(*row)

    def drop_links(self, *, purpose: str) -> int:
        """Makes all links for a purpose useless; returns how many there were."""
        with self._begin() as connection:
            return connection.execute(sa.delete(one_time_link).where(one_time_link.c.purpose == purpose)).rowcount

    # -- audit -----------------------------------------------------------------------------------------------

    def audit(
        self,
        actor: str,
        action: str,
        subject: str = "",
        detail: Mapping[str, Any] | None = None,
        address: str = "",
    ) -> None:
        """Adds an entry to the log, which the database lets nobody change. `action` is noun.verb:
        `queue.change`, `recording.export`, `session.open`; `actor` a user's name, or `cli:NAME`, `worker`,
        `system`."""
        with self._begin() as connection:
            connection.execute(_entry(actor, action, subject, detail, address))

    def audit_entries(
        self,
        *,
        actor: str = "",
        subject: str = "",
        action: str = "",
        since: float | None = None,
        until: float | None = None,
        before: int | None = None,
        limit: int = 100,
    ) -> Sequence[AuditEntry]:
        """Newest first. `action`: noun.verb, or a noun alone: all that was done with those. At or after `since`, before
        `until` (epoch seconds). `before` is the id of the last entry of the page before."""
        statement = sa.select(audit).order_by(audit.c.id.desc()).limit(limit)
        for column, wanted in ((audit.c.actor, actor), (audit.c.subject, subject)):
            if wanted:
                statement = statement.where(column == wanted)
        if action:
            same = audit.c.action == action
            noun = audit.c.action.startswith(f"{action}.", autoescape=True)
            statement = statement.where(same if "." in action else same | noun)
        if since is not None:
            statement = statement.where(audit.c.at >= since)
        if until is not None:
            statement = statement.where(audit.c.at < until)
        if before is not None:
            statement = statement.where(audit.c.id < before)
        with self._begin() as connection:
            return [AuditEntry(*row) for row in connection.execute(statement)]


def _user(row: sa.Row[Any]) -> User:
    return User(**{**row._mapping, "queues": tuple(row.queues)})


def _entry(actor: str, action: str, subject: str, detail: Mapping[str, Any] | None, address: str = "") -> sa.Insert:
    values = {
        "actor": actor,
        "action": action,
        "subject": subject,
        "detail": dict(detail or {}),
        "address": address,
    }
    return sa.insert(audit).values(storable(values))


def _usable(token_hash: str, now: float) -> sa.ColumnElement[bool]:
    link = one_time_link.c
    return (link.token_hash == token_hash) & link.used_at.is_(None) & (link.expires_at > now)


def account_id(connection: sa.Connection, name: str) -> int:
    """Raises NoSuchUser."""
    found: int | None = connection.execute(sa.select(id_of(name))).scalar()
    if found is None:
        raise NoSuchUser(f"there is no user named {name!r}")
    return found


def id_of(name: str) -> sa.ScalarSelect[int]:
    """For a statement about the account of this name; of nobody where there is none."""
    return sa.select(user_account.c.id).where(user_account.c.name == name).scalar_subquery()


def _check_role(role: str) -> None:
    if role not in ROLES:
        raise ValueError(f"role {role!r} is none of {', '.join(ROLES)}")
