"""The second factor: codes of an app, recovery codes, who must have it, and how it is taken away."""

import re
import time
from collections.abc import Callable
from typing import Any

import pyotp
import pytest
import sqlalchemy as sa
from apiflask import APIFlask
from click.testing import CliRunner
from flask.testing import FlaskClient

from contactcentre.cli.user import command
from contactcentre.domain.site import Site
from contactcentre.store import Store, User
from contactcentre.web import accounts, second_factor, tokens
from contactcentre.web.app import WebServices
from contactcentre.web.second_factor import STEP
from tests.web.conftest import PASSWORD, SignIn, csrf, post
from tests.web.sample import site

NAME = "a-supervisor"
Send = Callable[..., Any]


@pytest.fixture
def browser(sign_in: SignIn) -> FlaskClient:
    """Of a supervisor without a second factor."""
    return sign_in("supervisor")


@pytest.fixture
def send(browser: FlaskClient) -> Send:
    token = csrf(browser, "/me")

    def ask(method: str, path: str, status: int, body: Any = None) -> Any:
        answer = browser.open(f"/api/v1/me/{path}", method=method, json=body, headers={"X-CSRFToken": token})
        assert answer.status_code == status, answer.text
        return answer.get_json()

    return ask


@pytest.fixture
def phone(send: Send, store: Store) -> "Phone":
    """The app of a supervisor who has a second factor."""
    made = send("POST", "second-factor", 201, {"password": PASSWORD})
    phone = Phone(made["secret"], store)
    phone.recovery = send("POST", "second-factor/confirm", 200, {"code": phone.code()})["recovery_codes"]
    return phone


class Phone:
    """Shows a code that was not used, whatever the time of day: the store is told that the last one was long ago."""

    def __init__(self, secret: str, store: Store) -> None:
        self.totp, self.store, self.recovery = pyotp.TOTP(secret), store, list[str]()

    def code(self) -> str:
        with self.store._begin() as connection:
            connection.execute(sa.text("UPDATE second_factor SET last_step = 0"))
        return self.totp.now()

    def wrong(self) -> str:
        now = time.time()
        near = {self.totp.at(now + step * STEP) for step in range(-3, 4)}
        return next(code for code in (f"{number:06}" for number in range(100)) if code not in near)


def start(app: APIFlask, name: str = NAME, **fields: str) -> FlaskClient:
    """A browser in which the right password was given."""
    client = app.test_client()
    post(client, "/login", "/login", name=name, password=PASSWORD, **fields)
    return client


def in_(client: FlaskClient) -> bool:
    return client.get("/me").status_code == 200


def wanted_of(store: Store, *roles: str) -> None:
    store.save_site(Site.model_validate(site().model_dump() | {"settings": {"second_factor": roles}}), "test")


def test_a_code_is_asked_for_after_the_password_and_opens_the_session(app: APIFlask, phone: Phone) -> None:
    client = app.test_client()
    answer = post(client, "/login", "/login", name=NAME, password=PASSWORD, next="/contacts")
    assert (answer.status_code, answer.location) == (303, "/login/code")
    assert not in_(client), "half of the way is no session"
    assert client.get("/api/v1/me").status_code == 401
    done = post(client, "/login/code", "/login/code", code=phone.code())
    assert (done.status_code, done.location) == (303, "/contacts")
    assert in_(client)
    entries = phone.store.audit_entries(actor=NAME, action="session.open")
    assert entries[0].address == "127.0.0.1"


def test_the_page_sets_it_up_with_a_picture_that_says_the_secret(browser: FlaskClient, app: APIFlask) -> None:
    shown = post(browser, "/me/second-factor", "/me/second-factor", password=PASSWORD)
    assert shown.status_code == 200
    assert "<svg viewBox=" in shown.text
    assert " style=" not in shown.text
    found = re.search(r'<code class="secret" tabindex="0">([A-Z2-7]{32})</code>', shown.text)
    assert found
    totp = pyotp.TOTP(found[1])
    done = post(browser, "/me", "/me/second-factor/confirm", code=totp.now())
    assert len(re.findall(r"<li><code>([a-z2-7]{4}-){5}[a-z2-7]{4}</code></li>", done.text)) == 10
    assert "On since" in browser.get("/me/second-factor").text
    assert not in_(start(app))


