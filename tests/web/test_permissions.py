"""Every route, walked by every role."""

import json
import re
from dataclasses import replace

import pytest
from apiflask import APIFlask

from contactcentre.live import Away
from contactcentre.store import Store
from contactcentre.web.app import WebServices, create_app
from contactcentre.web.permissions import GRANTS, Permission, Role, divides, granted, permission_of, requires
from tests.web.conftest import SignIn

PUBLIC = {
    "/login",
    "/login/code",
    "/login/enrol",
    "/login/oidc",
    "/login/oidc/back",
    "/login/oidc/out",
    "/welcome",
    "/healthz",
    "/readyz",
    "/static/<path:filename>",
}
EVERYONE = {"admin", "supervisor", "agent", "auditor", "wallboard"}
TABLE: dict[str, set[str]] = {
    "/": {"admin", "supervisor"},
    "/me": EVERYONE,
    "/me/password": EVERYONE,
    "/me/language": EVERYONE,
    "/me/second-factor": EVERYONE,
    "/me/second-factor/confirm": EVERYONE,
    "/me/second-factor/codes": EVERYONE,
    "/me/second-factor/off": EVERYONE,
    "/api/v1/me/second-factor": EVERYONE,
    "/api/v1/me/second-factor/confirm": EVERYONE,
    "/api/v1/me/second-factor/codes": EVERYONE,
    "/api/v1/me/second-factor/off": EVERYONE,
    "/me/sessions": EVERYONE,
    "/me/sessions/end": EVERYONE,
    "/api/v1/me/sessions": EVERYONE,
    "/api/v1/me/sessions/end": EVERYONE,
    "/api/v1/users/<name>/second-factor": {"admin"},
    "/admin/users/<name>/second-factor": {"admin"},
    "/me/tokens": EVERYONE,
    "/me/tokens/<id>/revoke": EVERYONE,
    "/api/v1/tokens": EVERYONE,
    "/api/v1/tokens/<id>": EVERYONE,
    "/logout": EVERYONE,
    "/agent": {"admin", "supervisor", "agent"},
    "/contacts": {"admin", "supervisor", "auditor"},
    "/contacts/<id>": {"admin", "supervisor", "auditor"},
    "/customers": {"admin", "supervisor"},
    "/customers/<id>": {"admin", "supervisor"},
    "/customers/<id>/merge": {"admin", "supervisor"},
    "/customers/<id>/export": {"admin", "supervisor"},
    "/customers/<id>/erase": {"admin"},
    "/api/v1/customers": {"admin", "supervisor"},
    "/api/v1/customers/<id>": {"admin", "supervisor"},
    "/api/v1/customers/<id>/contacts": {"admin", "supervisor"},
    "/api/v1/customers/<id>/merge": {"admin", "supervisor"},
    "/api/v1/customers/<id>/export": {"admin", "supervisor"},
    "/api/v1/customers/<id>/erase": {"admin"},
    "/api/v1/me/contacts/<id>/customer": {"admin", "supervisor", "agent"},
    "/contacts/<id>/result": {"admin", "supervisor"},
    "/contacts/<id>/now": {"admin", "supervisor", "auditor"},
    "/agents/<name>": {"admin", "supervisor", "auditor"},
    "/audit": {"admin", "auditor"},
    "/webhooks": {"admin"},
    "/webhooks/<name>": {"admin"},
    "/webhooks/<name>/<verb>": {"admin"},
    "/api/v1/webhooks": {"admin"},
    "/api/v1/webhooks/<name>": {"admin"},
    "/api/v1/webhooks/<name>/test": {"admin"},
    "/api/v1/webhooks/<name>/secret": {"admin"},
    "/api/v1/webhooks/<name>/letters": {"admin"},
    "/api/v1/webhooks/<name>/resend": {"admin"},
    "/voicemail": {"admin", "supervisor", "agent"},
    "/voicemail/<id>/<step>": {"admin", "supervisor", "agent"},
    "/api/v1/voicemail": {"admin", "supervisor", "agent"},
    "/api/v1/voicemail/<id>/audio": {"admin", "supervisor", "agent"},
    "/api/v1/voicemail/<id>/<step>": {"admin", "supervisor", "agent"},
    "/api/v1/me": {"admin", "supervisor", "agent"},
    "/api/v1/me/live": {"admin", "supervisor", "agent"},
    "/api/v1/me/colleagues": {"admin", "supervisor", "agent"},
    "/api/v1/me/phone": {"admin", "supervisor", "agent"},
    "/api/v1/me/<step>": {"admin", "supervisor", "agent"},
    "/api/v1/me/calls": {"admin", "supervisor", "agent"},
    "/api/v1/me/calls/<id>": {"admin", "supervisor", "agent"},
    "/api/v1/me/callbacks/<id>/call": {"admin", "supervisor", "agent"},
    "/api/v1/voicemail/<id>/call_back": {"admin", "supervisor", "agent"},
    "/api/v1/me/call/<verb>": {"admin", "supervisor", "agent"},
    "/api/v1/me/contacts": {"admin", "supervisor", "agent"},
    "/api/v1/me/today": {"admin", "supervisor", "agent"},
    "/api/v1/me/contacts/<id>": {"admin", "supervisor", "agent"},
    "/api/v1/me/callbacks": {"admin", "supervisor", "agent"},
    "/api/v1/me/callbacks/<id>": {"admin", "supervisor", "agent"},
    "/api/v1/live": {"admin", "supervisor"},
    "/api/v1/snapshot": {"admin", "supervisor"},
    "/api/v1/events": {"admin", "supervisor", "auditor"},
    "/api/v1/queues": {"admin", "supervisor"},
    "/api/v1/agents": {"admin", "supervisor"},
    "/api/v1/controllers": {"admin", "supervisor"},
    "/api/v1/agents/<name>/skills": {"admin", "supervisor"},
    "/api/v1/agents/<name>/<verb>": {"admin", "supervisor"},
    "/api/v1/notices": {"admin", "supervisor"},
    "/api/v1/notices/<id>/read": {"admin", "supervisor"},
    "/api/v1/me/notices": {"admin", "supervisor", "agent"},
    "/api/v1/me/notices/<id>/read": {"admin", "supervisor", "agent"},
    "/charts": {"admin", "supervisor"},
    "/api/v1/recordings/<id>/picture": {"admin", "supervisor", "auditor"},
    "/api/v1/recordings/<id>/notes": {"admin", "supervisor", "auditor"},
    "/wallboard": {"admin", "supervisor", "wallboard"},
    "/api/v1/queues/<name>/day": {"admin", "supervisor"},
    "/api/v1/wallboard": {"admin", "supervisor", "wallboard"},
    "/api/v1/wallboard/live": {"admin", "supervisor", "wallboard"},
    "/api/v1/calls": {"admin", "supervisor"},
    "/api/v1/calls/<id>/<verb>": {"admin", "supervisor"},
    "/api/v1/coaches": {"admin", "supervisor"},
    "/api/v1/listens": {"admin", "supervisor"},
    "/api/v1/listens/<id>/<verb>": {"admin", "supervisor"},
    "/api/v1/alerts": {"admin", "supervisor"},
    "/api/v1/alerts/past": {"admin", "supervisor"},
    "/api/v1/alerts/<id>/acknowledge": {"admin", "supervisor"},
    "/api/v1/contacts": {"admin", "supervisor", "auditor"},
    "/api/v1/contacts/<id>": {"admin", "supervisor", "auditor"},
    "/api/v1/contacts/<id>/result": {"admin", "supervisor"},
    "/api/v1/dispositions": {"admin", "supervisor", "auditor"},
    "/api/v1/contacts/<id>/why": {"admin", "supervisor", "auditor"},
    "/api/v1/agents/<name>/why": {"admin", "supervisor", "auditor"},
    "/api/v1/recordings/<id>/audio": {"admin", "supervisor", "auditor"},
    "/api/v1/recordings/<verb>": {"admin"},
    "/admin": {"admin"},
    "/admin/site/<part>": {"admin"},
    "/admin/site/<part>/<name>": {"admin"},
    "/admin/site/<part>/<name>/remove": {"admin"},
    "/admin/new/<part>": {"admin"},
    "/admin/secrets": {"admin"},
    "/admin/yaml": {"admin"},
    "/admin/plans/<id>": {"admin"},
    "/admin/history": {"admin"},
    "/admin/diff": {"admin"},
    "/api/v1/site": {"admin"},
    "/api/v1/site/file": {"admin"},
    "/api/v1/site/parts/<part>": {"admin"},
    "/api/v1/site/parts/<part>/<name>": {"admin"},
    "/api/v1/site/versions": {"admin"},
    "/api/v1/site/versions/<int:version>": {"admin"},
    "/api/v1/site/diff": {"admin"},
    "/api/v1/site/check": {"admin"},
    "/api/v1/site/plans": {"admin"},
    "/api/v1/site/plans/<id>": {"admin"},
    "/api/v1/site/plans/<id>/apply": {"admin"},
    "/api/v1/site/secrets": {"admin"},
    "/api/v1/users": {"admin"},
    "/api/v1/users/<name>": {"admin"},
    "/api/v1/users/<name>/link": {"admin"},
    "/api/v1/users/<name>/sign-out": {"admin"},
    "/api/v1/audit": {"admin", "auditor"},
    "/admin/users": {"admin"},
    "/admin/users/<name>": {"admin"},
    "/admin/users/<name>/link": {"admin"},
    "/admin/tokens": {"admin"},
    "/admin/tokens/<id>/revoke": {"admin"},
    "/admin/users/<name>/sign-out": {"admin"},
    "/api/v1/prompts": {"admin"},
    "/api/v1/prompts/<language>/<name>": {"admin"},
    "/api/v1/prompts/<language>/<name>/speak": {"admin"},
    "/api/v1/prompts/<language>/<name>/audio": {"admin"},
    "/admin/prompts": {"admin"},
    "/api/v1/site/flows/draw": {"admin"},
    "/api/v1/site/flows/simulate": {"admin"},
    "/api/": EVERYONE,
    "/api/v1/openapi.json": EVERYONE,
}
"""Who may; written by hand, so a change of a role is a change here too."""


