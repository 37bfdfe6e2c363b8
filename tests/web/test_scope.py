"""Accounts that are limited to queues: every route, by every role, with what is theirs and what is not."""

import itertools
import time
import wave
from dataclasses import dataclass
from typing import Any

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient

from contactcentre.domain.agents import Verb
from contactcentre.domain.coaching import Coaching
from contactcentre.domain.events import Event, Kind
from contactcentre.domain.ids import uuid7
from contactcentre.domain.voicemail import Step
from contactcentre.live import ContactNow, Live, calls, listens
from contactcentre.live.coaches import Coaches
from contactcentre.settings import Settings
from contactcentre.store import Store
from contactcentre.web.app import WebServices
from contactcentre.web.permissions import Role
from tests.controller.people import comes, talks
from tests.controller.world import World
from tests.store.calls import Call
from tests.store.test_boxes import left
from tests.waiting import eventually
from tests.web.conftest import SignIn
from tests.web.populate import talk
from tests.web.test_listens import phone
from tests.web.test_permissions import ADMINS, TABLE

QUEUES = ("support", "billing")
AGENTS = {"support": "anna", "billing": "dev"}
"""Who talks. Of the sample: anna answers support alone, dev (and ben) both."""
EVERYBODY, BILLING = ("anna", "ben", "chloe", "dev", "elif", "farid"), ("ben", "dev", "elif")
CALLERS = {"support": "+33611111111", "billing": "+33622222222", "": "+33633333333"}


@dataclass(frozen=True)
class Part:
    """What belongs to one queue, or (queue "") to none."""

    queue: str
    contact: str
    recording: str
    message: str
    live: str

    @property
    def marks(self) -> tuple[str, ...]:
        """By which it is known in whatever shows it."""
        return (self.contact, self.recording, self.message, self.live, CALLERS[self.queue])