def test_nobody_sets_one_up_without_the_password(browser: FlaskClient, send: Send, store: Store) -> None:
    assert send("POST", "second-factor", 422, {"password": "not it"})["code"] == "wrong_password"
    assert post(browser, "/me", "/me/second-factor", password="not it").status_code == 422
    assert store.audit_entries(actor=NAME, action="session.refuse")[0].detail == {"why": "password"}
    assert send("GET", "second-factor", 200) == {"on": False, "since": None, "recovery_codes": 0, "required": False}


def test_a_wrong_first_code_turns_nothing_on_and_the_same_secret_waits(send: Send, store: Store) -> None:
    phone = Phone(send("POST", "second-factor", 201, {"password": PASSWORD})["secret"], store)
    assert send("POST", "second-factor/confirm", 422, {"code": phone.wrong()})["code"] == "code_refused"
    assert send("GET", "second-factor", 200)["on"] is False
    assert len(send("POST", "second-factor/confirm", 200, {"code": phone.code()})["recovery_codes"]) == 10


def test_a_code_is_never_taken_twice(app: APIFlask, phone: Phone) -> None:
    code = phone.code()
    first, second = start(app), start(app)
    assert post(first, "/login/code", "/login/code", code=code).status_code == 303
    refused = post(second, "/login/code", "/login/code", code=code)
    assert refused.status_code == 403
    assert not in_(second)
    assert phone.store.audit_entries(actor=NAME, action="session.refuse")[0].detail == {
        "why": "code that was used before"
    }


def test_an_earlier_code_is_not_taken_after_a_later_one(phone: Phone, web: WebServices, app: APIFlask) -> None:
    user = phone.store.user_named(NAME)
    assert user is not None
    with app.app_context():
        now = int(time.time()) // STEP
        earlier, later = phone.totp.generate_otp(now), phone.totp.generate_otp(now + 1)
        phone.code()
        assert second_factor.check(user, later, "")
        assert not second_factor.check(user, earlier, "")


