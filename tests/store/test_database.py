import threading

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from contactcentre.store import SchemaTooNew, Store, StoreUnavailable
from contactcentre.store.database import MIGRATIONS
from contactcentre.store.tables import metadata


def test_processes_that_migrate_at_once_leave_one_schema(database_url: str) -> None:
    stores = [Store(database_url) for _ in range(4)]
    versions: list[str] = []
    failures: list[Exception] = []

    def migrate(store: Store) -> None:
        try:
            versions.append(store.migrate())
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=migrate, args=(store,)) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(set(versions)) == 1
    assert stores[0].schema_version() == (versions[0], versions[0])
    for store in stores:
        store.close()


def test_the_migrations_make_exactly_the_tables_that_the_program_uses(migrated: Store) -> None:
    with migrated._begin() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_the_version_that_is_needed_is_the_newest_migration(migrated: Store) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    newest = ScriptDirectory.from_config(config).get_current_head()
    assert migrated.schema_version() == (newest, newest)


def test_a_database_of_a_newer_program_is_left_alone(database_url: str) -> None:
    with Store(database_url) as store:
        known = store.migrate()
        with store._begin() as connection:
            connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
        with pytest.raises(SchemaTooNew, match="9999"):
            store.migrate()
        with store._begin() as connection:
            connection.execute(sa.text("UPDATE alembic_version SET version_num = :known"), {"known": known})


@pytest.mark.parametrize("table", ["audit", "site_version"])
@pytest.mark.parametrize("change", ["UPDATE {} SET comment = ''", "DELETE FROM {}", "TRUNCATE {}"])
def test_the_audit_log_and_old_site_versions_cannot_be_changed(migrated: Store, table: str, change: str) -> None:
    statement = change.format(table).replace("comment", "actor" if table == "audit" else "comment")
    with pytest.raises(sa.exc.IntegrityError, match="never changed"), migrated._begin() as connection:
        connection.execute(sa.text(statement))


def test_a_server_that_is_not_there_has_a_name_of_its_own() -> None:
    with (
        Store("postgresql://nobody@127.0.0.1:1/none") as store,
        pytest.raises(StoreUnavailable, match="refused"),
    ):
        store.ping()


def test_a_connection_that_the_server_has_closed_is_replaced(migrated: Store) -> None:
    migrated.ping()
    with migrated._begin() as connection:
        connection.execute(
            sa.text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
                " AND datname = current_database()"
            )
        )
    for _ in range(3):
        assert migrated.ping()


def test_a_wait_in_the_database_lets_other_greenlets_run(migrated: Store) -> None:
    import gevent

    ticks = []

    def tick() -> None:
        while True:
            ticks.append(1)
            gevent.sleep(0.01)

    ticker = gevent.spawn(tick)
    with migrated._begin() as connection:
        connection.execute(sa.text("SELECT pg_sleep(0.3)"))
    ticker.kill()
    assert len(ticks) > 10