@pytest.fixture
def parts(
    app: APIFlask, web: WebServices, store: Store, live: Live, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> dict[str, Part]:
    """A contact that ended, with a recording, a message and a call that goes on, of each queue and of none."""
    app.config["WTF_CSRF_ENABLED"] = False  # of interest here is who may, not from where
    for module in (calls, listens):
        monkeypatch.setattr(module, "ANSWER_SECONDS", 0.05)  # no controller runs: who is let through gets no answer
    made = {queue: _part(queue, store, live, settings, time.time()) for queue in (*QUEUES, "")}
    web.fanout.start()
    eventually(lambda: web.fanout.ready)
    return made


def _part(queue: str, store: Store, live: Live, settings: Settings, now: float) -> Part:
    recording, message, caller = f"rec-{queue or 'none'}", f"message-{queue or 'none'}", CALLERS[queue]
    call = Call(now - 300, caller=caller)
    if queue:
        call.queued(0, queue).offered(0, queue=queue)
    call.add(1, Kind.RECORDING_STARTED, recording=recording, agent="ben", queue=queue)
    ended = {"recording": recording, "agent": "ben", "queue": queue, "files": {"left": f"{recording}-left"}}
    call.add(4, Kind.RECORDING_ENDED, offsets={"left": 0.0}, **ended).ended(4)
    stored = {"recording": recording, "path": f"{recording}.wav", "seconds": 0.1, "sha256": "0" * 64, "bytes": 1644}
    store.record([*call.events, Event(call.id, 0, now, Kind.RECORDING_STORED, {**stored, "channels": 1})])
    for name in (recording, message):
        with wave.open(str(settings.recordings_dir / f"{name}.wav"), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(8000)
            file.writeframes(b"\0\0" * 800)
    left(store, message, now - 200, box=queue or "ben", path=f"{message}.wav", caller=caller)
    agent, at = AGENTS.get(queue, "ben"), now - 20
    live.change(agent, Verb.LOGIN, at - 3600)
    if queue:
        return Part(queue, call.id, recording, message, talk(live, agent, queue, at, caller, ""))
    direct = ContactNow(uuid7(at), "node1", "talking", at, at, "main", agent=agent, caller=caller)
    live.put_contact(direct)
    return Part(queue, call.id, recording, message, direct.contact_id)


ONE: dict[tuple[str, str], str] = {
    ("GET", "/contacts/<id>"): "contact",
    ("GET", "/contacts/<id>/now"): "contact",
    ("GET", "/api/v1/contacts/<id>"): "contact",
    ("GET", "/api/v1/contacts/<id>/result"): "contact",
    ("PUT", "/api/v1/contacts/<id>/result"): "contact",
    ("POST", "/contacts/<id>/result"): "contact",
    ("GET", "/api/v1/contacts/<id>/why"): "contact",
    ("GET", "/api/v1/recordings/<id>/audio"): "recording",
    ("GET", "/api/v1/recordings/<id>/picture"): "recording",
    ("POST", "/api/v1/recordings/<id>/notes"): "recording",
    ("GET", "/api/v1/voicemail/<id>/audio"): "message",
    ("POST", "/voicemail/<id>/<step>"): "message",
    ("POST", "/api/v1/voicemail/<id>/<step>"): "message",
    ("POST", "/api/v1/calls/<id>/<verb>"): "live",
    ("POST", "/api/v1/listens"): "live",
}
"""Routes to one thing of a queue."""

MANY = {
    "/contacts": "contact",
    "/api/v1/contacts": "contact",
    "/voicemail": "message",
    "/api/v1/voicemail": "message",
    "/api/v1/snapshot": "live",
    "/api/v1/calls": "live",
    "/api/v1/live": "live",
    "/api/v1/wallboard": "",
    "/api/v1/wallboard/live": "",
    "/api/v1/queues": "",
    "/api/v1/agents": "",
}
"""Routes that list things of queues, and what of each part they name."""

LED = "/api/v1/agents/<name>/<verb>"
AGENTS_OF = {"/agents/<name>", "/api/v1/agents/<name>/why", "/api/v1/agents/<name>/skills", LED, "/api/v1/coaches"}
"""Routes to one agent."""

ELSEWHERE = {
    *("/api/v1/listens/<id>/<verb>", "/audit", "/api/v1/recordings/<verb>"),
    "/api/v1/controllers",  # names no queue, and nothing of any
    *("/", "/me", "/me/password", "/me/language", "/logout", "/api/", "/api/v1/openapi.json"),
    *("/me/tokens", "/me/tokens/<id>/revoke", "/api/v1/tokens", "/api/v1/tokens/<id>"),
    *(path for path in TABLE if path.removeprefix("/api/v1").startswith(("/me/second-factor", "/me/sessions"))),
    *("/agent", "/api/v1/me", "/api/v1/me/live", "/api/v1/me/colleagues", "/api/v1/me/phone", "/api/v1/me/<step>"),
    *("/api/v1/me/call/<verb>", "/api/v1/me/today", "/api/v1/me/contacts", "/api/v1/me/contacts/<id>"),
    *(f"{api}/customers{more}" for api in ("", "/api/v1") for more in ("", "/<id>")),  # test_customers
    *(f"{api}/customers/<id>/{verb}" for api in ("", "/api/v1") for verb in ("merge", "export", "erase")),
    *("/wallboard", "/charts", "/api/v1/queues/<name>/day"),  # test_days
    *("/api/v1/notices", "/api/v1/notices/<id>/read", "/api/v1/me/notices", "/api/v1/me/notices/<id>/read"),
    *("/api/v1/customers/<id>/contacts", "/api/v1/me/contacts/<id>/customer"),
    *(path for path in TABLE if path.startswith(ADMINS)),
    *(path for path in TABLE if "/webhooks" in path),
    *(path for path in TABLE if path.startswith("/api/v1/alerts")),  # test_alerts
    "/api/v1/events",  # test_events
    *("/api/v1/me/callbacks", "/api/v1/me/callbacks/<id>", "/api/v1/dispositions"),
    *("/api/v1/me/calls", "/api/v1/me/calls/<id>", "/api/v1/me/callbacks/<id>/call"),
    "/api/v1/voicemail/<id>/call_back",  # test_calling
}
"""With a test of its own below, closed to who is limited (test_permissions), with nothing of any queue, or of one's own
work, which no limit takes away."""

SCOPES = [(), ("support",), ("billing",), QUEUES, ("gone",)]


def test_every_route_is_in_one_of_the_tables() -> None:
    assert {path for _, path in ONE} | set(MANY) | AGENTS_OF | ELSEWHERE == set(TABLE)


def limited(store: Store, sign_in: SignIn, role: str, queues: tuple[str, ...]) -> FlaskClient:
    browser = sign_in(role)
    store.change_user(f"a-{role}", queues=queues)
    return browser


def visible(queue: str, queues: tuple[str, ...]) -> bool:
    return not queues or queue in queues


@pytest.mark.parametrize("role", list(Role))
def test_one_thing_is_there_for_whom_its_queue_is(
    role: str, parts: dict[str, Part], store: Store, sign_in: SignIn
) -> None:
    browser = sign_in(role)
    for queues, ((method, path), kind) in itertools.product(SCOPES, ONE.items()):
        store.change_user(f"a-{role}", queues=queues, agent="ben" if role == "agent" else "")
        if role not in TABLE[path]:
            continue  # refused, by test_permissions
        for queue, part in parts.items():
            seen = visible(queue, queues)
            if kind == "message" and role == "agent":
                seen |= not queue  # ben's own box
            if kind == "message" and not queue and role != "agent":
                seen = not queues or set(queues) == set(QUEUES)  # ben's box, who answers both
            with _ask(browser, method, path, kind, part) as answer:
                assert answer.status_code in ((200, 303, 504) if seen else (404,)), (queues, path, queue)
                told = "" if seen else answer.text.replace(getattr(part, kind), "")  # which was asked for
            assert not any(mark in told for mark in part.marks), (queues, path, told)
            if not seen:
                continue
            if method == "POST" and kind == "message":
                by = "ben" if role == "agent" else f"a-{role}"
                store.take_step(part.message, Step.RELEASE, by, time.time())


def _ask(browser: FlaskClient, method: str, path: str, kind: str, part: Part) -> Any:
    thing = getattr(part, kind)
    there = path.replace("<id>", thing).replace("<step>", "claim").replace("<verb>", "hold")
    body = {"contact": thing, "phone": "ben"} if path == "/api/v1/listens" else {}
    body = {"second": 0, "text": "x"} if path.endswith("/notes") else body
    return browser.open(there, method=method, json=body if path.startswith("/api") and method != "GET" else None)


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.AGENT])  # of whom the test before tells
def test_a_list_names_what_is_in_the_accounts_queues_and_not_a_word_of_the_rest(
    role: str, parts: dict[str, Part], store: Store, sign_in: SignIn
) -> None:
    browser = sign_in(role)
    for queues, (path, kind) in itertools.product(SCOPES, MANY.items()):
        store.change_user(f"a-{role}", queues=queues)
        if role not in TABLE[path]:
            continue
        for asked in (path, *((f"{path}?queue=support", f"{path}?queue=billing") if kind == "contact" else ())):
            text = _text(browser, asked)
            for queue, part in parts.items():
                if visible(queue, queues):
                    named = not kind or (kind == "message" and not queue) or asked.partition("=")[2] not in ("", queue)
                    assert named or getattr(part, kind) in text, (asked, queue, text)
                elif not (kind == "message" and not queue):  # ben's own box
                    assert not any(mark in text for mark in part.marks), (asked, queue, text)
        rows = browser.get(path).get_json()[kind_of(path)] if path.endswith(("/queues", "/agents")) else []
        names = {row["name"] for row in rows}
        if path.endswith("/queues"):
            assert names == {queue for queue in QUEUES if visible(queue, queues)}
        if path.endswith("/agents"):
            assert names == {*(() if queues == ("gone",) else EVERYBODY if queues != ("billing",) else BILLING)}
            for row in rows:
                assert visible(row["queue"], queues) or row["contact_id"] == row["caller_text"] == row["queue"] == ""


