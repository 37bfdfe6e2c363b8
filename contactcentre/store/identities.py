"""Who an account is at a provider of sign-ins: its issuer, and the subject that it never gives to anybody else."""

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from contactcentre.store.accounts import Accounts, User, account_id, id_of
from contactcentre.store.tables import Epoch, metadata, user_account

identity = sa.Table(
    "identity",
    metadata,
    sa.Column("issuer", sa.Text, primary_key=True),
    sa.Column("subject", sa.Text, primary_key=True),
    sa.Column("account_id", sa.ForeignKey("user_account.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("since", Epoch, nullable=False),
)


class IdentityTaken(Exception):
    """The subject is an account's already."""


@dataclass(frozen=True, slots=True)
class Identity:
    issuer: str
    subject: str
    since: float


class Identities(Accounts):
    def user_of_identity(self, issuer: str, subject: str) -> User | None:
        own = identity.c
        statement = sa.select(own.account_id).where(own.issuer == issuer, own.subject == subject)
        with self._begin() as connection:
            account = connection.execute(statement).scalar()
        return None if account is None else self.user(account)

    def identities(self, name: str) -> list[Identity]:
        own = identity.c
        statement = sa.select(own.issuer, own.subject, own.since).join(user_account).where(user_account.c.name == name)
        with self._begin() as connection:
            return [Identity(*row) for row in connection.execute(statement.order_by(own.since))]

    def add_identity(self, name: str, issuer: str, subject: str, now: float) -> None:
        """Of several who try at once one gets it. Raises NoSuchUser, IdentityTaken."""
        with self._begin() as connection:
            values = {"issuer": issuer, "subject": subject, "account_id": account_id(connection, name), "since": now}
            adding = insert(identity).values(values).on_conflict_do_nothing().returning(identity.c.subject)
            if connection.execute(adding).scalar() is None:
                raise IdentityTaken("this subject is an account's already")

    def drop_identities(self, name: str) -> int:
        """How many there were."""
        with self._begin() as connection:
            return connection.execute(sa.delete(identity).where(identity.c.account_id == id_of(name))).rowcount
