"""Tokens by which programs use the API in the name of an account. Only hashes are stored; `web` makes them."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from contactcentre.store.accounts import Accounts, User
from contactcentre.store.paging import after, cursor_at
from contactcentre.store.tables import Epoch, metadata, user_account

USE_SECONDS = 60.0
"""The last use is written down at most so often, for a program may ask many times a second."""

KEPT_SECONDS = 30 * 86400.0
"""For so long after their end tokens are listed; then they are forgotten. The audit log keeps what was done."""

api_token = sa.Table(
    "api_token",
    metadata,
    sa.Column("id", sa.Text, primary_key=True, comment="the beginning of the token, shown to people"),
    sa.Column("token_hash", sa.Text, nullable=False, unique=True),
    sa.Column("account_id", sa.ForeignKey("user_account.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("name", sa.Text, nullable=False, comment="what it is for"),
    sa.Column("scopes", ARRAY(sa.Text), nullable=False),
    sa.Column("created_at", Epoch, nullable=False),
    sa.Column("created_by", sa.Text, nullable=False),
    sa.Column("expires_at", Epoch, nullable=False),
    sa.Column("revoked_at", Epoch, nullable=True),
    sa.Column("used_at", Epoch, nullable=True),
    sa.Column("used_from", sa.Text, nullable=False, server_default=""),
)


class NoSuchToken(Exception):
    """There is no token of this id that could be used."""


class TooManyTokens(Exception):
    """The account has as many usable tokens as it may have."""


@dataclass(frozen=True, slots=True)
class ApiToken:
    id: str
    account: str
    name: str
    scopes: tuple[str, ...]
    created_at: float
    created_by: str
    expires_at: float
    revoked_at: float | None
    used_at: float | None
    used_from: str

    def usable(self, now: float) -> bool:
        return self.revoked_at is None and now < self.expires_at


@dataclass(frozen=True, slots=True)
class TokenPage:
    """Tokens, the one made last first. `cursor` gets the next page; "" on the last one."""

    tokens: tuple[ApiToken, ...]
    cursor: str = ""


class Tokens(Accounts):
    def add_token(
        self,
        id: str,
        token_hash: str,
        account: User,
        *,
        name: str,
        scopes: Collection[str],
        expires_at: float,
        by: str,
        now: float,
        most: int,
    ) -> ApiToken:
        """Raises TooManyTokens when `most` of the account's can be used. Those that ended long ago are forgotten."""
        own = api_token.c
        values = {
            "id": id,
            "token_hash": token_hash,
            "account_id": account.id,
            "name": name,
            "scopes": sorted(set(scopes)),
            "created_at": now,
            "created_by": by,
            "expires_at": expires_at,
        }
        with self._begin() as connection:
            # of several requests at once the limit lets the same number through as of one after the other
            connection.execute(sa.select(user_account.c.id).where(user_account.c.id == account.id).with_for_update())
            connection.execute(sa.delete(api_token).where(_ended() < now - KEPT_SECONDS))
            usable = sa.select(sa.func.count()).where(own.account_id == account.id, _ended() > now)
            if connection.execute(usable.select_from(api_token)).scalar_one() >= most:
                raise TooManyTokens(f"{account.name} has {most} tokens that can be used: revoke one first")
            connection.execute(sa.insert(api_token).values(values))
            row = connection.execute(_tokens().where(own.id == id)).one()
        return _token(row)

    def token(self, token_hash: str, now: float, address: str = "") -> tuple[ApiToken, User] | None:
        """The token that can be used, and whose it is. Asking with an `address` counts as use."""
        own = api_token.c
        with self._begin() as connection:
            row = connection.execute(_tokens().where(own.token_hash == token_hash, _ended() > now)).one_or_none()
            if row is None:
                return None
            if address and (row.used_at is None or row.used_at < now - USE_SECONDS):
                used = {"used_at": now, "used_from": address}
                connection.execute(sa.update(api_token).where(own.id == row.id).values(used))
        user = self.user_named(row.account)
        return None if user is None else (_token(row), user)

    def tokens(self, account: str | None = None, *, now: float = 0.0, limit: int = 50, cursor: str = "") -> TokenPage:
        """An account's (None: everybody's). Those that ended more than 30 days before `now` are left out. Raises
        BadCursor."""
        own = api_token.c
        statement = _tokens().where(_ended() > now - KEPT_SECONDS)
        if account is not None:
            statement = statement.where(user_account.c.name == account)
        if cursor:
            statement = statement.where(after(cursor, own.created_at, own.id))
        statement = statement.order_by(own.created_at.desc(), own.id.desc()).limit(limit + 1)
        with self._begin() as connection:
            found = [_token(row) for row in connection.execute(statement)]
        last = found[limit - 1] if len(found) > limit else None
        return TokenPage(tuple(found[:limit]), cursor_at(last.created_at, last.id) if last else "")

    def revoke_token(self, id: str, now: float, account: str | None = None) -> ApiToken:
        """Ends it at once. `account`: only if it is this one's. Raises NoSuchToken."""
        own = api_token.c
        mine = [] if account is None else [user_account.c.name == account]
        with self._begin() as connection:
            row = connection.execute(_tokens().where(own.id == id, _ended() > now, *mine)).one_or_none()
            ended = sa.update(api_token).where(own.id == id, own.revoked_at.is_(None)).values(revoked_at=now)
            if row is None or not connection.execute(ended).rowcount:
                raise NoSuchToken(f"there is no token {id[:40]!r} that could be used")
            return _token(connection.execute(_tokens().where(own.id == id)).one())


def _ended() -> sa.ColumnElement[Any]:
    """When the token ended, or will end."""
    return sa.func.least(api_token.c.expires_at, api_token.c.revoked_at, type_=Epoch)


def _tokens() -> sa.Select[Any]:
    own = api_token.c
    return sa.select(
        own.id,
        user_account.c.name.label("account"),
        own.name,
        own.scopes,
        own.created_at,
        own.created_by,
        own.expires_at,
        own.revoked_at,
        own.used_at,
        own.used_from,
    ).join(user_account, user_account.c.id == own.account_id)


def _token(row: sa.Row[Any]) -> ApiToken:
    return ApiToken(**{**row._mapping, "scopes": tuple(row.scopes)})