def kind_of(path: str) -> str:
    return path.rpartition("/")[2]


def _text(browser: FlaskClient, path: str) -> str:
    """The answer; of the stream, its first frames."""
    if not path.endswith("/live"):
        return browser.get(path).text
    with browser.get(path, buffered=False) as answer:
        frames = iter(answer.response)
        return "".join(part.decode() if isinstance(part, bytes) else part for part in (next(frames), next(frames)))


def test_an_agent_is_explained_and_given_a_mentor_by_who_sees_all_of_its_queues(
    parts: dict[str, Part], store: Store, live: Live, sign_in: SignIn
) -> None:
    browser = sign_in("supervisor")
    for queues, path in itertools.product(SCOPES, AGENTS_OF):
        store.change_user("a-supervisor", queues=queues)
        _explained(browser, queues, path, live)


def _explained(browser: FlaskClient, queues: tuple[str, ...], path: str, live: Live) -> None:
    both = not queues or set(queues) == set(QUEUES)
    expected = {
        "anna": 200 if both or queues == ("support",) else 404,  # answers support alone
        "dev": 200 if both else 404 if queues == ("gone",) else 403,  # answers both
        "nobody": 404,
    }
    for name, status in expected.items():
        if path == LED:
            answer = browser.post(path.replace("<name>", name).replace("<verb>", "pause"), json={})
            assert answer.status_code == status, (queues, name)
            assert live.agent(name).then == ("pause:break" if status == 200 else ""), (queues, name)
            if status == 200:
                browser.post(path.replace("<name>", name).replace("<verb>", "ready"), json={})
        elif path != "/api/v1/coaches":
            assert browser.get(path.replace("<name>", name)).status_code == status, name
        elif name != "nobody":
            answer = browser.post(path, json={"agent": name, "mentor": "ben"})
            assert (queues, name, answer.status_code) == (queues, name, status)
            assert (name in Coaches(live.redis).all()) is (status == 200)
            browser.post(path, json={"agent": name})


