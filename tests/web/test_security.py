"""What docs/security.rst says of the pages and the API, where no other test shows it."""

import ast
import configparser
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import limits
import pytest
import requests
from apiflask import APIFlask
from argon2 import PasswordHasher
from pydantic import SecretStr
from structlog.testing import capture_logs

from contactcentre.store import Store
from contactcentre.web import accounts, tries
from contactcentre.web.api.me import ICE_SECONDS, ice_servers
from contactcentre.web.app import WebServices
from contactcentre.web.session import Sessions
from tests.web.conftest import PASSWORD, SignIn, csrf, post
from tests.web.serving import Server

ROOT = Path(__file__).parent.parent.parent
SOURCES = sorted((ROOT / "contactcentre").rglob("*.py"))
TEMPLATES = sorted((ROOT / "contactcentre/web/templates").rglob("*.html"))
SCRIPTS = sorted((ROOT / "contactcentre/web/assets/js").rglob("*.js"))


def calls() -> Iterator[tuple[str, str, ast.Call]]:
    """(file, what is called, the call) of the whole package."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Call):
                yield str(path.relative_to(ROOT)), ast.unparse(node.func), node


def imports() -> Iterator[tuple[str, str]]:
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Import):
                yield from ((str(path.relative_to(ROOT)), alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                yield from ((str(path.relative_to(ROOT)), f"{node.module}.{alias.name}") for alias in node.names)


# -- passwords ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "password", ["schön 🦜 grün · tiefer Teich", "  two spaces  and ends  ", "qz" * 64, "лесной фонарь и тихая вода"]
)
def test_a_password_is_taken_as_it_is_typed_and_compared_whole(password: str, app: APIFlask, store: Store) -> None:
    if len(password) == 128:
        password = "".join(chr(33 + (i * i * 7 + i) % 90) for i in range(128))
    accounts.check_password(password, "sue")
    store.add_user("sue", accounts.hash_password(password), "agent")
    assert accounts.authenticate(store, "sue", password)
    for other in (password[:-1], password + "x", password.strip() + " ", password.swapcase()):
        if other != password:
            assert accounts.authenticate(store, "sue", other) is None


def test_there_is_no_rule_of_composition(store: Store) -> None:
    for password in ("violet tractor pondering", "VIOLET TRACTOR PONDERING", "7193 5508 2641 9937"):
        accounts.check_password(password, "sue")


def test_a_hash_is_slow_salted_and_of_its_own(hasher: PasswordHasher, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounts, "_hasher", hasher)
    one, other = accounts.hash_password(PASSWORD), accounts.hash_password(PASSWORD)
    assert one.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert one.split("$")[4] != other.split("$")[4]
    assert len(one.split("$")[4]) >= 22, "16 bytes of salt"


def test_password_fields_let_managers_fill_and_people_paste(sign_in: SignIn, app: APIFlask) -> None:
    browser = sign_in("agent")
    for page, client in (("/login", app.test_client()), ("/me", browser), ("/me/second-factor", browser)):
        text = client.get(page).text
        fields = re.findall(r'<input[^>]*type="password"[^>]*>', text)
        assert fields, page
        assert all(re.search(r'autocomplete="(current|new)-password"', field) for field in fields), page
        assert 'autocomplete="username"' in text
    assert not [path for path in (*SCRIPTS, *TEMPLATES) if re.search(r"\bonpaste\b|\"paste\"", path.read_text())]


def test_no_account_is_there_before_somebody_is_invited(app: APIFlask, store: Store) -> None:
    app.test_client().get("/login")
    assert store.users() == []


# -- who guesses -------------------------------------------------------------------------------------------------------


def test_who_guesses_from_many_addresses_is_stopped_and_the_owner_is_not(
    app: APIFlask, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert str(tries.PER_ACCOUNT) == "100 per 1 hour"
    monkeypatch.setattr(tries, "PER_ACCOUNT", limits.parse("5 per hour"))
    sign_in("supervisor")  # from 127.0.0.1
    codes = []
    for number in range(7):
        thief = app.test_client()
        thief.environ_base["REMOTE_ADDR"] = f"198.51.100.{number}"
        codes.append(post(thief, "/login", "/login", name="a-supervisor", password="guess").status_code)
    assert codes == [403] * 4 + [429] * 3, "one of the five was the owner's, from an address that was new then"
    assert post(app.test_client(), "/login", "/login", name="a-supervisor", password=PASSWORD).status_code == 303


def test_a_refused_sign_in_is_audited_without_what_was_typed_as_a_name_that_is_none(
    app: APIFlask, store: Store
) -> None:
    post(app.test_client(), "/login", "/login", name="My Secret Passphrase", password="x")
    post(app.test_client(), "/login", "/login", name="sue", password="guess")
    entries = store.audit_entries(action="session.refuse", limit=2)
    assert [(entry.actor, entry.address) for entry in entries] == [("sue", "127.0.0.1"), ("?", "127.0.0.1")]
    assert "passphrase" not in str(entries).lower()


def test_an_access_that_is_refused_stands_in_the_log(sign_in: SignIn) -> None:
    browser = sign_in("agent")
    with capture_logs() as lines:
        browser.get("/api/v1/users")
    (refused,) = (line for line in lines if line["event"] == "web.refused")
    assert (refused["account"], refused["path"], refused["address"]) == ("a-agent", "/api/v1/users", "127.0.0.1")


# -- sessions ----------------------------------------------------------------------------------------------------------


def test_over_https_the_cookie_is_the_hosts_own(app: APIFlask, sign_in: SignIn) -> None:
    sign_in("agent")
    client, https = app.test_client(), "https://localhost/"
    form = re.search(r'name="csrf_token" value="([^"]+)"', client.get("/login", base_url=https).text)
    assert form
    fields = {"csrf_token": form[1], "name": "a-agent", "password": PASSWORD}
    answer = client.post("/login", base_url=https, data=fields, headers={"Referer": https})
    assert answer.status_code == 303
    set_ = answer.headers["Set-Cookie"]
    assert set_.startswith("__Host-contactcentre=")
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= {part.strip() for part in set_.split(";")}
    assert "Domain" not in set_
    assert client.get("/me", base_url=https).status_code == 200
    plain = app.test_client()
    plain.set_cookie("contactcentre", set_.partition("=")[2].partition(";")[0])
    assert plain.get("/me", base_url=https).status_code == 302, "of another name"


def test_a_session_is_256_random_bits_and_redis_has_a_hash_of_them(web: WebServices) -> None:
    tokens = {Sessions(web.redis).open("sue", time.time()) for _ in range(20)}
    assert len(tokens) == 20
    assert all(len(token) == 43 for token in tokens)
    stored = " ".join(key for key in web.redis.scan_iter("cc:web:session*"))
    assert not [token for token in tokens if token in stored]


def test_one_sees_where_one_is_signed_in_and_ends_it_elsewhere_with_the_password(sign_in: SignIn, store: Store) -> None:
    here, elsewhere = sign_in("agent"), sign_in("agent")
    headers = {"X-CSRFToken": csrf(here, "/me")}
    told = here.get("/api/v1/me/sessions").get_json()
    assert [one["address"] for one in told["sessions"]] == ["127.0.0.1"] * 2
    assert told["lately"][0]["action"] == "session.open"
    assert "Signed in" in here.get("/me/sessions").text
    wrong = here.post("/api/v1/me/sessions/end", json={"password": "not it"}, headers=headers)
    assert (wrong.status_code, wrong.get_json()["code"]) == (422, "wrong_password")
    assert elsewhere.get("/me").status_code == 200
    done = post(here, "/me/sessions", "/me/sessions/end", password=PASSWORD)
    assert done.location == "/me/sessions?ended=1"
    assert (here.get("/me").status_code, elsewhere.get("/me").status_code) == (200, 302)
    lately = here.get("/api/v1/me/sessions").get_json()["lately"]
    assert [one["action"] for one in lately[:2]] == ["user.sign_out", "session.refuse"]


def test_ones_own_page_tells_what_others_did_to_the_account(sign_in: SignIn, store: Store) -> None:
    browser = sign_in("agent")
    store.audit("ada", "user.reset", "a-agent", {}, "192.0.2.7")
    store.audit("ada", "user.reset", "a-supervisor", {}, "192.0.2.8")
    text = browser.get("/me/sessions").text
    assert "192.0.2.7" in text
    assert "192.0.2.8" not in text


# -- requests and answers ----------------------------------------------------------------------------------------------


def test_json_of_the_api_is_no_page_whatever_somebody_put_into_it(sign_in: SignIn) -> None:
    answer = sign_in("supervisor").get("/api/v1/contacts")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="api.json"'
    assert answer.content_type == "application/json"


def test_text_always_says_its_characters(sign_in: SignIn) -> None:
    browser = sign_in("supervisor")
    for path in ("/", "/login", "/nowhere", "/contacts", "/me/sessions"):
        assert browser.get(path).content_type == "text/html; charset=utf-8", path


def test_a_body_of_another_kind_is_refused(sign_in: SignIn) -> None:
    browser = sign_in("admin")
    headers = {"X-CSRFToken": csrf(browser, "/me")}
    for kind in ("text/plain", "application/xml", "application/x-www-form-urlencoded"):
        answer = browser.post("/api/v1/users", data='{"name": "x"}', headers=headers, content_type=kind)
        assert answer.status_code in (400, 415, 422), kind
    answer = browser.post("/api/v1/users", data="<a/>", headers=headers, content_type="application/xml")
    assert answer.get_json()["code"] in ("media_type", "bad_request", "bad_value")


def test_a_field_that_the_model_does_not_have_is_refused(sign_in: SignIn, store: Store) -> None:
    browser = sign_in("admin")
    body = {"name": "sue", "role": "agent", "password_hash": "x", "id": 1}
    answer = browser.post("/api/v1/users", json=body, headers={"X-CSRFToken": csrf(browser, "/me")})
    assert answer.status_code == 422
    assert store.user_named("sue") is None


def test_a_parameter_that_comes_twice_means_one_thing_at_most(sign_in: SignIn) -> None:
    browser = sign_in("supervisor")
    assert browser.get("/api/v1/contacts?limit=9000&limit=9000").status_code == 422
    both = {browser.get(f"/api/v1/contacts?limit={a}&limit={b}").status_code for a, b in (("1", "9000"), ("9000", "1"))}
    assert both <= {200, 422}
    assert 422 in both, "what is looked at is checked"


def test_a_body_that_is_too_large_is_refused(sign_in: SignIn) -> None:
    browser = sign_in("supervisor")
    headers = {"X-CSRFToken": csrf(browser, "/me")}
    answer = browser.post("/api/v1/notices", json={"to": "supervisors", "text": "x" * 70_000}, headers=headers)
    assert (answer.status_code, answer.get_json()["code"]) == (413, "too_large")


def test_only_built_files_are_served(app: APIFlask) -> None:
    client = app.test_client()
    for path in ("../app.py", "..%2fapp.py", "build/../../app.py", "", "build/", ".git/config", "%00"):
        assert client.get(f"/static/{path}").status_code in (404, 308), path


def test_methods_that_a_route_does_not_have_are_refused(sign_in: SignIn) -> None:
    browser = sign_in("admin")
    headers = {"X-CSRFToken": csrf(browser, "/me")}
    for method in ("TRACE", "PUT", "PATCH", "DELETE", "CONNECT"):
        assert browser.open("/api/v1/queues", method=method, headers=headers).status_code == 405, method


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost"])
def test_no_other_site_may_read_answers_whatever_origin_it_names(origin: str, sign_in: SignIn, app: APIFlask) -> None:
    answer = sign_in("supervisor").get("/api/v1/queues", headers={"Origin": origin})
    assert not [name for name in answer.headers.keys() if name.lower().startswith("access-control")]  # noqa: SIM118
    assert app.test_client().get("/api/v1/queues", headers={"Origin": origin}).status_code == 401


def test_an_answer_tells_no_version_of_anything(server: Server) -> None:
    answer = requests.get(f"{server.url}/login", timeout=20)
    told = "\n".join(f"{name}: {value}" for name, value in answer.headers.items() if name != "Date")
    assert not re.search(r"(gunicorn|flask|werkzeug|python)/?\s*\d", told, re.I)
    assert "X-Powered-By" not in told


# -- the source --------------------------------------------------------------------------------------------------------


def test_no_text_becomes_code_and_no_shell_is_started() -> None:
    wrong = [
        (path, name)
        for path, name, call in calls()
        if name in ("eval", "exec", "compile", "os.system", "os.popen", "yaml.load", "pickle.loads", "marshal.loads")
        or any(word.arg == "shell" and ast.unparse(word.value) != "False" for word in call.keywords)
    ]
    assert wrong == []
    modules = {name.split(".")[0] for _, name in imports()}
    assert not modules & {"pickle", "shelve", "marshal", "lxml", "ldap", "ldap3"}
    parsers = [name for _, name in imports() if name.startswith("xml") and not name.startswith("xml.sax.saxutils")]
    assert parsers == [], "XML is written, never read"


def test_no_sql_is_put_together_of_texts() -> None:
    wrong = []
    for path, name, call in calls():
        first = call.args[0] if call.args else None
        made = isinstance(first, ast.JoinedStr | ast.BinOp) or (
            isinstance(first, ast.Call) and ast.unparse(first.func).endswith(".format")
        )
        if name in ("sa.text", "text", "sqlalchemy.text", "op.execute", "sa.literal_column") and made:
            wrong.append((path, call.lineno))
    constants = {"contactcentre/store/tables.py", "contactcentre/store/migrations/versions/v0001_initial.py"}
    assert {path for path, _ in wrong} == constants, "names of the program's own, and nobody's input"


def test_templates_escape_by_themselves_and_what_is_not_escaped_is_known(app: APIFlask) -> None:
    assert app.jinja_env.autoescape is True or app.jinja_env.autoescape("x.html")  # type: ignore[operator]
    unescaped = {path.name for path in TEMPLATES if re.search(r"\|\s*safe\b|autoescape false", path.read_text())}
    assert unescaped == {"picture.html"}, "a QR code that was drawn here"
    assert "render_template_string" not in " ".join(name for _, name, _ in calls())


def test_pages_scripts_make_no_code_of_texts_and_no_elements_of_them() -> None:
    unsafe = re.compile(r"\beval\(|new Function|innerHTML|outerHTML|insertAdjacentHTML|document\.write")
    assert [path.name for path in SCRIPTS if unsafe.search(path.read_text())] == []


def test_what_must_not_be_guessed_is_not_made_of_pseudo_random_numbers() -> None:
    users = {path for path, name in imports() if name.split(".")[0] == "random" and not name.endswith("SystemRandom")}
    allowed = ("contactcentre/demo/", "contactcentre/domain/simulation/", "contactcentre/lab/")
    jitter = {"contactcentre/tasks/webhooks.py", "contactcentre/live/state.py"}  # when, not what
    assert {path for path in users if not path.startswith(allowed)} <= jitter


def test_weak_hashes_are_there_only_where_a_protocol_asks_for_them() -> None:
    found = set()
    for path in SOURCES:
        if re.search(r"hashlib\.(md5|sha1)|import sha1|import md5", path.read_text()):
            found.add(str(path.relative_to(ROOT)))
    assert found == {
        "contactcentre/lab/sip.py",  # digest authentication of a phone under test
        "contactcentre/live/client.py",  # Redis names scripts so
        "contactcentre/web/api/me.py",  # TURN servers check passwords so
    }


def test_every_dependency_says_which_versions_and_the_pages_packages_are_pinned_by_hash() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    wanted = [line for line in setup["options"]["install_requires"].split("\n") if line.strip()]
    assert [line for line in wanted if ">=" not in line] == ["certifi", "tzdata"], "whose newest is the best"
    lock: dict[str, Any] = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    assert [name for name, one in lock.items() if name and not one.get("integrity")] == []


def test_nothing_is_debugged_in_production(app: APIFlask) -> None:
    assert not app.debug
    assert [path for path, _, call in calls() if any(word.arg == "debug" for word in call.keywords)] == []


def test_a_turn_password_is_one_windows_of_one_session_and_ends_within_the_hour(web: WebServices) -> None:
    settings = web.settings.model_copy(
        update={"phone_ice": "turns:turn.example.com:443", "turn_secret": SecretStr("north")}
    )
    one, other = (ice_servers(settings, f"anna-{window}", 1000.0)[0] for window in ("aa", "bb"))
    assert one.credential != other.credential
    assert ICE_SECONDS <= 3600
    assert one.username == f"{1000 + ICE_SECONDS}:anna-aa"
    assert "north" not in one.model_dump_json()


def test_the_browser_keeps_nothing_of_people() -> None:
    kept = set()
    for path in SCRIPTS:
        kept |= set(re.findall(r"(?:local|session)Storage\.(?!(?:get|set|remove)Item)(\w+)", path.read_text()))
        kept |= set(re.findall(r"(?:local|session)Storage(?:\.[gs]etItem\(|\[)(\w+)", path.read_text()))
    assert kept == {
        *("phone", "talk", "popped"),  # ids: of this window, of the contact that goes on
        *("muted", "shortcuts", "alertSound"),
        *("KEPT", "REMEMBERED"),  # which microphone and loudspeaker; which phone of one's own a supervisor uses
    }
