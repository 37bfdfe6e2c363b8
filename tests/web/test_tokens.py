"""API tokens: what they may, until when, and that they are nobody's way in besides."""

import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from apiflask import APIFlask
from click.testing import CliRunner
from flask.testing import FlaskClient

from contactcentre.cli.group import run
from contactcentre.cli.token import command
from contactcentre.store import Store, User
from contactcentre.web import bearer, permissions, tokens
from contactcentre.web.app import WebServices
from contactcentre.web.permissions import Permission, Role, permission_of
from tests.web.conftest import SignIn, csrf, post
from tests.web.test_permissions import TABLE

ENDLESS = ("/api/v1/live", "/api/v1/me/live", "/api/v1/events")

Program = Callable[..., Any]


@pytest.fixture
def sue(store: Store) -> User:
    return store.add_user("sue", "hash", "supervisor")


def token_of(store: Store, user: User, *scopes: str, days: float = 1, now: float | None = None) -> str:
    given = scopes or [str(one) for one in tokens.grantable(user)]
    return tokens.issue(store, user, "test", given, days, "test", now or time.time())[1]


def address(rule: str) -> str:
    """One that it takes, of nothing that is there."""
    return re.sub(r"<int:\w+>", "0", rule).replace("<", "").replace(">", "")


def by(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_a_request_by_token_is_the_accounts_and_neither_takes_nor_leaves_a_cookie(
    app: APIFlask, store: Store, sue: User
) -> None:
    answer = app.test_client().get("/api/v1/contacts", headers=by(token_of(store, sue)))
    assert answer.status_code == 200
    assert "Set-Cookie" not in answer.headers


def test_a_change_by_token_needs_no_form_token_and_one_by_session_does(
    app: APIFlask, store: Store, sue: User, sign_in: SignIn
) -> None:
    wish = {"name": "Marie", "numbers": ["+33612407755"]}
    program = app.test_client()
    made = program.post("/api/v1/customers", json=wish, headers=by(token_of(store, sue)))
    assert made.status_code == 201, made.text
    assert "Set-Cookie" not in made.headers
    refused = sign_in("supervisor").post("/api/v1/customers", json=wish)
    assert (refused.status_code, refused.get_json()["code"]) == (400, "form_expired")


def test_a_header_that_is_no_good_token_does_not_fall_back_to_the_session(sign_in: SignIn) -> None:
    browser = sign_in("supervisor")
    for header in ("Bearer cct_nonsense", "Bearer", "bearer x", "Bearer " + "x" * 500):
        answer = browser.get("/api/v1/contacts", headers={"Authorization": header})
        assert (answer.status_code, answer.get_json()["code"]) == (401, "token_unusable")
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        assert browser.post("/api/v1/customers", json={}, headers={"Authorization": header}).status_code == 401
    assert browser.get("/contacts", headers={"Authorization": "Bearer x"}).status_code == 200, "pages know no tokens"


def test_pages_are_not_shown_by_token(app: APIFlask, store: Store, sue: User) -> None:
    for path in ("/", "/me", "/contacts"):
        assert app.test_client().get(path, headers=by(token_of(store, sue))).status_code == 302


def test_a_token_ends_when_it_is_revoked_when_its_time_is_over_and_with_its_account(
    app: APIFlask, store: Store, sue: User
) -> None:
    program = app.test_client()

    def code(token: str) -> int:
        return program.get("/api/v1/contacts", headers=by(token)).status_code

    good, over = token_of(store, sue), token_of(store, sue, now=time.time() - 90_000)
    assert (code(good), code(over)) == (200, 401)
    store.change_user("sue", disabled=True)
    assert code(good) == 401
    store.change_user("sue", disabled=False)
    assert code(good) == 200
    tokens.revoke(store, good[: bearer.SHOWN], "test", time.time())
    assert code(good) == 401
    kept = token_of(store, sue)
    store.remove_user("sue")
    assert code(kept) == 401


@pytest.mark.parametrize("scope", list(Permission))
def test_a_scope_opens_its_routes_and_no_others(
    scope: Permission, app: APIFlask, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = store.add_user("ada", "hash", "admin")
    headers, program = by(token_of(store, ada, scope)), app.test_client()
    for rule in app.url_map.iter_rules():
        if not rule.rule.startswith("/api/v1/") or rule.rule in ENDLESS:
            continue
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            path = address(rule.rule)
            answer = program.open(path, method=method, headers=headers, json={} if method != "GET" else None)
            refused = answer.status_code == 403 and answer.get_json()["code"] == "forbidden"
            allowed = permission_of(app.view_functions[rule.endpoint]) is scope
            assert refused is not allowed, (method, rule.rule, answer.text)


@pytest.mark.parametrize("role", list(Role))
def test_by_token_a_role_reaches_what_the_table_says_and_nothing_else(role: Role, app: APIFlask, store: Store) -> None:
    user = store.add_user("any", "hash", role)
    headers, program = by(token_of(store, user)), app.test_client()
    for rule in app.url_map.iter_rules():
        if not rule.rule.startswith("/api/v1/") or rule.rule in ENDLESS:
            continue
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            path = address(rule.rule)
            answer = program.open(path, method=method, headers=headers, json={} if method != "GET" else None)
            refused = answer.status_code == 403 and answer.get_json()["code"] == "forbidden"
            assert refused is (str(role) not in TABLE[rule.rule]), (method, rule.rule, answer.text)


def test_a_token_may_no_more_than_its_accounts_role_may_now(app: APIFlask, store: Store, sue: User) -> None:
    headers, program = by(token_of(store, sue)), app.test_client()
    store.change_user("sue", role="agent")
    assert program.get("/api/v1/contacts", headers=headers).status_code == 403
    assert program.get("/api/v1/voicemail", headers=headers).status_code == 200
    store.change_user("sue", role="admin")
    assert program.get("/api/v1/tokens?account=*", headers=headers).status_code == 403, "no scope of it"


def test_a_token_of_an_account_that_is_limited_to_queues_is_limited_too(
    app: APIFlask, store: Store, sue: User, web: WebServices
) -> None:
    headers = by(token_of(store, sue))
    store.change_user("sue", queues=("billing",))
    web.fanout._begin()
    assert [row["name"] for row in app.test_client().get("/api/v1/queues", headers=headers).get_json()["queues"]] == [
        "billing"
    ]


def test_the_store_has_only_hashes_and_the_beginning(store: Store, sue: User) -> None:
    token = token_of(store, sue)
    with store._begin() as connection:
        kept = str(connection.exec_driver_sql("SELECT * FROM api_token").all())
    assert token not in kept
    assert token[bearer.SHOWN :] not in kept
    assert token[: bearer.SHOWN] in kept
    assert len(token) - bearer.SHOWN >= 43, "256 bits in base 64"


def test_the_last_use_is_kept_to_the_minute(store: Store, sue: User) -> None:
    hashed, now = bearer.hashed(token_of(store, sue, days=9)), time.time()

    def used() -> float | None:
        return store.tokens("sue").tokens[0].used_at

    store.token(hashed, now)
    assert used() is None, "nobody's request"
    store.token(hashed, now, "192.0.2.1")
    store.token(hashed, now + 59, "192.0.2.2")
    assert used() == pytest.approx(now)
    store.token(hashed, now + 61, "192.0.2.2")
    assert used() == pytest.approx(now + 61)
    assert store.tokens("sue").tokens[0].used_from == "192.0.2.2"


def test_one_makes_lists_and_revokes_tokens_of_ones_own_and_all_is_audited(sign_in: SignIn, store: Store) -> None:
    browser = sign_in("supervisor")
    headers = {"X-CSRFToken": csrf(browser, "/me")}
    wish = {"name": "wallboard", "scopes": ["live.see"], "days": 30}
    made = browser.post("/api/v1/tokens", json=wish, headers=headers)
    assert made.status_code == 201, made.text
    id = made.get_json()["made"]["id"]
    assert made.get_json()["token"].startswith(f"{id}_")
    listed = browser.get("/api/v1/tokens").get_json()["tokens"]
    assert [(one["id"], one["name"], one["usable"]) for one in listed] == [(id, "wallboard", True)]
    assert "token" not in listed[0]
    assert browser.delete(f"/api/v1/tokens/{id}", headers=headers).status_code == 200
    assert browser.delete(f"/api/v1/tokens/{id}", headers=headers).status_code == 404
    assert browser.get("/api/v1/tokens").get_json()["tokens"][0]["usable"] is False
    done = [entry.action for entry in store.audit_entries(subject="a-supervisor", limit=2)]
    assert done == ["token.revoke", "token.create"]


def test_admins_see_and_revoke_everybodys_tokens_and_others_do_not(sign_in: SignIn, store: Store, sue: User) -> None:
    id = token_of(store, sue)[: bearer.SHOWN]
    for role in (Role.SUPERVISOR, Role.AUDITOR):
        browser = sign_in(role)
        headers = {"X-CSRFToken": csrf(browser, "/me")}
        for whose in ("sue", "*"):
            assert browser.get(f"/api/v1/tokens?account={whose}").status_code == 403
        assert browser.delete(f"/api/v1/tokens/{id}", headers=headers).status_code == 404
    ada = sign_in("admin")
    for whose in ("sue", "*"):
        assert [one["id"] for one in ada.get(f"/api/v1/tokens?account={whose}").get_json()["tokens"]] == [id]
    assert ada.get("/api/v1/tokens").get_json()["tokens"] == []
    assert ada.delete(f"/api/v1/tokens/{id}", headers={"X-CSRFToken": csrf(ada, "/me")}).status_code == 200
    store.change_user("a-admin", queues=("billing",))
    assert ada.get("/api/v1/tokens?account=sue").status_code == 403, "a limited admin sees no other's"


def test_pages_of_tokens_hold_each_once(sign_in: SignIn, store: Store, sue: User) -> None:
    made = [token_of(store, sue)[: bearer.SHOWN] for _ in range(5)]
    ada, cursor, seen = sign_in("admin"), "", []
    while True:
        page = ada.get(f"/api/v1/tokens?account=sue&limit=2&cursor={cursor}").get_json()
        seen += [one["id"] for one in page["tokens"]]
        if not (cursor := page["next"]):
            break
    assert seen == made[::-1]
    assert ada.get("/api/v1/tokens?cursor=nonsense").status_code == 422


def test_a_token_makes_no_tokens_and_revokes_only_itself(app: APIFlask, store: Store, sue: User) -> None:
    program, token, other = app.test_client(), token_of(store, sue), token_of(store, sue)
    wish = {"name": "more", "scopes": ["self"], "days": 1}
    for answer in (
        program.post("/api/v1/tokens", json=wish, headers=by(token)),
        program.delete(f"/api/v1/tokens/{other[: bearer.SHOWN]}", headers=by(token)),
    ):
        assert (answer.status_code, answer.get_json()["code"]) == (403, "session_needed")
    assert program.delete(f"/api/v1/tokens/{token[: bearer.SHOWN]}", headers=by(token)).status_code == 200
    assert program.get("/api/v1/tokens", headers=by(token)).status_code == 401


def test_what_a_program_changes_names_its_token_in_the_audit_log(app: APIFlask, store: Store, sue: User) -> None:
    token = token_of(store, sue)
    app.test_client().post("/api/v1/customers", json={"numbers": ["+33612407755"]}, headers=by(token))
    entries = store.audit_entries(actor="sue", limit=2)
    assert [entry.action for entry in entries] == ["api.post", "customer.add"]
    assert {entry.address for entry in entries} == {f"127.0.0.1 by {token[: bearer.SHOWN]}"}
    assert token not in str(entries)


def test_a_token_that_asks_too_often_has_to_wait_and_others_do_not(
    app: APIFlask, store: Store, sue: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(permissions, "PER_TOKEN", permissions.limits.parse("3 per hour"))
    program, wild, calm = app.test_client(), by(token_of(store, sue)), by(token_of(store, sue))
    codes = [program.get("/api/v1/tokens", headers=wild).status_code for _ in range(4)]
    assert codes == [200, 200, 200, 429]
    assert program.get("/api/v1/tokens", headers=calm).status_code == 200


def test_whoever_tries_tokens_has_to_wait(app: APIFlask, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(permissions, "WRONG_TOKENS", permissions.limits.parse("3 per hour"))
    codes = [app.test_client().get("/api/v1/tokens", headers=by(f"cct_{n}")).status_code for n in range(4)]
    assert codes == [401, 401, 401, 429]


@pytest.mark.parametrize(
    ("wish", "field"),
    [
        ({"name": "", "scopes": ["self"], "days": 1}, "name"),
        ({"name": "x", "scopes": [], "days": 1}, "scopes"),
        ({"name": "x", "scopes": ["audit.see"], "days": 1}, "scopes"),
        ({"name": "x", "scopes": ["everything"], "days": 1}, "scopes"),
        ({"name": "x", "scopes": ["self"]}, "days"),
        ({"name": "x", "scopes": ["self"], "days": 367}, "days"),
        ({"name": "x", "scopes": ["self"], "days": 0}, "days"),
    ],
)
def test_a_token_without_an_end_or_with_more_than_its_role_may_is_refused(
    wish: dict[str, Any], field: str, sign_in: SignIn, store: Store
) -> None:
    browser = sign_in("supervisor")
    answer = browser.post("/api/v1/tokens", json=wish, headers={"X-CSRFToken": csrf(browser, "/me")})
    assert (answer.status_code, answer.get_json()["code"]) == (422, "bad_value")
    assert field in answer.text
    assert store.tokens().tokens == ()


def test_an_account_has_so_many_tokens_and_no_more(store: Store, sue: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "MOST", 2)
    first, _ = token_of(store, sue), token_of(store, sue)
    with pytest.raises(tokens.TokenRefused, match="revoke one first"):
        token_of(store, sue)
    tokens.revoke(store, first[: bearer.SHOWN], "test", time.time())
    token_of(store, sue)


def test_the_own_page_shows_a_new_token_once_and_revokes_it(sign_in: SignIn, store: Store) -> None:
    browser = sign_in("agent")
    made = post(browser, "/me", "/me/tokens", name="crm", scope="self", days="30")
    id = store.tokens("a-agent").tokens[0].id
    assert made.status_code == 201
    assert f"{id}_" in made.text
    assert f"{id}_" not in browser.get("/me").text
    assert id in browser.get("/me").text
    assert post(browser, "/me", "/me/tokens", name="crm", scope="live.see", days="30").status_code == 422
    assert post(browser, "/me", f"/me/tokens/{id}/revoke").status_code == 303
    assert not store.tokens("a-agent").tokens[0].usable(time.time())


def cli(*arguments: str) -> str:
    done = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


@pytest.mark.usefixtures("settings")
def test_the_command_line_makes_lists_and_revokes_tokens_of_every_account(
    app: APIFlask, store: Store, sue: User, capsys: pytest.CaptureFixture[str]
) -> None:
    token = cli("create", "sue", "--name", "crm", "--scope", "contacts.see", "--days", "7").split()[-1]
    headers: dict[str, str] = by(token)
    program: FlaskClient = app.test_client()
    assert program.get("/api/v1/contacts", headers=headers).status_code == 200
    assert program.get("/api/v1/queues", headers=headers).status_code == 403
    listed = cli("list", "sue")
    assert token[: bearer.SHOWN] in listed
    assert token not in listed
    assert "is revoked" in cli("revoke", token[: bearer.SHOWN])
    assert program.get("/api/v1/contacts", headers=headers).status_code == 401
    assert "revoked" in cli("list")
    create = ["token", "create", "sue", "--name", "crm"]
    assert run([*create, "--scope", "audit.see", "--days", "7"]) == 2
    assert "sue may do" in capsys.readouterr().err
    assert run([*create, "--scope", "self", "--days", "1000"]) == 2
    assert run([*create, "--scope", "self"]) == 2
    assert run(["token", "create", "nobody", "--name", "x", "--scope", "self", "--days", "1"]) == 2
    assert run(["token", "revoke", "cct_00000000"]) == 2