ADMINS = ("/api/v1/site", "/api/v1/prompts", "/api/v1/users", "/api/v1/audit", "/admin")

UNDIVIDED = {
    *(path for path in TABLE if path.startswith(ADMINS)),
    *("/audit", "/api/v1/recordings/<verb>"),
    *(path for path in TABLE if "/webhooks" in path),
    *(f"{api}/customers/<id>/{verb}" for api in ("", "/api/v1") for verb in ("merge", "export", "erase")),
}
"""What an account that is limited to queues has nothing of; of the rest it has its queues' part (test_scope)."""


def test_every_route_is_in_the_table_and_names_its_permission(app: APIFlask) -> None:
    rules = {rule.rule for rule in app.url_map.iter_rules()}
    assert rules == PUBLIC | set(TABLE)
    for rule in app.url_map.iter_rules():
        permission = permission_of(app.view_functions[rule.endpoint])
        if rule.rule in PUBLIC:
            assert permission is None
        else:
            assert permission is not None
            assert {role for role in Role if granted(role, permission)} == TABLE[rule.rule], rule
            assert divides(app.view_functions[rule.endpoint]) is (rule.rule not in UNDIVIDED), rule


@pytest.mark.parametrize("queues", [(), ("billing",)])
@pytest.mark.parametrize("role", ["", *Role])
def test_a_role_reaches_what_the_table_says_and_nothing_else(
    role: str, queues: tuple[str, ...], app: APIFlask, store: Store, sign_in: SignIn
) -> None:
    app.config["WTF_CSRF_ENABLED"] = False  # of interest here is who may, not from where
    browser = sign_in(role) if role else app.test_client()
    if role:
        store.change_user(f"a-{role}", queues=queues)
    for path, allowed in TABLE.items():
        if path in ("/logout", "/api/v1/live", "/api/v1/wallboard/live", "/api/v1/events"):
            continue  # the one ends the session, the others do not end; all have tests of their own
        method = method_of(app, path)
        there = (
            path.replace("<id>", "0000")
            .replace("<part>", "queues")
            .replace("<language>", "en")
            .replace("<int:version>", "0")
        )
        there = there.replace("<name>", "nobody").replace("<step>", "claim")
        body = {} if method != "GET" and path.startswith("/api/v1/") else None
        answer = browser.open(there.replace("<verb>", "hold"), method=method, json=body)
        if role in allowed and not (queues and path in UNDIVIDED):
            assert answer.status_code in (200, 404, 422, 503), (path, answer.text)
        elif role:
            assert answer.status_code == 403, path
            assert "forbidden" in answer.text
        elif path.startswith("/api/v1/"):
            assert (answer.status_code, answer.get_json()["code"]) == (401, "sign_in_needed"), path
        else:
            assert (answer.status_code, answer.location.partition("?")[0]) == (302, "/login"), path


