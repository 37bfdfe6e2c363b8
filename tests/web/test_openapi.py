"""The description of the API is complete, and says what the code does."""

import re
from pathlib import Path
from typing import Any

import pytest
from apiflask import APIFlask

from contactcentre.web import openapi
from contactcentre.web.permissions import permission_of
from tests.web.axe import violations
from tests.web.chromium import Chromium, why_not
from tests.web.conftest import SignIn
from tests.web.serving import Server

PUBLISHED = Path(__file__).parent / "operations.txt"
"""All operation ids, sorted: programs are made with them, so one that is there stays."""

Operation = tuple[str, str, dict[str, Any]]


@pytest.fixture
def document(app: APIFlask) -> dict[str, Any]:
    return openapi.document(app)


@pytest.fixture
def operations(document: dict[str, Any]) -> list[Operation]:
    return [(path, method, one) for path, methods in document["paths"].items() for method, one in methods.items()]


def test_every_route_of_the_api_is_described(app: APIFlask, operations: list[Operation]) -> None:
    there = {
        (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.rule.startswith("/api/v1/")
    }
    assert {(path, method) for path, method, _ in operations} == there - {("/api/v1/openapi.json", "get")}


def test_every_operation_has_its_words_its_schemas_its_problems_and_who_may(
    app: APIFlask, operations: list[Operation]
) -> None:
    views = {openapi.operation_id(rule, method): view for rule, method, view in openapi._routes(app)}
    for path, method, one in operations:
        where = f"{method} {path}"
        assert one["summary"], where
        assert len(one["tags"]) == 1, where
        scopes = {scope for way in one["security"] for given in way.values() for scope in given}
        assert scopes == {str(permission_of(views[one["operationId"]]))}, where
        assert {name for way in one["security"] for name in way} == {"token", "session"}, where
        good = [answer for status, answer in one["responses"].items() if status < "300" and status != "204"]
        assert all(answer["content"] for answer in good), where
        wrong = {status: answer["content"] for status, answer in one["responses"].items() if status >= "400"}
        assert {"401", "403", "429", "500", "503"} <= set(wrong), where
        assert all(list(content) == ["application/problem+json"] for content in wrong.values()), where
        assert ("404" in wrong) >= ("{" in path), where
        in_path = {name["name"] for name in one["parameters"] if name["in"] == "path"}
        assert in_path == set(re.findall(r"{(\w+)}", path)), where
        if "requestBody" in one:
            assert {"413", "415", "422"} <= set(wrong), where


def test_ids_of_operations_are_unique_and_stay(operations: list[Operation]) -> None:
    ids = [one["operationId"] for _, _, one in operations]
    assert len(ids) == len(set(ids))
    published = PUBLISHED.read_text().split()
    assert set(published) - set(ids) == set(), "programs call these"
    assert set(ids) - set(published) == set(), f"new: add them to {PUBLISHED.name}, and keep them from then on"
    assert published == sorted(published)


def test_all_that_is_pointed_at_is_there_and_names_do_not_depend_on_chance(document: dict[str, Any]) -> None:
    def pointed(part: Any) -> set[str]:
        if isinstance(part, dict):
            own = {part["$ref"]} if isinstance(part.get("$ref"), str) else set()
            return own.union(*map(pointed, part.values()))
        return set().union(*map(pointed, part)) if isinstance(part, list) else set()

    schemas = document["components"]["schemas"]
    assert pointed(document) <= {f"#/components/schemas/{name}" for name in schemas}
    assert [name for name in schemas if not re.fullmatch(r"[A-Z][A-Za-z]+", name)] == []


def test_what_a_part_of_the_path_can_be_is_told(document: dict[str, Any]) -> None:
    verbs = document["paths"]["/api/v1/calls/{id}/{verb}"]["post"]["parameters"][1]["schema"]["enum"]
    assert {"hold", "transfer", "hangup"} <= set(verbs)


def test_the_page_to_try_it_out_is_for_who_is_signed_in_and_keeps_scripts_and_styles_strict(
    app: APIFlask, sign_in: SignIn
) -> None:
    assert app.test_client().get("/api/").status_code == 302
    answer = sign_in("auditor").get("/api/")
    policy = answer.headers["Content-Security-Policy"]
    assert "script-src 'self';" in policy
    assert "style-src 'self';" in policy
    assert "unsafe" not in policy
    assert "/static/build/tryout-" in answer.text
    assert "/static/build/tryout-" not in sign_in("auditor").get("/me").text


@pytest.mark.slow
@pytest.mark.skipif(bool(why_not()), reason=why_not() or "-")
def test_a_request_tried_out_on_the_page_is_made_and_nothing_breaks_the_policy(
    signed_in: Chromium, server: Server, tmp_path: Path
) -> None:
    page = signed_in
    page.goto(f"{server.url}/api/")
    page.wait_for_selector(".opblock-tag")
    own = "#operations-Tokens-get_tokens"
    page.click("#operations-tag-Tokens")
    page.click(f"{own} .opblock-summary-control")
    page.click(f"{own} .try-out__btn")
    page.click(f"{own} .execute")
    page.wait_for_text(f"{own} .live-responses-table tbody .response-col_status", "200")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.screenshot(path=str(tmp_path / f"{scheme}.png"), full_page=True)
    assert violations(page, "#tryout") == [], "of ours; what the library makes is its own"
    assert page.errors == [], "what the policy forbids was tried"
