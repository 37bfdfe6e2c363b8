"""The site through the API: read, checked, planned, applied on a real Asterisk, compared and rolled back."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from redis import Redis

from contactcentre.domain.agents import Verb
from contactcentre.lab import Lab, can_have_asterisk
from contactcentre.live import Live
from contactcentre.settings import Settings
from contactcentre.store import Store
from contactcentre.web.app import WebServices, create_app
from tests.provision.sites import document
from tests.web.conftest import PASSWORD, SignIn, csrf, post

API = "/api/v1/site"


class Admin:
    """A signed-in browser that sends JSON as our pages do."""

    def __init__(self, browser: FlaskClient) -> None:
        self._browser = browser
        self._token = csrf(browser, "/me")

    def get(self, path: str, status: int = 200) -> Any:
        answer = self._browser.get(f"{API}{path}")
        assert answer.status_code == status, answer.text
        return answer.get_json()

    def send(self, method: str, path: str, body: Any, status: int, version: int | None = None) -> Any:
        headers = {"X-CSRFToken": self._token} | ({} if version is None else {"If-Match": f'"{version}"'})
        answer = self._browser.open(f"{API}{path}", method=method, json=body, headers=headers)
        assert answer.status_code == status, answer.text
        return answer.get_json() if answer.text else None

    def plan(self, status: int = 201, **wish: Any) -> Any:
        return self.send("POST", "/plans", wish, status)

    def apply(self, plan: Any, status: int = 200, comment: str = "", version: int | None = None) -> Any:
        there = f"/plans/{plan['id']}/apply"
        return self.send("POST", there, {"comment": comment}, status, version or plan["version"])


@pytest.fixture
def admin(sign_in: SignIn) -> Admin:
    return Admin(sign_in("admin"))


@pytest.fixture
def pbx(settings: Settings) -> Iterator[Lab]:
    """The state directory's own Asterisk, on which nothing is provisioned."""
    if reason := can_have_asterisk():
        pytest.skip(reason)
    lab = Lab(settings.state_dir / "lab")
    lab.start(until_parent_dies=True)
    yield lab
    lab.stop()


def test_a_change_is_planned_applied_compared_and_rolled_back_on_the_pbx(
    pbx: Lab, admin: Admin, store: Store, live: Live
) -> None:
    first = admin.get("")["version"]
    planned = admin.plan(site=document())
    assert planned["version"] == first
    assert "+exten = 101,1,Dial(PJSIP/alice,30)" in planned["plan"]["diff"]
    assert "Unable to find object alice" in pbx.rx("pjsip show endpoint alice")
    secret_parts = [line for line in planned["plan"]["diff"].splitlines() if "password" in line]
    assert secret_parts
    assert all(line.endswith("******** (new)") for line in secret_parts), secret_parts
    done = admin.apply(planned, comment="the first site")
    assert done["version"] == first + 1
    assert done["checked"] > 3
    assert "Endpoint:  alice" in pbx.rx("pjsip show endpoint alice")
    assert admin.get("/versions")["versions"][0] | {"at": 0} == {
        "version": first + 1,
        "at": 0,
        "by": "a-admin",
        "comment": "the first site",
    }
    assert live.snapshot().site == first + 1
    admin.apply(planned, status=404)  # once

    # one thing, as an edit form sends it; the PBX's own queue follows
    value = admin.get("/parts/queues/sales")["value"] | {"ring_seconds": 33}
    planned = admin.plan(part="queues", name="sales", value=value)
    assert (planned["action"], planned["subject"]) == ("queue.set", "queue sales")
    assert "+    ring_seconds: 33.0" in planned["plan"]["diff"]
    assert planned["plan"]["reloads"] == ["queue reload all"]
    admin.apply(planned)
    assert admin.get(f"/diff?old={first + 1}")["diff"].count("\n+    ring_seconds: 33.0\n") == 1
    entry = store.audit_entries(action="queue.set")[0]
    assert (entry.actor, entry.subject, entry.address) == ("a-admin", "queue sales", "127.0.0.1")
    assert entry.detail["version"] == first + 2

    # an agent leaves, with what was known of the state; then back to the version before
    live.change("bob", Verb.LOGIN, 1.0)
    value = admin.get("/parts/queues/sales")["value"] | {"agents": ["alice"]}
    admin.apply(admin.plan(part="queues", name="sales", value=value))
    admin.apply(admin.plan(part="agents", name="bob", remove=True))
    assert "Unable to find object bob" in pbx.rx("pjsip show endpoint bob")
    assert "bob" not in live.agents()
    back = admin.plan(back_to=first + 1)
    assert back["action"] == "site.rollback"
    admin.apply(back)
    assert "Endpoint:  bob" in pbx.rx("pjsip show endpoint bob")
    assert admin.get(f"/diff?old={first + 1}")["diff"] == ""


def test_problems_are_told_with_their_lines_and_nothing_is_planned(etc: Path, admin: Admin) -> None:
    text = "queues:\n  support:\n    requires: chess\n  billing:\n    wrap_up: soon\nspeed: 3\n"
    for path, body in (("/check", {"yaml": text}), ("/plans", {"yaml": text})):
        found = admin.send("POST", path, body, 200 if path == "/check" else 422)
        assert [(one["line"], one["where"]) for one in found["problems"]] == [
            (3, "queues.support.requires"),
            (5, "queues.billing.wrap_up"),
            (6, "speed"),
        ]
    wrong = admin.plan(422, part="queues", name="support", yaml="requires: lang_fr\n\nwrap_up: soon\n")
    assert [one["line"] for one in wrong["problems"]] == [3]
    assert wrong["code"] == "bad_site"
    assert admin.send("POST", "/check", {"yaml": "a: [1"}, 200)["problems"][0]["rule"] == "yaml"
    # a flow is no file of the server's
    told = admin.send("POST", "/check", {"yaml": "flows: {main: /etc/hostname}"}, 200)["problems"][0]
    assert (told["where"], told["rule"]) == ("flows.main", "type")


