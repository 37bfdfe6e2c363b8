"""The second factor of accounts: the sealed secret of an authenticator app, and hashes of recovery codes. `web` seals
and hashes; this module never sees either in clear."""

from collections.abc import Collection
from dataclasses import dataclass

import sqlalchemy as sa

from contactcentre.store.accounts import Accounts, account_id, id_of
from contactcentre.store.tables import Epoch, metadata, user_account

second_factor = sa.Table(
    "second_factor",
    metadata,
    sa.Column("account_id", sa.ForeignKey("user_account.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("sealed", sa.LargeBinary, nullable=False, comment="by a key that is not in this database"),
    sa.Column("since", Epoch, nullable=False),
    sa.Column("last_step", sa.BigInteger, nullable=False, comment="of the code that was accepted last (RFC 6238)"),
)
recovery_code = sa.Table(
    "recovery_code",
    metadata,
    sa.Column("account_id", sa.ForeignKey("user_account.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("code_hash", sa.Text, primary_key=True),
    sa.Column("used_at", Epoch, nullable=True),
)


@dataclass(frozen=True, slots=True)
class SecondFactor:
    sealed: bytes
    since: float
    last_step: int
    recovery_codes: int  # not used yet


class SecondFactors(Accounts):
    def second_factor(self, name: str) -> SecondFactor | None:
        own = second_factor.c
        left = sa.select(sa.func.count()).where(
            recovery_code.c.account_id == own.account_id, recovery_code.c.used_at.is_(None)
        )
        wanted = (own.sealed, own.since, own.last_step, left.correlate(second_factor).scalar_subquery())
        statement = sa.select(*wanted).where(own.account_id == id_of(name))
        with self._begin() as connection:
            row = connection.execute(statement).one_or_none()
        return None if row is None else SecondFactor(*row)

    def with_second_factor(self) -> frozenset[str]:
        """The names of all accounts that have one."""
        statement = sa.select(user_account.c.name).join(second_factor)
        with self._begin() as connection:
            return frozenset(connection.execute(statement).scalars())

    def keep_second_factor(self, name: str, sealed: bytes, step: int, codes: Collection[str], now: float) -> None:
        """In place of what was there, recovery codes, too. `step`: of the code that proved it. Raises NoSuchUser."""
        with self._begin() as connection:
            own = account_id(connection, name)
            connection.execute(sa.delete(second_factor).where(second_factor.c.account_id == own))
            values = {"account_id": own, "sealed": sealed, "since": now, "last_step": step}
            connection.execute(sa.insert(second_factor).values(values))
            _replace(connection, own, codes)

    def take_code_step(self, name: str, sealed: bytes, step: int) -> bool:
        """Uses up the codes of this step and all before: of several who try at once exactly one gets it."""
        own = second_factor.c
        statement = sa.update(second_factor).values(last_step=step)
        with self._begin() as connection:
            taken = statement.where(own.account_id == id_of(name), own.sealed == sealed, own.last_step < step)
            return connection.execute(taken).rowcount == 1

    def take_recovery_code(self, name: str, code_hash: str, now: float) -> bool:
        """Uses it up, once."""
        own = recovery_code.c
        same = (own.account_id == id_of(name), own.code_hash == code_hash, own.used_at.is_(None))
        with self._begin() as connection:
            return connection.execute(sa.update(recovery_code).where(*same).values(used_at=now)).rowcount == 1

    def replace_recovery_codes(self, name: str, codes: Collection[str]) -> None:
        """Those of before are good no longer. Nothing where there is no second factor."""
        with self._begin() as connection:
            statement = sa.select(second_factor.c.account_id).where(second_factor.c.account_id == id_of(name))
            own = connection.execute(statement.with_for_update()).scalar()
            if own is not None:
                _replace(connection, own, codes)

    def drop_second_factor(self, name: str) -> bool:
        """Recovery codes included. False: there was none."""
        with self._begin() as connection:
            for table in (recovery_code, second_factor):
                dropped = connection.execute(sa.delete(table).where(table.c.account_id == id_of(name))).rowcount
        return dropped == 1


def _replace(connection: sa.Connection, account: int, codes: Collection[str]) -> None:
    connection.execute(sa.delete(recovery_code).where(recovery_code.c.account_id == account))
    connection.execute(sa.insert(recovery_code), [{"account_id": account, "code_hash": code} for code in codes])
