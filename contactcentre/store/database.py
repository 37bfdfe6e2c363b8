"""The connection to PostgreSQL and its schema's version."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import sqlalchemy as sa

from contactcentre.domain.notation import decode
from contactcentre.outages import POSTGRESQL

MIGRATION_LOCK = 0x636F6E7461637401
RECORD_LOCK = 0x636F6E7461637402
"""Advisory locks: one process migrates at a time, and one transaction folds events at a time (two that fold
the same contact, each blind to the other's events, would leave a wrong row)."""

MIGRATIONS = Path(__file__).parent / "migrations"
"""`versions/vNUMBER_what.py` is the revision NUMBER, of four digits."""

CONNECT_SECONDS = 5
STATEMENT_SECONDS = 30
POOL_SECONDS = 10
BUSY = ("57014", "40P01", "55P03")
"""SQLSTATE of what a server says that is there: the statement took too long, or met another one's locks."""


class StoreUnavailable(Exception):
    """PostgreSQL cannot be reached or went away. Nothing of the interrupted call was written."""


class NotStorable(ValueError):
    """A value is none that PostgreSQL can keep or compare with: a NUL in a text, a number or time beyond all bounds."""


class SchemaTooNew(Exception):
    """A newer program than this one has brought the database's schema up to date."""


class Database:
    """Connections to one database, usable from threads and from greenlets (psycopg 3 yields to gevent where
    it is monkey-patched). Every wait is bounded: connecting 5 s, a free connection 10 s, a statement 30 s."""

    def __init__(self, url: str, pool_size: int = 5) -> None:
        self._engine = sa.create_engine(
            url,
            pool_size=pool_size,
            max_overflow=pool_size,
            pool_timeout=POOL_SECONDS,
            pool_pre_ping=True,
            json_deserializer=decode,
            connect_args={
                "connect_timeout": CONNECT_SECONDS,
                "application_name": "contactcentre",
                "options": f"-c statement_timeout={STATEMENT_SECONDS * 1000}"
                f" -c idle_in_transaction_session_timeout={2 * STATEMENT_SECONDS * 1000}",
                "keepalives_idle": 10,
                "keepalives_interval": 5,
                "keepalives_count": 3,
            },
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._engine.dispose()

    @contextmanager
    def _begin(self) -> Iterator[sa.Connection]:
        """One transaction. Raises StoreUnavailable when the server is gone."""
        try:
            with self._engine.begin() as connection:
                yield connection
        except sa.exc.DataError as error:
            raise NotStorable(str(getattr(error, "orig", None) or error).strip().partition("\n")[0]) from error
        except (sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.TimeoutError) as error:
            reason = str(getattr(error, "orig", None) or error).strip()
            if getattr(error.orig if isinstance(error, sa.exc.DBAPIError) else None, "sqlstate", None) not in BUSY:
                POSTGRESQL.failed(reason)
            raise StoreUnavailable(reason) from error
        if POSTGRESQL.on:
            POSTGRESQL.worked()

    def ping(self) -> str:
        """The server's version. Raises StoreUnavailable."""
        with self._begin() as connection:
            return str(connection.scalar(sa.text("SHOW server_version")))

    def is_there(self) -> bool:
        """Whether the server answers."""
        try:
            self.ping()
        except StoreUnavailable:
            return False
        return True

    def migrate(self) -> str:
        """Brings the schema to this program's version; returns it. Processes that do so at once wait for the
        first."""
        have, need = self.schema_version()
        if have == need:
            return need
        if have is not None and have > need:
            raise SchemaTooNew(f"the database has schema {have}, this program knows {need}: upgrade this program")
        # half of what the start of a short command would cost, and seldom needed
        from alembic import command
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        with self._begin() as connection:
            connection.execute(sa.text("SET LOCAL statement_timeout = 0"))
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(MIGRATION_LOCK)))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
        return need

    def schema_version(self) -> tuple[str | None, str]:
        """(what the database has, what this program needs)."""
        need = max(path.stem[1:5] for path in MIGRATIONS.glob("versions/v[0-9][0-9][0-9][0-9]_*.py"))
        with self._begin() as connection:
            if connection.scalar(sa.text("SELECT to_regclass('alembic_version')")) is None:
                return None, need
            return connection.scalar(sa.text("SELECT max(version_num) FROM alembic_version")), need


def by_name(column: sa.ColumnElement[str], values: Mapping[str, float], otherwise: float) -> sa.ColumnElement[float]:
    """The value that belongs to the column's name, in SQL."""
    last = sa.literal(float(otherwise))
    return sa.case(*((column == name, float(value)) for name, value in values.items()), else_=last) if values else last
