"""An admin changes the site on the pages, and the PBX and the controller follow; and goes back."""

import time
from collections.abc import Callable
from typing import Any

import pytest
import requests

from contactcentre.domain.agents import AgentState, Verb
from contactcentre.web import tokens
from tests.system.centre import Centre
from tests.waiting import eventually

pytestmark = pytest.mark.slow

Ask = Callable[..., Any]
GINA = {"full_name": "Gina Rossi", "number": "107", "skills": {"lang_en": 90, "technical": 90}}


@pytest.fixture
def site(centre: Centre) -> Ask:
    """`site("POST", "/plans", body)` asks the API about the site, as an administrator."""
    ada = centre.store.user_named("ada") or centre.store.add_user("ada", "nobody signs in so", "admin")
    _, token = tokens.issue(centre.store, ada, "the site", ["site.change"], 1, "test", time.time())

    def ask(method: str, path: str, body: object = None, version: int | None = None) -> Any:
        headers = {"Authorization": f"Bearer {token}"} | ({} if version is None else {"If-Match": f'"{version}"'})
        answer = requests.request(method, f"{centre.url}/api/v1/site{path}", json=body, headers=headers, timeout=300)
        assert answer.ok, answer.text
        return answer.json()

    return ask


def test_an_agent_who_is_added_on_the_pages_gets_calls_and_the_way_back_takes_the_account_away(
    centre: Centre, site: Ask
) -> None:
    before = site("GET", "")["version"]
    plan = site("POST", "/plans", {"part": "agents", "name": "gina", "value": GINA, "new": True})
    assert "gina" in plan["plan"]["diff"], plan
    assert "gina" not in site("GET", "")["site"]["agents"], "a plan changes nothing"
    done = site("POST", f"/plans/{plan['id']}/apply", {"comment": "she begins today"}, plan["version"])
    assert done["checked"] > 0, "the PBX itself was asked"
    secret = centre.store.secret("agent/gina")
    assert secret
    with centre.lab.phone("gina", secret, ring=0.1) as phone:
        eventually(
            lambda: centre.ask_json("agent", "status", "gina")["phone"] == "free", "the controller sees the phone"
        )
        centre.live.change("gina", Verb.LOGIN, time.time())
        call = centre.support(talk=None)
        call.until("person", 60)
        centre.until_agent("gina", AgentState.TALKING)
        call.hang_up()
        call.wait(60)
        assert phone.wait_calls(1)[0].answered
        centre.until_agent("gina", AgentState.AVAILABLE)
        centre.live.change("gina", Verb.LOGOUT, time.time())
    back = site("POST", "/plans", {"back_to": before})
    site("POST", f"/plans/{back['id']}/apply", {}, back["version"])
    assert "gina" not in site("GET", "")["site"]["agents"]
    versions = [one["by"] for one in site("GET", "/versions")["versions"]]
    assert versions[:2] == ["ada", "ada"]
    again = site("POST", "/plans", {"back_to": before})["plan"]
    assert again["empty"], "the PBX is as it was"