@pytest.mark.parametrize(("away", "taken"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_a_clock_may_be_half_a_minute_off_and_no_more(away: int, taken: bool) -> None:
    secret, now = pyotp.random_base32(), 1_700_000_015.0
    code = pyotp.TOTP(secret).at(now + away * STEP)
    assert (second_factor._step_of(secret, code, now) is not None) is taken


def test_the_codes_are_those_of_rfc_6238() -> None:
    secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"  # "12345678901234567890", appendix B
    for at, code in ((59, "287082"), (1111111109, "081804"), (1234567890, "005924"), (20000000000, "353130")):
        assert second_factor._step_of(secret, code, at) == at // STEP


def test_a_recovery_code_is_good_once_however_it_is_typed(app: APIFlask, phone: Phone, send: Send) -> None:
    one, other = phone.recovery[:2]
    client = start(app)
    assert post(client, "/login/code", "/login/code", code=one.replace("-", " ").upper()).status_code == 303
    again = start(app)
    assert post(again, "/login/code", "/login/code", code=one).status_code == 403
    assert post(again, "/login/code", "/login/code", code=other).status_code == 303
    assert send("GET", "second-factor", 200)["recovery_codes"] == 8
    assert phone.store.audit_entries(action="user.recovery_code")[0].detail == {"left": 8}


def test_new_recovery_codes_end_those_of_before(app: APIFlask, phone: Phone, send: Send) -> None:
    made = send("POST", "second-factor/codes", 200, {"password": PASSWORD, "code": phone.code()})["recovery_codes"]
    assert not set(made) & set(phone.recovery)
    client = start(app)
    assert post(client, "/login/code", "/login/code", code=phone.recovery[0]).status_code == 403
    assert post(client, "/login/code", "/login/code", code=made[0]).status_code == 303


def test_neither_secret_nor_recovery_codes_lie_in_database_or_audit_log_in_clear(
    phone: Phone, web: WebServices
) -> None:
    with phone.store._begin() as connection:
        rows = connection.execute(
            sa.text("SELECT f.*, c.* FROM second_factor f JOIN recovery_code c USING (account_id)")
        )
        lying = str([tuple(row) for row in rows]) + str(phone.store.audit_entries(limit=50))
    assert "account_id" not in lying
    assert len(lying) > 1000
    for text in (phone.totp.secret, *phone.recovery, *(code.replace("-", "") for code in phone.recovery)):
        assert text not in lying


def test_sealed_by_another_secret_key_or_for_another_account_it_is_no_use(app: APIFlask, phone: Phone) -> None:
    factor = phone.store.second_factor(NAME)
    assert factor is not None
    with app.app_context():
        assert second_factor._unseal(NAME, factor.sealed) == phone.totp.secret
        assert second_factor._unseal("a-admin", factor.sealed) is None
        (second_factor.services().settings.state_dir / "secret_key").write_text("another")
        assert second_factor._unseal(NAME, factor.sealed) is None


def test_codes_and_passwords_share_one_limit_which_the_password_does_not_reset(app: APIFlask, phone: Phone) -> None:
    client = start(app)
    for _ in range(3):
        assert post(client, "/login/code", "/login/code", code=phone.wrong()).status_code == 403
    client = start(app)
    codes = [post(client, "/login/code", "/login/code", code=phone.wrong()).status_code for _ in range(4)]
    assert codes == [403, 403, 403, 429]
    assert post(client, "/login/code", "/login/code", code=phone.code()).status_code == 429
    assert not in_(client)


def test_codes_of_an_account_are_limited_from_all_addresses_together(app: APIFlask, phone: Phone) -> None:
    answers = []
    for number in range(4):
        client = app.test_client()
        client.environ_base["REMOTE_ADDR"] = f"192.0.2.{number}"
        post(client, "/login", "/login", name=NAME, password=PASSWORD)
        answers += [post(client, "/login/code", "/login/code", code=phone.wrong()).status_code for _ in range(6)]
    assert answers == [403] * 20 + [429] * 4


def test_half_of_the_way_ends_with_the_password_that_was_shown(app: APIFlask, phone: Phone) -> None:
    client = start(app)
    assert client.get("/login/code").status_code == 200
    phone.store.change_user(NAME, password_hash="another")
    assert client.get("/login/code").location == "/login"


def test_a_one_time_link_does_not_lead_around_it(app: APIFlask, phone: Phone) -> None:
    token = accounts.new_link(phone.store, NAME, "supervisor", time.time())
    client, new = app.test_client(), "seventeen paper lanterns"
    answer = post(client, "/welcome", "/welcome", token=token, password=new, again=new)
    assert answer.location == "/login/code"
    assert not in_(client)


def test_who_must_have_one_sets_it_up_at_the_next_sign_in(app: APIFlask, browser: FlaskClient, store: Store) -> None:
    wanted_of(store, "supervisor")
    client = start(app, next="/contacts")
    shown = client.get("/login/enrol")
    assert not in_(client)
    secret = re.search(r'<code class="secret" tabindex="0">([A-Z2-7]{32})</code>', shown.text)
    assert secret
    phone = Phone(secret[1], store)
    wrong = post(client, "/login/enrol", "/login/enrol", code=phone.wrong())
    assert (wrong.status_code, secret[1] in wrong.text) == (422, True)
    done = post(client, "/login/enrol", "/login/enrol", code=phone.code())
    assert done.status_code == 200
    assert 'href="/contacts"' in done.text
    assert in_(client)
    assert post(start(app), "/login/code", "/login/code", code=phone.code()).status_code == 303


def test_roles_that_need_none_sign_in_as_before(app: APIFlask, browser: FlaskClient, store: Store) -> None:
    wanted_of(store, "admin", "auditor")
    assert in_(start(app))


def test_who_must_have_one_cannot_turn_it_off_but_can_change_the_phone(
    app: APIFlask, phone: Phone, send: Send, store: Store
) -> None:
    wanted_of(store, "supervisor")
    refused = send("POST", "second-factor/off", 409, {"password": PASSWORD, "code": phone.code()})
    assert refused["code"] == "second_factor_required"
    assert send("POST", "second-factor", 422, {"password": PASSWORD})["code"] == "code_refused"
    other = Phone(send("POST", "second-factor", 201, {"password": PASSWORD, "code": phone.code()})["secret"], store)
    send("POST", "second-factor/confirm", 200, {"code": other.code()})
    client = start(app)
    assert post(client, "/login/code", "/login/code", code=phone.code()).status_code == 403
    assert post(client, "/login/code", "/login/code", code=other.code()).status_code == 303


def test_off_needs_password_and_code_and_then_the_password_is_enough(app: APIFlask, phone: Phone, send: Send) -> None:
    send("POST", "second-factor/off", 422, {"password": "not it", "code": phone.code()})
    send("POST", "second-factor/off", 422, {"password": PASSWORD, "code": phone.wrong()})
    assert send("POST", "second-factor/off", 200, {"password": PASSWORD, "code": phone.code()})["on"] is False
    assert send("POST", "second-factor/off", 404, {"password": PASSWORD})["code"] == "no_second_factor"
    assert in_(start(app))


def test_an_admin_takes_it_away_from_others_which_ends_their_sessions(
    app: APIFlask, phone: Phone, browser: FlaskClient, sign_in: SignIn
) -> None:
    admin = sign_in("admin")
    headers = {"X-CSRFToken": csrf(admin, "/me")}
    assert admin.get(f"/api/v1/users/{NAME}").get_json()["second_factor"]["on"] is True
    assert "10 recovery codes are left" in admin.get(f"/admin/users/{NAME}").text
    answer = admin.delete(f"/api/v1/users/{NAME}/second-factor", headers=headers)
    assert answer.get_json() == {"sessions": 1}
    assert not in_(browser)
    assert in_(start(app))
    entry = phone.store.audit_entries(action="user.second_factor")[0]
    assert (entry.actor, entry.subject, entry.detail) == ("a-admin", NAME, {"now": "reset"})
    again = admin.delete(f"/api/v1/users/{NAME}/second-factor", headers=headers)
    assert (again.status_code, again.get_json()["code"]) == (404, "no_second_factor")
    own = admin.delete("/api/v1/users/a-admin/second-factor", headers=headers)
    assert (own.status_code, own.get_json()["code"]) == (409, "own_account")


@pytest.mark.usefixtures("settings")
def test_the_command_line_takes_it_away_too(app: APIFlask, phone: Phone, browser: FlaskClient) -> None:
    done = CliRunner().invoke(command, ["totp", "reset", NAME], catch_exceptions=False)
    assert "without a second factor" in done.output
    assert not in_(browser)
    assert phone.store.second_factor(NAME) is None
    assert phone.store.audit_entries(action="user.second_factor")[0].actor.startswith("cli:")
    assert CliRunner().invoke(command, ["totp", "reset", NAME]).exit_code == 1


def test_a_token_changes_no_second_factor(browser: FlaskClient, app: APIFlask, store: Store) -> None:
    user = store.user_named(NAME)
    assert user is not None
    _, text = tokens.issue(store, user, "program", ["self"], 1, NAME, time.time())
    answer = app.test_client().post(
        "/api/v1/me/second-factor", json={"password": PASSWORD}, headers={"Authorization": f"Bearer {text}"}
    )
    assert (answer.status_code, answer.get_json()["code"]) == (403, "session_needed")


def test_of_two_who_try_the_same_code_at_once_one_gets_in(phone: Phone) -> None:
    factor = phone.store.second_factor(NAME)
    assert factor is not None
    step = factor.last_step + 1
    assert [phone.store.take_code_step(NAME, factor.sealed, step) for _ in range(3)] == [True, False, False]
    assert not phone.store.take_code_step(NAME, b"of before", step + 1)


def test_a_user_who_is_removed_leaves_no_second_factor(phone: Phone, store: Store) -> None:
    assert store.with_second_factor() == {NAME}
    store.remove_user(NAME)
    store.add_user(NAME, "", "agent")
    assert store.second_factor(NAME) is None
    assert isinstance(store.user_named(NAME), User)
