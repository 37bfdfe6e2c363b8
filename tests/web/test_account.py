"""Signing in, one-time links, sessions."""

import time

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient

from contactcentre.settings import Settings
from contactcentre.store import Store
from contactcentre.web import accounts
from contactcentre.web.app import WebServices
from contactcentre.web.session import IDLE_SECONDS, LONGEST_SECONDS, Sessions
from tests.web.conftest import PASSWORD, SignIn, post


@pytest.fixture
def browser(app: APIFlask) -> FlaskClient:
    return app.test_client()


def token_of(link: str) -> str:
    return link.partition("#")[2]


def test_the_first_runs_link_makes_an_administrator_who_is_signed_in(
    browser: FlaskClient, store: Store, settings: Settings
) -> None:
    link = accounts.first_run_link(store, settings)
    assert link is not None
    assert link.startswith("http://127.0.0.1:8800/welcome#")
    shown = post(browser, "/welcome", "/welcome", token=token_of(link))
    assert "Welcome, admin" in shown.text
    done = post(browser, "/welcome", "/welcome", token=token_of(link), password=PASSWORD, again=PASSWORD)
    assert (done.status_code, done.location) == (303, "/")
    assert browser.get("/").status_code == 200
    assert accounts.first_run_link(store, settings) is None
    assert [entry.action for entry in store.audit_entries(actor="admin", limit=2)] == ["session.open", "user.password"]


def test_a_link_is_good_once(browser: FlaskClient, app: APIFlask, store: Store) -> None:
    token = accounts.invite(store, "sue", "supervisor", "test", time.time())
    assert post(browser, "/welcome", "/welcome", token=token, password=PASSWORD, again=PASSWORD).status_code == 303
    other = app.test_client()
    again = post(other, "/welcome", "/welcome", token=token, password=PASSWORD + "2", again=PASSWORD + "2")
    assert again.status_code == 410
    assert "cannot be used" in again.text
    assert other.get("/me").status_code == 302


def test_a_link_ends_after_a_day_and_when_a_newer_one_is_made(store: Store) -> None:
    now = time.time()
    old = accounts.invite(store, "sue", "supervisor", "test", now - accounts.LINK_SECONDS - 1)
    assert accounts.holder(store, old, now) is None
    first = accounts.new_link(store, "sue", "supervisor", now)
    second = accounts.new_link(store, "sue", "supervisor", now)
    assert accounts.holder(store, first, now) is None
    assert accounts.holder(store, second, now) is not None


def test_the_store_never_sees_a_links_token(store: Store) -> None:
    token = accounts.invite(store, "sue", "supervisor", "test", time.time())
    assert store.link(token, time.time()) is None
    assert len(token) >= 43, "256 bits in base 64"


@pytest.mark.parametrize(
    ("password", "rule"),
    [
        ("short one", "at least 12"),
        ("password12345", "commonly used"),
        ("aaaaaaaaaaaaaaaa", "easy to guess"),
        ("x" * 129, "at most 128"),
        ("contactcentre", "easy to guess"),
    ],
)
def test_a_weak_password_is_refused_and_the_link_stays_good(
    browser: FlaskClient, store: Store, password: str, rule: str
) -> None:
    token = accounts.invite(store, "sue", "supervisor", "test", time.time())
    refused = post(browser, "/welcome", "/welcome", token=token, password=password, again=password)
    assert refused.status_code == 422
    assert rule in refused.text
    assert accounts.holder(store, token, time.time()) is not None


def test_two_different_passwords_are_refused(browser: FlaskClient, store: Store) -> None:
    token = accounts.invite(store, "sue", "supervisor", "test", time.time())
    answer = post(browser, "/welcome", "/welcome", token=token, password=PASSWORD, again=PASSWORD + "x")
    assert answer.status_code == 422
    assert "differ" in answer.text


def test_a_wrong_password_an_unknown_name_and_a_disabled_user_get_the_same_answer(
    browser: FlaskClient, store: Store, sign_in: SignIn
) -> None:
    sign_in("agent")
    store.change_user("a-agent", disabled=True)
    store.add_user("invited", "", "agent")
    texts = set()
    for name, password in (("a-agent", PASSWORD), ("nobody", PASSWORD), ("invited", ""), ("in valid", "x")):
        answer = post(browser, "/login", "/login", name=name, password=password)
        assert answer.status_code == 403
        texts.add("Name and password do not belong together." in answer.text)
    assert texts == {True}


