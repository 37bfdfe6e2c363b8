"""Every operation of the API, asked at random by each role and by token: a short run of `bench.fuzz_api`."""

import time
from dataclasses import replace

import pytest
from apiflask import APIFlask

from contactcentre.live import calls, listens
from contactcentre.store import Store
from contactcentre.web import permissions, tokens
from contactcentre.web.app import WebServices, create_app
from contactcentre.web.permissions import Role
from tests.store.calls import answered
from tests.store.test_boxes import left
from tests.web.conftest import SignIn
from tests.web.test_permissions import TABLE

cases = pytest.importorskip("bench.api_cases", reason="schemathesis is not installed: pip install -e .[test]")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]  # thousands of requests


@pytest.fixture
def app(web: WebServices) -> APIFlask:
    """Answers what is not expected as it does for users, and starts nothing that changes a PBX."""
    settings = web.settings.model_copy(update={"provision_command": "off"})
    return create_app(replace(web, settings=settings), WTF_CSRF_ENABLED=False, PROPAGATE_EXCEPTIONS=False)


def test_no_request_breaks_the_api_or_a_rule_of_the_role_table_and_answers_are_as_described(
    app: APIFlask, store: Store, web: WebServices, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (calls, listens):
        monkeypatch.setattr(module, "ANSWER_SECONDS", 0.01)  # no controller runs
    monkeypatch.setattr(permissions, "PER_TOKEN", permissions.limits.parse("1000000 per minute"))
    web.fanout._begin()
    askers = [by_session(sign_in, role) for role in Role] + [by_token(store)]
    found = cases.ask(app, askers, something(store), number=1)
    assert [f"{what}: {example}" for what, example in found.faults.items()] == []
    assert found.asked > 500
    assert {200, 201, 403, 404, 422} <= set(found.answers), "what is asked reaches what it is to try"


def by_session(sign_in: SignIn, role: str) -> "cases.Asker":
    cookie = sign_in(role).get_cookie("contactcentre")
    assert cookie is not None
    return cases.Asker(f"session of {role}", {}, {"contactcentre": cookie.value}, may(role))


def by_token(store: Store) -> "cases.Asker":
    user = store.add_user("program", "hash", "admin", "anna")
    token = tokens.issue(store, user, "test", list(map(str, tokens.grantable(user))), 1, "test", time.time())[1]
    return cases.Asker("token of admin", {"Authorization": f"Bearer {token}"}, {}, may("admin"))


def may(role: str) -> frozenset[str]:
    return frozenset(
        path.replace("<int:", "<").replace("<", "{").replace(">", "}") for path, roles in TABLE.items() if role in roles
    )


def something(store: Store) -> dict[str, dict[str, str]]:
    """Things that are there, and where they can be asked for."""
    now = time.time()
    call = answered(now - 100, agent="anna")
    store.record(call.events)
    left(store, "m1", now - 50, box="anna")
    id = {"id": call.id}
    return {
        "/api/v1/contacts/{id}": id,
        "/api/v1/contacts/{id}/result": id,
        "/api/v1/contacts/{id}/why": id,
        "/api/v1/me/contacts/{id}": id,
        "/api/v1/me/contacts/{id}/customer": id,
        "/api/v1/customers/{id}": {"id": "+33612407755"},
        "/api/v1/customers/{id}/contacts": {"id": "+33612407755"},
        "/api/v1/customers/{id}/export": {"id": "+33612407755"},
        "/api/v1/voicemail/{id}/{step}": {"id": "m1", "step": "claim"},
        "/api/v1/voicemail/{id}/call_back": {"id": "m1"},
        "/api/v1/agents/{name}/why": {"name": "anna"},
        "/api/v1/agents/{name}/skills": {"name": "anna"},
        "/api/v1/agents/{name}/{verb}": {"name": "anna", "verb": "skills"},
        "/api/v1/site/parts/{part}": {"part": "queues"},
        "/api/v1/site/parts/{part}/{name}": {"part": "queues", "name": "support"},
        "/api/v1/me/{step}": {"step": "login"},
    }
