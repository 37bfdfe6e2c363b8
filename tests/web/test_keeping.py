"""Legal holds and erasure over the API."""

from typing import Any

from flask.testing import FlaskClient

from contactcentre.settings import Settings
from contactcentre.store import Store
from tests.store.calls import Call
from tests.web.conftest import SignIn, csrf
from tests.web.test_contacts import recorded, stored

__all__ = ["recorded", "stored"]


def ask(browser: FlaskClient, verb: str, **wish: Any) -> tuple[int, dict[str, Any]]:
    headers = {"X-CSRFToken": csrf(browser, "/me")}
    answer = browser.post(f"/api/v1/recordings/{verb}", json={"reason": "case 4", **wish}, headers=headers)
    return answer.status_code, answer.get_json()


def test_a_legal_hold_wins_over_a_request_and_all_of_it_is_audited(
    store: Store, sign_in: SignIn, settings: Settings, recorded: Call
) -> None:
    browser, path = sign_in("admin"), settings.recordings_dir / "2026" / "rec-1.wav"
    assert ask(browser, "hold", what=recorded.id)[1]["done"] == 1
    status, refusal = ask(browser, "erase", what=recorded.id, confirm=True)
    assert (status, "on legal hold: rec-1" in refusal["detail"]) == (409, True)
    assert path.exists()
    assert ask(browser, "release", what="rec-1")[1]["done"] == 1
    status, shown = ask(browser, "erase", caller="+33142")
    assert (status, shown["done"]) == (200, 0), "without confirm it only says what it is about"
    assert {one["recording"] for one in shown["recordings"]} <= {"rec-1"}
    assert path.exists()
    status, done = ask(browser, "erase", what=recorded.id, confirm=True)
    assert (status, done["done"], done["recordings"][0]["contact"]) == (200, 1, recorded.id)
    assert not path.exists()
    assert store.recording("rec-1")[1].state == "deleted"
    entries = [entry for entry in store.audit_entries(subject="rec-1") if entry.action != "recording.listen"]
    assert [entry.action for entry in entries] == ["recording.delete", "recording.release", "recording.hold"]
    assert {entry.actor for entry in entries} == {"a-admin"}
    assert all(entry.address for entry in entries)


def test_what_is_asked_for_must_be_clear(sign_in: SignIn, recorded: Call) -> None:
    browser = sign_in("admin")
    assert ask(browser, "erase")[0] == 422
    assert ask(browser, "hold", caller="+33142")[0] == 422
    assert ask(browser, "erase", what="rec-1", caller="+33142")[0] == 422
    assert ask(browser, "hold", what="nothing")[0] == 404
    assert ask(browser, "burn", what="rec-1")[0] == 404
    assert ask(browser, "hold", what="rec-1", reason="")[0] == 422
    assert ask(sign_in("supervisor"), "erase", what="rec-1", confirm=True)[0] == 403
