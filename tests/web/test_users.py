"""Users through the API and their pages, and the audit log by who, what and when."""

import re
import time
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient

from contactcentre.store import Store
from contactcentre.web import accounts, tokens
from contactcentre.web.app import WebServices
from tests.web.conftest import PASSWORD, SignIn, csrf, post

Send = Callable[..., Any]


@pytest.fixture
def admin(web: WebServices, sign_in: SignIn) -> FlaskClient:
    return sign_in("admin")


@pytest.fixture
def send(admin: FlaskClient) -> Send:
    token = csrf(admin, "/me")

    def ask(method: str, path: str, status: int, body: Any = None) -> Any:
        headers = {"X-CSRFToken": token}
        answer = admin.open(f"/api/v1/{path}", method=method, json=body, headers=headers)
        assert answer.status_code == status, answer.text
        return answer.get_json()

    return ask


def test_a_user_is_invited_and_the_link_sets_the_password_once(send: Send, app: APIFlask, store: Store) -> None:
    made = send("POST", "users", 201, {"name": "sue", "role": "supervisor", "queues": ["billing"], "agent": "dev"})
    assert made["user"] | {"created_at": 0} == {
        "name": "sue",
        "role": "supervisor",
        "agent": "dev",
        "queues": ["billing"],
        "state": "invited",
        "created_at": 0,
    }
    token = made["link"].partition("#")[2]
    browser = app.test_client()
    assert post(browser, "/login", "/welcome", token=token, password=PASSWORD, again=PASSWORD).status_code == 303
    assert post(app.test_client(), "/login", "/welcome", token=token).status_code == 410
    assert send("GET", "users/sue", 200)["state"] == "active"
    invited = store.audit_entries(action="user.invite")[0]
    assert (invited.actor, invited.subject, invited.address) == ("a-admin", "sue", "127.0.0.1")
    assert token not in str(store.audit_entries())
    assert send("POST", "users", 409, {"name": "sue", "role": "agent"})["code"] == "name_taken"
    assert "lower-case" in send("POST", "users", 422, {"name": "Sue", "role": "agent"})["detail"]
    assert "no queue" in send("POST", "users", 422, {"name": "tom", "role": "agent", "queues": ["x"]})["detail"]
    assert "no agent" in send("POST", "users", 422, {"name": "tom", "role": "agent", "agent": "x"})["detail"]
    assert store.user_named("tom") is None
    send("POST", "users", 422, {"name": "tom", "role": "root"})


def test_sessions_end_where_rights_change_and_stay_where_they_do_not(send: Send, sign_in: SignIn, store: Store) -> None:
    browser = sign_in("supervisor")
    (session,) = send("GET", "users/a-supervisor", 200)["sessions"]
    assert session["address"] == "127.0.0.1"
    assert session["opened"] == pytest.approx(session["used"], abs=60)
    send("PUT", "users/a-supervisor", 200, {"agent": "anna"})
    assert browser.get("/me").status_code == 200
    send("PUT", "users/a-supervisor", 200, {"role": "agent", "queues": ["billing", "billing"]})
    assert browser.get("/me").status_code == 302
    assert store.audit_entries(action="user.change")[0].detail == {"role": "agent", "queues": ["billing"]}
    assert send("PUT", "users/a-supervisor", 200, {"role": "agent"})["queues"] == ["billing"]
    other = sign_in("supervisor")
    assert send("POST", "users/a-supervisor/sign-out", 200)["sessions"] == 1
    assert other.get("/me").status_code == 302
    send("PUT", "users/a-supervisor", 200, {"disabled": True})
    user = store.user_named("a-supervisor")
    assert user
    assert user.disabled
    assert accounts.authenticate(store, "a-supervisor", PASSWORD) is None


def test_nobody_takes_the_own_rights_away_and_a_token_changes_no_users(
    send: Send, app: APIFlask, admin: FlaskClient, store: Store
) -> None:
    for change in ({"role": "agent"}, {"disabled": True}, {"queues": ["billing"]}):
        assert send("PUT", "users/a-admin", 409, change)["code"] == "own_account"
    send("PUT", "users/a-admin", 200, {"agent": "anna", "role": "admin"})
    user = store.user_named("a-admin")
    assert user
    _, token = tokens.issue(store, user, "robot", ["users.manage"], 1, "a-admin", time.time(), "")
    program, headers = app.test_client(), {"Authorization": f"Bearer {token}"}
    assert program.get("/api/v1/users", headers=headers).status_code == 200
    for method, path, body in (
        ("POST", "users", {"name": "eve", "role": "admin"}),
        ("PUT", "users/a-admin", {"agent": ""}),
        ("POST", "users/a-admin/link", None),
        ("POST", "users/a-admin/sign-out", None),
    ):
        answer = program.open(f"/api/v1/{path}", method=method, json=body, headers=headers)
        assert (answer.status_code, answer.get_json()["code"]) == (403, "session_needed"), path
    assert store.user_named("eve") is None


