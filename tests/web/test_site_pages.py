"""The site's pages: forms made of the model, plans, versions, a YAML editor."""

import re
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from contactcentre.domain.site import Queue, Site
from contactcentre.provision import change
from contactcentre.store import Store
from contactcentre.web import forms
from tests.web.conftest import SignIn, post
from tests.web.sample import site


@pytest.fixture
def admin(etc: Path, sign_in: SignIn) -> FlaskClient:
    return sign_in("admin")


def sent(part: str, thing: Any, whole: Site) -> dict[str, str]:
    """What a browser would send of the form of a thing."""
    made = {one.name: one.value for one in forms.entries(part, thing, whole)}
    return {name: value for name, value in made.items() if value != "no" or name not in CHECKS}


CHECKS = {name for name, info in Queue.model_fields.items() if forms.kind_of(info.annotation) == "check"}


def test_a_form_that_nobody_touches_says_what_the_thing_is() -> None:
    whole = Site.model_validate(
        {
            **site().model_dump(mode="json"),
            "trunks": {"carrier": {"host": "192.0.2.1", "match": ["192.0.2.0/24", "198.51.100.7"], "transport": "tls"}},
            "hours": {
                "office": {
                    "periods": [{"days": "mon-fri", "open": "08:00", "close": "18:00"}],
                    "open": {"2026-12-24": ["09:00", "12:00"]},
                    "closed": ["2026-12-31"],
                }
            },
            "music": {"calm": {"directory": "/srv/music"}},
            "settings": {"record_announce": "told", "customer_fields": {"account": "Account number"}},
            "freeswitch": {"conference_rate": 16000, "event_socket": {"allow": ["10.0.0.5"]}},
        }
    )
    queue = whole.queues["support"].model_copy(
        update={"record_announce": "", "record_announce_all": False, "keys": {"1": "callback"}, "record": False}
    )
    agent = whole.agents["anna"].model_copy(update={"confirm": "", "line": "persistent"})
    things = [("queues", queue), ("agents", agent), ("skills", "French")]
    things += [(part, one) for part in change.KINDS if part != "flows" for one in getattr(whole, part).values()]
    things += [(part, getattr(whole, part)) for part in change.WHOLE]
    for part, thing in things:
        value, wrong = forms.value_of(part, sent(part, thing, whole))
        model = forms.model_of(part)
        assert wrong == []
        assert (model.model_validate(value) if model else value) == thing, part


def test_every_field_of_the_site_has_a_form_or_is_a_flow_and_says_what_it_is() -> None:
    assert {*change.KINDS, *change.WHOLE, "pbx"} == set(Site.model_fields)
    for part in ("queues", "agents", "trunks", "dids", "hours"):
        bare = [one.name for one in forms.entries(part, None, Site()) if not one.hint]
        assert bare == [], part


def test_what_is_typed_becomes_a_plan_that_shows_the_change(admin: FlaskClient) -> None:
    page = admin.get("/admin/site/queues/support").text
    assert 'value="lang_fr or lang_en"' in unescape(page)
    assert "Skills its contacts need" in page
    fields = sent("queues", site().queues["support"], site()) | {"wrap_up": "45", "record": ""}
    answer = post(admin, "/me", "/admin/site/queues/support", **fields)
    assert answer.status_code == 303, answer.text
    plan = admin.get(answer.location).text
    assert '<span class="add">+    record: false' in plan
    assert '<span class="add">+    wrap_up: 45.0' in plan
    assert "Apply" in plan
    # the PBX does not run, so it cannot be applied, and the page says so
    refused = post(admin, answer.location, answer.location, comment="longer notes")
    assert refused.status_code == 502
    assert "does not answer" in refused.text