def method_of(app: APIFlask, path: str) -> str:
    """The mildest that it takes."""
    taken = {method for rule in app.url_map.iter_rules() if rule.rule == path for method in rule.methods or ()}
    return next(method for method in ("GET", "POST", "PUT", "DELETE") if method in taken)


def test_a_view_that_nobody_marked_is_refused_to_everybody(app: APIFlask, sign_in: SignIn) -> None:
    app.add_url_rule("/forgotten", "forgotten", lambda: "secret")
    answer = sign_in("admin").get("/forgotten")
    assert answer.status_code == 403
    assert "secret" not in answer.text


def test_whoever_sees_the_live_page_may_see_who_listens_for_its_rows_say_it() -> None:
    assert {role for role in Role if granted(role, Permission.LIVE)} == {
        role for role in Role if granted(role, Permission.SUPERVISE)
    }


def test_a_view_that_does_not_say_that_it_divides_is_refused_to_who_is_limited(
    app: APIFlask, store: Store, sign_in: SignIn
) -> None:
    app.add_url_rule("/undivided", "undivided", requires(Permission.LIVE)(lambda: "everything"))
    browser = sign_in("supervisor")
    assert browser.get("/undivided").text == "everything"
    store.change_user("a-supervisor", queues=("billing",))
    answer = browser.get("/undivided")
    assert (answer.status_code, "everything" in answer.text) == (403, False)