def test_the_pages_invite_change_and_sign_out(admin: FlaskClient, sign_in: SignIn, store: Store) -> None:
    made = post(admin, "/admin/users", "/admin/users", name="tom", role="auditor")
    assert made.status_code == 201
    assert "/welcome#" in made.text
    assert "/welcome#" not in admin.get("/admin/users/tom").text
    again = post(admin, "/admin/users", "/admin/users", name="tom", role="auditor")
    assert (again.status_code, "There is a user" in again.text or "already" in again.text) == (409, True)
    browser = sign_in("supervisor")
    saved = post(admin, "/me", "/admin/users/a-supervisor", role="supervisor", queues="billing", agent="dev")
    assert saved.status_code == 303
    user = store.user_named("a-supervisor")
    assert user
    assert (user.queues, user.agent) == (("billing",), "dev")
    assert browser.get("/me").status_code == 302
    assert post(admin, "/me", "/admin/users/a-supervisor/sign-out").status_code == 303
    link = post(admin, "/me", "/admin/users/a-supervisor/link")
    assert re.search(r"/welcome#[\w-]{40,}", unescape(link.text))
    assert post(admin, "/me", "/admin/users/a-admin", role="agent").status_code == 409
    assert admin.get("/admin/users/nobody").status_code == 404


def test_admins_see_everybodys_tokens_on_a_page_and_revoke_them(admin: FlaskClient, store: Store) -> None:
    now = time.time()
    people = [store.add_user(name, "hash", "supervisor") for name in ("sue", "sam", "sol")]
    made = [
        tokens.issue(store, user, f"program {n}", ["live.see"], 9, "test", now + n)[0]
        for user in people
        for n in range(17)
    ]
    first = admin.get("/admin/tokens").text
    more = re.search(r'href="(/admin/tokens\?cursor=[^"]+)">Earlier', first)
    assert more
    second = admin.get(unescape(more[1])).text
    assert [first.count("<bdi>program "), second.count("<bdi>program ")] == [50, 1]
    assert "There is no token" in admin.get("/admin/tokens?account=a-admin").text
    assert admin.get("/admin/tokens?cursor=nonsense").status_code == 422
    gone = post(admin, "/me", f"/admin/tokens/{made[0].id}/revoke")
    assert gone.status_code == 303
    assert "program 0 of sue is revoked" in admin.get(gone.headers["Location"]).text
    assert post(admin, "/me", f"/admin/tokens/{made[0].id}/revoke").status_code == 404
    (entry,) = store.audit_entries(action="token.revoke", subject="sue")
    assert (entry.actor, entry.detail["token"]) == ("a-admin", made[0].id)


def test_the_audit_log_is_asked_for_who_what_and_when_page_by_page(
    admin: FlaskClient, send: Send, store: Store
) -> None:
    for number in range(5):
        store.audit("cli:lee", "queue.set" if number % 2 else "queue.add", f"queue q{number}")
    store.audit("cli:lee", "queueing.set", "no queue")
    found = send("GET", "audit?actor=cli:lee&action=queue&limit=3", 200)
    assert [one["subject"] for one in found["entries"]] == ["queue q4", "queue q3", "queue q2"]
    found = send("GET", f"audit?actor=cli:lee&action=queue&limit=3&cursor={found['next']}", 200)
    assert [one["subject"] for one in found["entries"]] == ["queue q1", "queue q0"]
    assert found["next"] == ""
    assert len(send("GET", "audit?actor=cli:lee&action=queue.set", 200)["entries"]) == 2
    now = time.time()
    assert send("GET", f"audit?actor=cli:lee&until={now - 3600}", 200)["entries"] == []
    assert len(send("GET", f"audit?actor=cli:lee&since={now - 3600}", 200)["entries"]) == 6
    page = admin.get("/audit?actor=cli:lee&action=queue&since=2000-01-01&until=2000-01-02").text
    assert "No entry matches this." in page
    assert "queue q0" in admin.get("/audit?actor=cli:lee&action=queue&since=2000-01-01").text
    assert admin.get("/audit?since=yesterday").status_code == 422