def test_what_is_in_use_stays_and_what_is_not_there_is_not_found(etc: Path, admin: Admin) -> None:
    assert admin.plan(409, part="skills", name="billing", remove=True)["code"] == "refused"
    assert admin.plan(404, part="skills", name="juggling", remove=True)["code"] == "not_found"
    assert admin.plan(404, part="circus", name="clown", value={})["code"] == "not_found"
    again = admin.plan(422, part="queues", name="support", new=True, value={})
    assert again["problems"][0]["rule"] == "duplicate"
    assert admin.get("/parts/queues/nobody", 404)
    assert "queues.billing.requires" in admin.get("/parts/skills/billing")["used_by"]


def test_two_who_change_the_site_at_once_do_not_overwrite_each_other(etc: Path, admin: Admin, store: Store) -> None:
    planned = admin.plan(part="skills", name="chess", value="Openings")
    assert "+  chess: Openings" in planned["plan"]["diff"]
    assert admin.send("POST", f"/plans/{planned['id']}/apply", {}, 428)["code"] == "match_needed"
    admin.apply(planned, status=412, version=planned["version"] + 1)
    _, site = store.site()
    assert site
    newest = store.save_site(site, "cli:somebody", "meanwhile")
    assert admin.apply(planned, status=412)["code"] == "changed"
    assert store.site()[0] == newest
    assert admin.send("POST", "/plans", {"back_to": 1}, 412, version=newest - 1)["code"] == "changed"


def test_what_is_applied_is_what_was_shown(etc: Path, admin: Admin, store: Store) -> None:
    planned = admin.plan(part="skills", name="chess", value="Openings")
    (etc / "extensions.conf").write_text("[general]\nstatic = yes\n")
    before = store.site()[0]
    assert "look at a new one" in admin.apply(planned, status=412)["detail"]
    assert store.site()[0] == before
    assert not (etc / "contactcentre" / "pjsip.conf").exists()


def test_without_a_pbx_that_answers_nothing_is_half_applied(etc: Path, admin: Admin, store: Store) -> None:
    before = store.site()[0]
    refused = admin.apply(admin.plan(part="skills", name="chess", value="Openings"), status=502)
    assert refused["code"] == "apply_failed"
    assert "does not answer" in refused["detail"]
    assert store.site()[0] == before
    assert not (etc / "contactcentre" / "pjsip.conf").exists()


def test_a_site_of_a_thousand_agents_is_taken(admin: Admin) -> None:
    agents = {f"agent{number}": {"full_name": f"Agent {number} " + "x" * 50} for number in range(1000)}
    whole = admin.get("")["site"]
    assert admin.send("POST", "/check", {"site": whole | {"agents": whole["agents"] | agents}}, 200)["problems"] == []
    admin.send("POST", "/check", {"yaml": "#" * 4_100_000}, 413)


def test_secrets_go_in_and_never_come_out(admin: Admin, store: Store) -> None:
    admin.send("PUT", "/secrets", {"name": "trunk/carrier", "value": "correct-horse-battery"}, 204)
    assert store.secret("trunk/carrier") == "correct-horse-battery"
    assert {"name": "trunk/carrier", "state": "not needed"} in admin.get("/secrets")["secrets"]
    assert store.audit_entries(action="secret.set")[0].subject == "trunk/carrier"
    for path in ("", "/secrets", "/parts/trunks"):
        assert "horse" not in json.dumps(admin.get(path))
    assert "horse" not in str(store.audit_entries())
    wrong = admin.send("PUT", "/secrets", {"name": "trunk/carrier", "value": "no;comment"}, 422)
    assert "no;comment" not in json.dumps(wrong)
    admin.send("PUT", "/secrets", {"name": "passwd", "value": "correct-horse-battery"}, 422)


def test_where_the_command_is_off_the_site_is_read_and_not_changed(web: WebServices, sign_in: SignIn) -> None:
    sign_in("admin")
    settings = web.settings.model_copy(update={"provision_command": "off"})
    browser = create_app(replace(web, settings=settings), TESTING=True).test_client()
    post(browser, "/login", "/login", name="a-admin", password=PASSWORD)
    admin = Admin(browser)
    assert admin.get("")["read_only"]
    assert admin.plan(409, back_to=1)["code"] == "site_read_only"


def test_a_plan_that_somebody_changed_in_redis_is_none(
    etc: Path, admin: Admin, web: WebServices, redis: "Redis"
) -> None:
    planned = admin.plan(part="skills", name="chess", value="Openings")
    (key,) = redis.keys("cc:web:plan:*")
    other = admin.plan(part="skills", name="chess", value="Endings")
    text = redis.get(key)
    assert text
    redis.set(key, text[:-4] + b"AAAA")
    assert admin.apply(planned, status=404)["code"] == "not_found"
    redis.set(key, redis.get(f"cc:web:plan:{other['id']}") or b"")
    assert admin.apply(planned, status=404)["code"] == "not_found"


def test_what_has_an_order_is_read_in_it_and_keeps_it_when_it_is_written_back(etc: Path, admin: Admin) -> None:
    value = admin.get("/parts/queues/support")["value"]
    assert list(value["dispositions"]) == ["solved", "passed_on", "again"]
    planned = admin.plan(part="queues", name="support", value=value | {"description": "Help"})
    changed = [line for line in planned["plan"]["diff"].splitlines() if line[:1] in "+-" and "description" not in line]
    assert [line for line in changed if "solved" in line or "passed_on" in line] == []