def test_an_unknown_role_may_nothing() -> None:
    assert not any(granted("root", permission) for permission in Permission)
    assert GRANTS[Role.ADMIN] == set(Permission)


def test_every_answer_carries_the_headers_that_keep_others_out(app: APIFlask, sign_in: SignIn) -> None:
    browser = sign_in("supervisor")
    for path in ("/", "/login", "/contacts", "/api/v1/contacts", "/nowhere", "/api/v1/nowhere", "/healthz"):
        headers = browser.get(path).headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"
        assert headers["Cache-Control"] == "no-store"
    with browser.get("/static/build/manifest.json") as built:
        assert built.headers["X-Content-Type-Options"] == "nosniff"


def test_no_page_holds_an_inline_script_or_style(sign_in: SignIn) -> None:
    browser = sign_in("supervisor")
    for path in ("/", "/contacts", "/voicemail", "/me"):
        text = browser.get(path).text
        assert "<style" not in text
        assert " style=" not in text
        assert " onclick=" not in text
        assert text.count("<script") == text.count('<script type="module" src="/static/build/')


def test_errors_are_problem_json_for_programs_and_a_page_for_people(app: APIFlask, sign_in: SignIn) -> None:
    browser = sign_in("supervisor")
    problem = browser.get("/api/v1/contacts?limit=9000")
    assert problem.status_code == 422
    assert problem.content_type == "application/problem+json"
    assert problem.get_json()["code"] == "bad_value"
    assert "limit" in str(problem.get_json()["errors"])
    assert browser.post("/api/v1/contacts").get_json()["code"] in ("form_expired", "method_not_allowed")
    page = browser.get("/nowhere")
    assert page.status_code == 404
    assert "There is no such page" in page.text
    assert "Traceback" not in page.text


def test_an_unexpected_error_shows_a_number_and_nothing_of_itself(app: APIFlask, sign_in: SignIn) -> None:
    app.config["PROPAGATE_EXCEPTIONS"] = False
    app.testing = False

    def fail() -> str:
        raise RuntimeError("password is hunter2")

    from contactcentre.web.permissions import public

    app.add_url_rule("/api/v1/fails", "fails", public(fail))
    answer = app.test_client().get("/api/v1/fails")
    assert answer.status_code == 500
    assert "hunter2" not in answer.text
    assert answer.get_json()["code"] == "internal"
    assert answer.get_json()["reference"]


def test_the_openapi_document_describes_the_api_and_loads_nothing_from_elsewhere(sign_in: SignIn) -> None:
    document = sign_in("admin").get("/api/v1/openapi.json").get_json()
    paths = {"/queues", "/agents", "/contacts", "/contacts/{id}", "/contacts/{id}/why", "/agents/{name}/why"}
    assert {f"/api/v1{path}" for path in paths} <= set(document["paths"])
    schemas = document["components"]["schemas"]
    used = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(document)))
    assert used <= set(schemas)
    assert "service_level" in json.dumps(schemas)
    assert {"candidates", "cut", "requirement"} <= set(schemas["Finding"]["properties"])
    assert "://" not in json.dumps(document)
    assert "/login" not in document["paths"]


def test_while_redis_is_away_pages_say_so_and_hide_nothing_in_a_traceback(
    app: APIFlask, sign_in: SignIn, web: WebServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = sign_in("supervisor")

    def away(*_: object) -> None:
        raise Away("redis is away: test")

    monkeypatch.setattr(web.sessions, "user_of", away)
    page = browser.get("/contacts")
    assert page.status_code == 503
    assert "The live state does not answer" in page.text
    assert browser.get("/api/v1/contacts").get_json()["code"] == "live_unavailable"


def test_only_as_many_proxies_are_believed_as_the_settings_say(web: WebServices) -> None:
    lies = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.9"}
    alone = create_app(web, TESTING=True).test_client().get("/login", headers=lies)
    assert "Secure" not in alone.headers["Set-Cookie"]
    settings = web.settings.model_copy(update={"web_proxies": 1})
    behind = create_app(replace(web, settings=settings), TESTING=True).test_client().get("/login", headers=lies)
    assert "Secure" in behind.headers["Set-Cookie"]


def test_the_audit_log_shows_who_signed_in_from_where(sign_in: SignIn) -> None:
    sign_in("supervisor")
    text = sign_in("auditor").get("/audit?actor=a-supervisor").text
    assert "session.open" in text
    assert "127.0.0.1" in text
    assert "a-auditor</bdi>" not in text
