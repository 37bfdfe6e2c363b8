"""The web application on a real PostgreSQL and a real Redis, and somebody signed in."""

import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from apiflask import APIFlask
from argon2 import PasswordHasher
from flask.testing import FlaskClient
from jinja2 import BytecodeCache, FileSystemBytecodeCache
from redis import Redis

from contactcentre.embedded import Services
from contactcentre.live import Live
from contactcentre.settings import Settings
from contactcentre.store import Store
from contactcentre.web import accounts, build
from contactcentre.web.app import WebServices, create_app
from tests.controller.conftest import shared_world  # noqa: F401  (a fixture)
from tests.controller.world import World
from tests.store.emptied import empty
from tests.web.chromium import Chromium
from tests.web.sample import site
from tests.web.serving import ROOT, Server, serving

PASSWORD = "violet tractor pondering"

SignIn = Callable[[str], FlaskClient]


@pytest.fixture(scope="session", autouse=True)
def _assets() -> None:
    """The pages' scripts and styles, built once if nobody did."""
    try:
        build.names()
    except build.NotBuilt:
        if not (ROOT / "node_modules").is_dir():
            pytest.skip("the pages' assets are not built and npm's packages are not installed: npm ci")
        subprocess.run(["npm", "run", "build"], cwd=ROOT, check=True, capture_output=True)


@pytest.fixture(scope="session", autouse=True)
def hasher() -> Iterator[PasswordHasher]:
    """The one of service. Nearly every test hashes a password and looks at one: with the least of work here."""
    with pytest.MonkeyPatch.context() as patch:
        real = accounts._hasher
        patch.setattr(accounts, "_hasher", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        yield real


@pytest.fixture(scope="module")
def _migrated(database_url: str) -> Iterator[Store]:
    with Store(database_url) as store:
        store.migrate()
        yield store


@pytest.fixture
def store(_migrated: Store) -> Store:
    """The module's store without a trace of the test before (the audit log and the site's versions stay)."""
    empty(_migrated)
    return _migrated


@pytest.fixture
def web(
    settings: Settings, services: Services, store: Store, redis: "Redis", database_url: str
) -> Iterator[WebServices]:
    store.save_site(site(), "test")
    found = WebServices.connect(settings, database_url, services.redis_url)
    yield found
    found.close()


@pytest.fixture
def live(web: WebServices) -> Live:
    return web.live


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory) -> BytecodeCache:
    """Each test has an application of its own, which would compile every page's template anew."""
    return FileSystemBytecodeCache(str(tmp_path_factory.mktemp("templates")))


@pytest.fixture
def app(web: WebServices, templates: BytecodeCache) -> APIFlask:
    made = create_app(web, TESTING=True)
    made.jinja_env.bytecode_cache = templates
    return made


@pytest.fixture
def sign_in(app: APIFlask, store: Store) -> SignIn:
    """`sign_in("supervisor")` is a browser in which somebody of that role has signed in."""
    hashed = accounts.hash_password(PASSWORD)

    def make(role: str) -> FlaskClient:
        client = app.test_client()
        if store.user_named(f"a-{role}") is None:
            store.add_user(f"a-{role}", hashed, role)
        answer = post(client, "/login", "/login", name=f"a-{role}", password=PASSWORD)
        assert answer.status_code == 303, answer.text
        return client

    return make


@pytest.fixture
def etc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The configuration of a PBX that does not run: enough for plans."""
    directory = tmp_path / "asterisk"
    directory.mkdir()
    monkeypatch.setenv("CONTACTCENTRE_PBX_ETC_DIR", str(directory))
    return directory


@pytest.fixture
def server(web: WebServices, tmp_path: Path) -> Iterator[Server]:
    with serving(tmp_path) as running:
        yield running


@pytest.fixture
def page(server: Server) -> Iterator[Chromium]:
    with Chromium(viewport={"width": 1440, "height": 900}) as chromium:
        yield chromium


@pytest.fixture
def signed_in(page: Chromium, server: Server, store: Store) -> Chromium:
    store.add_user("sue", accounts.hash_password(PASSWORD), "supervisor")
    page.goto(f"{server.url}/login")
    page.fill("#name", "sue")
    page.fill("#password", PASSWORD)
    page.click("button.main")
    page.wait_for_selector("#link[data-link=live]")
    return page


@pytest.fixture
def world(sign_in: SignIn, shared_world: World) -> World:  # noqa: F811
    """A controller on a PBX in memory; both agents are logged in. Redis is the pages', too."""
    shared_world.begin()
    return shared_world


def csrf(client: FlaskClient, page: str) -> str:
    """The token in a page's form."""
    found = re.search(r'name="csrf_token" value="([^"]+)"', client.get(page).text)
    assert found, f"no form on {page}"
    return found[1]


def post(client: FlaskClient, page: str, action: str, **fields: str):  # type: ignore[no-untyped-def]
    """Sends a form of a page, as a browser would."""
    return client.post(action, data={"csrf_token": csrf(client, page), **fields})