def test_the_list_of_mentors_names_agents_of_the_accounts_queues(
    parts: dict[str, Part], store: Store, live: Live, sign_in: SignIn
) -> None:
    for name in ("anna", "dev"):
        Coaches(live.redis).assign(name, Coaching("ben"), Coaching(""))
    for queues, names in (((), ["anna", "dev"]), (("billing",), ["dev"]), (("gone",), [])):
        browser = limited(store, sign_in, "supervisor", queues)
        assert [one["agent"] for one in browser.get("/api/v1/coaches").get_json()["coaches"]] == names


def test_what_is_listened_to_is_a_contact_of_the_accounts_queues_or_an_agent_of_no_other(
    parts: dict[str, Part], store: Store, sign_in: SignIn
) -> None:
    asked: list[tuple[dict[str, Any], int]] = [
        ({"agent": "anna", "follow": True}, 504),  # anna answers support alone
        ({"agent": "anna"}, 504),
        ({"agent": "dev"}, 404),  # whose call is of billing
        ({"agent": "dev", "follow": True}, 403),  # whose next one may be
        ({"contact": parts["support"].live, "follow": True}, 504),
        ({"contact": parts[""].live}, 404),
        ({"endpoint": "anna"}, 422),
        ({"channel": "PJSIP/anna-1"}, 422),
    ]
    browser = limited(store, sign_in, "supervisor", ("support",))
    for body, status in asked:
        answer = browser.post("/api/v1/listens", json={**body, "phone": "ben"})
        expected = 404 if status == 504 and "agent" in body and "follow" not in body else status
        assert answer.status_code in (status, expected), (body, answer.text)
        entry = store.audit_entries(actor="a-supervisor", action="call.listen", limit=1)[0]
        assert entry.subject == next(iter(body.values()))
        assert entry.detail["outcome"]


def test_who_is_limited_to_another_queue_neither_sees_nor_changes_who_listens(
    world: World, app: APIFlask, web: WebServices, store: Store, sign_in: SignIn
) -> None:
    app.config["WTF_CSRF_ENABLED"] = False
    caller, leg = talks(world)  # in queue one
    contact, other = comes(world, caller, Kind.ARRIVED).contact_id, "bert" if leg.endpoint == "anna" else "anna"
    told = sign_in("admin").post("/api/v1/listens", json={"contact": contact, "phone": other}).get_json()
    world.pbx.answer(phone(world, other))
    comes(world, caller, Kind.SUPERVISED)
    stop = f"/api/v1/listens/{told['id']}/stop"
    stranger = limited(store, sign_in, "supervisor", ("two",))
    assert stranger.get("/api/v1/listens").get_json()["listens"] == []
    assert stranger.post(stop, json={}).status_code == 404
    assert stranger.post(f"/api/v1/calls/{contact}/hold", json={}).status_code == 404
    mine = limited(store, sign_in, "supervisor", ("one",))
    assert [one["id"] for one in mine.get("/api/v1/listens").get_json()["listens"]] == [told["id"]]
    assert mine.post(f"/api/v1/calls/{contact}/hold", json={}).get_json()["state"] == "held"
    assert mine.post(stop, json={}).status_code == 200
    world.peace()
    world.check()


def test_ones_own_page_says_to_which_queues_the_account_is_limited(store: Store, sign_in: SignIn) -> None:
    text = limited(store, sign_in, "auditor", ("support", "billing")).get("/me").text
    assert "Only of the queues billing, support." in text
    assert "the audit log" not in text
    assert "the audit log" in limited(store, sign_in, "auditor", ()).get("/me").text