def test_too_many_tries_of_a_name_have_to_wait_and_others_do_not(
    browser: FlaskClient, app: APIFlask, sign_in: SignIn
) -> None:
    sign_in("supervisor")
    codes = [post(browser, "/login", "/login", name="a-supervisor", password="wrong").status_code for _ in range(9)]
    assert codes == [403] * 8 + [429]
    assert post(browser, "/login", "/login", name="a-supervisor", password=PASSWORD).status_code == 429
    assert sign_in("agent").get("/me").status_code == 200


def test_a_form_without_its_token_is_refused(browser: FlaskClient) -> None:
    answer = browser.post("/login", data={"name": "admin", "password": PASSWORD})
    assert answer.status_code == 400
    assert "form_expired" in answer.text


def test_signing_in_changes_the_cookie(sign_in: SignIn, app: APIFlask) -> None:
    sign_in("agent")
    client = app.test_client()
    client.get("/login")
    before = client.get_cookie("contactcentre")
    post(client, "/login", "/login", name="a-agent", password=PASSWORD)
    after = client.get_cookie("contactcentre")
    assert before is not None
    assert after is not None
    assert before.value != after.value
    assert after.http_only
    assert after.same_site == "Lax"
    assert not after.secure, "plain http on the loopback address"


def test_over_https_the_cookie_is_secure_and_the_browser_is_told_to_stay(app: APIFlask) -> None:
    client = app.test_client()
    answer = client.get("/login", base_url="https://centre.example/")
    assert "Secure" in answer.headers["Set-Cookie"]
    assert answer.headers["Strict-Transport-Security"].startswith("max-age=")


def test_signing_out_ends_the_session_and_not_only_the_cookie(sign_in: SignIn, app: APIFlask) -> None:
    client = sign_in("agent")
    stolen = client.get_cookie("contactcentre")
    assert stolen is not None
    assert post(client, "/me", "/logout").status_code == 303
    thief = app.test_client()
    thief.set_cookie("contactcentre", stolen.value)
    assert thief.get("/me").status_code == 302


def test_a_new_password_ends_the_other_sessions(sign_in: SignIn) -> None:
    here, elsewhere = sign_in("agent"), sign_in("agent")
    new = "seventeen paper lanterns"
    wrong = post(here, "/me", "/me/password", current="not it at all", password=new, again=new)
    assert wrong.status_code == 422
    done = post(here, "/me", "/me/password", current=PASSWORD, password=new, again=new)
    assert done.status_code == 303
    assert here.get("/me").status_code == 200
    assert elsewhere.get("/me").status_code == 302


def test_a_disabled_account_is_out_at_once(sign_in: SignIn, store: Store) -> None:
    client = sign_in("supervisor")
    store.change_user("a-supervisor", disabled=True)
    assert client.get("/api/v1/snapshot").status_code == 401


def test_a_session_ends_after_a_shift_and_after_half_an_idle_hour(web: WebServices) -> None:
    sessions = Sessions(web.redis)
    token = sessions.open("sue", 1000.0)
    assert sessions.user_of(token, 1000.0 + LONGEST_SECONDS - 1) == "sue"
    key = next(iter(web.redis.scan_iter("cc:web:session:*")))
    assert 0 < web.redis.ttl(key) <= IDLE_SECONDS
    assert sessions.user_of(token, 1000.0 + LONGEST_SECONDS) is None
    assert sessions.user_of(token, 1000.0) is None


def test_login_leads_back_to_the_page_that_was_asked_for_and_never_to_another_site(
    app: APIFlask, sign_in: SignIn
) -> None:
    sign_in("supervisor")
    client = app.test_client()
    sent = client.get("/contacts?queue=support")
    assert sent.location == "/login?next=/contacts?queue%3Dsupport"
    for next, target in (
        ("/contacts?queue=support", "/contacts?queue=support"),
        ("https://evil.example/", "/"),
        ("//evil.example/", "/"),
        ("/\\evil.example/", "/"),
        ("javascript:alert(1)", "/"),
    ):
        browser = app.test_client()
        answer = post(browser, "/login", "/login", name="a-supervisor", password=PASSWORD, next=next)
        assert answer.location == target
