"""A real PostgreSQL and a real Redis for the whole session, the ones users without their own get."""

import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis as redis_client

from contactcentre import embedded
from contactcentre.embedded import Services
from contactcentre.settings import Settings
from tests.plugins.speech import Spoken

_numbers = itertools.count(1)


@pytest.fixture(scope="session", autouse=True)
def _no_settings_from_outside() -> Iterator[None]:
    """Nobody's own settings, and above all nobody's own PBX, may leak into a test."""
    import os

    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith("CONTACTCENTRE_") or name in ("DATABASE_URL", "REDIS_URL"):
                patch.delenv(name)
        patch.setenv("CONTACTCENTRE_WATCH_PORT", "0")  # processes of tests share no ports
        # nor is a machine that runs several tests at once to turn callers away, or to lead them elsewhere
        patch.setenv("CONTACTCENTRE_OVERLOAD_LAG", "0")
        patch.setenv("CONTACTCENTRE_PRESENCE", "60")
        yield


@pytest.fixture(scope="session")
def services(_no_settings_from_outside: None) -> Iterator[Services]:
    """The embedded services of this session."""
    # not below pytest's own directory, which the account that PostgreSQL runs as under root cannot enter
    with tempfile.TemporaryDirectory(prefix="contactcentre-test-") as directory:
        Path(directory).chmod(0o755)
        with embedded.services(Settings(state_dir=Path(directory))) as found:
            yield found


@pytest.fixture(scope="module")
def database_url(services: Services) -> Iterator[str]:
    """A fresh, empty database for the test's module."""
    name = f"test_{next(_numbers)}"
    address = services.database_url.replace("+psycopg", "")
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        yield services.database_url.replace("/contactcentre?", f"/{name}?")
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def redis(services: Services) -> Iterator[redis_client.Redis]:
    """A client of the session's Redis, which is empty when the test starts."""
    with redis_client.Redis.from_url(services.redis_url) as client:
        client.flushall()
        yield client


@pytest.fixture
def settings(
    tmp_path_factory: pytest.TempPathFactory,
    services: Services,
    database_url: str,
    spoken: Spoken,
    monkeypatch: pytest.MonkeyPatch,
) -> Settings:
    """A state directory of the test's own and the session's services; the environment says the same."""
    # not below tmp_path, which has the test's name: a socket's path must fit into 107 bytes
    state = spoken(tmp_path_factory.mktemp("state"))
    monkeypatch.setenv("CONTACTCENTRE_STATE_DIR", str(state))
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("REDIS_URL", services.redis_url)
    return Settings().prepare()
