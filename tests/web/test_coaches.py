"""Mentors, assigned over the API."""

from typing import Any

from flask.testing import FlaskClient

from contactcentre.domain.coaching import Coaching
from contactcentre.live.coaches import Coaches
from contactcentre.store import Store
from contactcentre.web.app import WebServices
from tests.web.conftest import SignIn, csrf


def assign(browser: FlaskClient, **body: Any) -> tuple[int, dict[str, Any]]:
    answer = browser.post("/api/v1/coaches", json=body, headers={"X-CSRFToken": csrf(browser, "/me")})
    return answer.status_code, answer.get_json()


def test_a_mentor_is_assigned_told_of_and_taken_back(sign_in: SignIn, web: WebServices, store: Store) -> None:
    browser = sign_in("supervisor")
    status, told = assign(browser, agent="anna", mentor="ben", mode="listen", tell=True)
    expected = {"agent": "anna", "mentor": "ben", "mode": "listen", "tell": True, "standing": False}
    assert (status, told["coaches"]) == (200, [expected])
    assert browser.get("/api/v1/coaches").get_json() == told
    assert Coaches(web.live.redis).all() == {"anna": Coaching("ben", "listen", tell=True)}
    assert assign(browser, agent="anna")[1]["coaches"] == []
    assert Coaches(web.live.redis).all() == {}, "nothing is left that would go before the site"
    entries = store.audit_entries(subject="agent anna", action="agent.coach", limit=2)
    told_of = [(entry.actor, entry.detail["mentor"]) for entry in entries]
    assert told_of == [("a-supervisor", ""), ("a-supervisor", "ben")]


def test_people_who_are_not_there_and_oneself_are_refused(sign_in: SignIn, web: WebServices) -> None:
    browser = sign_in("admin")
    for body, said in (
        ({"agent": "nobody", "mentor": "ben"}, "agent: the site has no agent"),
        ({"agent": "anna", "mentor": "nobody"}, "mentor: the site has no agent"),
        ({"agent": "anna", "mentor": "anna"}, "mentor: nobody is their own mentor"),
    ):
        status, problem = assign(browser, **body)
        assert (status, problem["code"]) == (422, "bad_value")
        assert problem["detail"].startswith(said)
    assert assign(browser, agent="anna", mentor="ben", mode="barge")[1]["code"] == "bad_value"
    assert Coaches(web.live.redis).all() == {}
