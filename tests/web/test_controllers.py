"""Which controllers drive the calls, as the API says it."""

import json
import time

from contactcentre.live import Live
from contactcentre.live.standbys import Standby, say_standing_by
from tests.web.conftest import SignIn

SIGNS = {"node": "node1", "id": "aaaa", "host": "pbx1", "active": 100.0, "at": 1.0, "linked": True, "contacts": 7}


def test_the_active_one_of_each_node_comes_before_those_that_stand_by(sign_in: SignIn, live: Live) -> None:
    browser = sign_in("supervisor")
    before = browser.get("/api/v1/controllers").get_json()
    assert before["controllers"] == []
    live.redis.set("cc:node:node1", json.dumps(SIGNS))
    live.redis.set("cc:node:node2", json.dumps({**SIGNS, "node": "node2", "id": "cccc", "linked": False}))
    say_standing_by(live.redis, Standby("node1", "bbbb", 2, "pbx2", time.time() - 60, ready=True))
    said = browser.get("/api/v1/controllers").get_json()["controllers"]
    assert [(one["node"], one["role"], one["id"], one["host"], one["ready"], one["contacts"]) for one in said] == [
        ("node1", "active", "aaaa", "pbx1", True, 7),
        ("node1", "standby", "bbbb", "pbx2", True, 0),
        ("node2", "active", "cccc", "pbx1", False, 7),
    ]
    assert said[0]["since"] == 100.0