def test_a_wrong_value_is_told_beside_its_field_and_what_was_typed_stays(admin: FlaskClient) -> None:
    fields = sent("queues", site().queues["support"], site())
    fields |= {"wrap_up": "soon", "requires": "chess", "keys": "1: callback\n2: nowhere\n", "groups": "gold: [1"}
    answer = post(admin, "/me", "/admin/site/queues/support", **fields)
    assert answer.status_code == 422
    assert "line 1: not YAML" in answer.text
    fields["groups"] = "gold: 20"
    answer = post(admin, "/me", "/admin/site/queues/support", **fields)
    assert answer.status_code == 422
    told = {name: unescape(text) for name, text in re.findall(r'id="f-(\w+)-problem">([^<]+)<', answer.text)}
    assert set(told) == {"wrap_up", "requires", "keys"}
    assert "chess" in told["requires"]
    assert 'name="wrap_up" value="soon"' in answer.text
    assert "2: nowhere" in answer.text


def test_a_new_agent_is_added_and_a_name_that_is_there_is_refused(admin: FlaskClient) -> None:
    assert "needed" in admin.get("/admin/new/agents").text
    answer = post(admin, "/me", "/admin/new/agents", name="gil", full_name="Gil Evans", skills="lang_en: 70\n")
    assert answer.status_code == 303, answer.text
    plan = admin.get(answer.location).text
    assert "+    full_name: Gil Evans" in plan
    assert "+      lang_en: 70" in plan
    again = post(admin, "/me", "/admin/new/agents", name="anna", full_name="Another")
    assert again.status_code == 422
    assert "is there already" in again.text
    assert 'value="Another"' in again.text
    assert post(admin, "/me", "/admin/new/agents", full_name="Nobody").status_code == 422


def test_somebody_else_who_was_faster_is_not_overwritten(admin: FlaskClient, store: Store) -> None:
    version, known = store.site()
    assert known
    store.save_site(known, "cli:somebody", "meanwhile")
    fields = sent("queues", site().queues["support"], site()) | {"version": str(version), "wrap_up": "45"}
    answer = post(admin, "/me", "/admin/site/queues/support", **fields)
    assert answer.status_code == 412
    assert f"The site is at version {version + 1} now" in answer.text
    assert 'name="wrap_up" value="45"' in answer.text


def test_history_shows_versions_their_changes_and_the_way_back(admin: FlaskClient, store: Store) -> None:
    version, known = store.site()
    assert known
    changed = change.replaced(known, "skill", "chess", "Openings")
    store.save_site(changed, "cli:somebody", "a new <skill>")
    page = admin.get("/admin/history").text
    assert "a new &lt;skill&gt;" in page
    assert "+  chess: Openings" in admin.get(f"/admin/diff?old={version}&new={version + 1}").text
    answer = post(admin, "/admin/history", "/admin/history", version=str(version))
    assert answer.status_code == 303
    assert "-  chess: Openings" in admin.get(answer.location).text


def test_what_is_used_says_by_whom_and_cannot_be_removed(admin: FlaskClient) -> None:
    page = admin.get("/admin/site/skills/billing").text
    assert "queues.billing.requires" in page
    assert "Remove" not in page
    refused = post(admin, "/me", "/admin/site/skills/billing/remove")
    assert refused.status_code == 409
    assert "it is used by" in refused.text
    answer = post(admin, "/me", "/admin/site/agents/farid/remove")
    assert answer.status_code == 303
    assert "-  farid:" in admin.get(answer.location).text


def test_a_password_is_kept_and_never_shown(admin: FlaskClient, store: Store) -> None:
    answer = post(admin, "/me", "/admin/secrets", name="agent/anna", part="agents", value="correct-horse-battery")
    assert answer.status_code == 303
    assert store.secret("agent/anna") == "correct-horse-battery"
    page = admin.get(answer.location).text
    assert "The password is kept" in page
    assert "horse" not in page


def test_every_page_of_the_site_opens(admin: FlaskClient) -> None:
    paths = ["/admin", "/admin/yaml", "/admin/yaml?part=queues&name=support", "/admin/history"]
    paths += [f"/admin/site/{part}" for part in (*change.KINDS, *change.WHOLE)]
    paths += [f"/admin/new/{part}" for part in change.KINDS if part != "flows"]
    for path in paths:
        answer = admin.get(path)
        assert answer.status_code == 200, path
        assert "<style" not in answer.text
        assert " style=" not in answer.text
