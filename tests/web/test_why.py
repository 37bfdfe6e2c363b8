"""Why, over the API and on the pages: the same answer as `contactcentre why` gives."""

import json
import time
from collections.abc import Callable

import pytest
from apiflask import APIFlask
from limits import parse

from contactcentre.domain.agents import AgentState, Verb
from contactcentre.domain.events import Kind
from contactcentre.domain.ids import uuid7
from contactcentre.domain.routing import Waiting
from contactcentre.live import AgentFact, Away, Live
from contactcentre.store import Store
from contactcentre.web import why as module
from contactcentre.web.api import why as api
from contactcentre.web.app import WebServices
from contactcentre.web.pages.agents import linked
from tests.store.calls import Call, answered
from tests.web.conftest import SignIn

HOSTILE = "<script>alert(1)</script>"
S = AgentState


@pytest.fixture
def controller(web: WebServices) -> Callable[..., None]:
    """`controller(unreachable=["anna"])`: node1's lives and says so."""

    def lives(linked: bool = True, unreachable: tuple[str, ...] = ()) -> None:
        signs = {"node": "node1", "at": time.time(), "linked": linked, "unreachable": list(unreachable)}
        web.redis.set("cc:node:node1", json.dumps(signs))

    return lives


def waits(live: Live, queue: str = "support", ago: float = 35, **more: object) -> str:
    contact_id, entered = uuid7(time.time() - ago), time.time() - ago
    live.enter(Waiting(contact_id, queue, "node1", arrived=entered, entered=entered, **more))  # type: ignore[arg-type]
    return contact_id


def test_a_waiting_contact_is_explained_with_candidates_cuts_position_and_right_of_way(
    sign_in: SignIn, live: Live, store: Store, controller: Callable[..., None]
) -> None:
    controller()
    first = waits(live, "billing", 50, priority=3)
    contact = waits(live, "billing", 35, requires="lang_en", excluded=("elif",))
    for name in ("ben", "dev"):
        live.change(name, Verb.LOGIN, time.time() - 100)
    live.change("dev", Verb.PAUSE, time.time(), reason="lunch")
    answer = sign_in("supervisor").get(f"/api/v1/contacts/{contact}/why").get_json()
    now = answer["now"]
    assert (answer["contact"], answer["steps"], answer["remarks"]) == (contact, [], [])
    assert (now["queue"], now["position"], now["position_of_all"], now["step"], now["steps"]) == ("billing", 2, 2, 0, 0)
    assert (now["own_requirement"], now["excluded"], now["claim"]["score"]) == ("lang_en", ["elif"], 0)
    finding = now["finding"]
    assert (finding["agent"], finding["requirement"]) == ("", "billing and lang_en")
    by_agent = {one["agent"]: (one["code"], one["detail"]) for one in finding["cut"]}
    assert by_agent["ben"] == ("taken", first)
    assert by_agent["dev"] == ("paused", "lunch")
    assert by_agent["anna"] == ("lacks_skill", "needs billing, has none")
    right_of_way = f"Serves a contact with right of way: ben ({first[:18]}, queue billing, priority 3, arrived 5"
    assert any(line.startswith(right_of_way) for line in now["lines"])


def test_an_ended_contact_is_explained_from_its_facts_with_each_decision_as_an_object(
    sign_in: SignIn, store: Store
) -> None:
    call = answered(time.time() - 900)
    store.record(call.events)
    answer = sign_in("auditor").get(f"/api/v1/contacts/{call.id[:20]}/why").get_json()
    assert (answer["contact"], answer["now"]) == (call.id, None)
    (first, second) = [step["finding"] for step in answer["steps"] if step["finding"]]
    assert first["candidates"] == [{"agent": "alice", "score": 80, "words": "80"}]
    assert second["cut"] == [{"agent": "bob", "code": "", "rule": "lang_fr is 10, asked for 50", "detail": ""}]
    texts = [step["text"] for step in answer["steps"]]
    assert "alice did not answer after 5 s." in texts
    assert [step["at"] for step in answer["steps"]] == sorted(step["at"] for step in answer["steps"])


def test_an_agent_is_told_what_keeps_calls_away_and_who_got_them(
    sign_in: SignIn, live: Live, store: Store, controller: Callable[..., None]
) -> None:
    controller(unreachable=("ben",))
    now = time.time()
    live.change("ben", Verb.LOGIN, now - 500)
    mine, other = Call(now - 400), Call(now - 200)
    mine.queued(1).offered(2, "ben").missed(22, "ben").abandoned(60)
    other.queued(1).add(2, Kind.DECISION, queue="support", agent="anna", rule="longest-idle",
                        candidates=[["anna", 9.0]], cut=[["ben", "phone not registered or not answering"]])  # fmt: skip
    other.abandoned(60)
    store.record(
        [*mine.events, *other.events],
        [
            AgentFact("ben", 1, now - 500, S.LOGGED_OUT, S.AVAILABLE),
            AgentFact("ben", 2, now - 398, S.AVAILABLE, S.OFFERED, contact_id=mine.id, queue="support"),
            AgentFact("ben", 3, now - 378, S.OFFERED, S.AVAILABLE, contact_id=mine.id, queue="support"),
            AgentFact("anna", 1, now - 198, S.AVAILABLE, S.OFFERED, contact_id=other.id, queue="support"),
        ],
    )
    answer = sign_in("supervisor").get("/api/v1/agents/ben/why").get_json()
    assert (answer["now"]["state"], answer["now"]["reachable"], answer["remarks"]) == ("available", False, [])
    assert [queue["queue"] for queue in answer["now"]["queues"]] == ["support", "billing"]
    (offer,) = answer["shift"]["offers"]
    assert (offer["contact_id"], offer["result"], offer["rang"]) == (mine.id, "missed", 20.0)
    (others,) = answer["shift"]["others"]
    assert (others["number"], others["agent"], others["contact_id"]) == (1, "anna", other.id)
    assert others["rule"] == "phone not registered or not answering"
    page = sign_in("supervisor").get("/agents/ben").text
    for part in (
        "Ben Okafor",
        "did not answer after 20 s",
        "not registered",
        f'href="/contacts/{other.id}">to anna</a>',
    ):
        assert part in page


def test_without_a_controller_that_is_said_and_strangers_are_not_found(sign_in: SignIn, live: Live) -> None:
    browser, contact = sign_in("supervisor"), waits(live)
    assert "No controller" in browser.get("/api/v1/agents/anna/why").get_json()["remarks"][0]
    assert "no controller of node1" in browser.get(f"/api/v1/contacts/{contact}/why").get_json()["remarks"][0]
    for path in ("/api/v1/agents/zoe/why", "/api/v1/contacts/ffffffff/why", "/api/v1/contacts/!/why"):
        problem = browser.get(path)
        assert (problem.status_code, problem.content_type) == (404, "application/problem+json")
        assert problem.get_json()["code"] == "not_found"
    assert browser.get("/agents/zoe").status_code == 404


def test_the_page_of_a_waiting_contact_says_why_it_waits_and_can_look_again(
    sign_in: SignIn, live: Live, store: Store, controller: Callable[..., None]
) -> None:
    controller()
    call = Call(time.time() - 60, caller_name=HOSTILE).queued(10)
    store.record(call.events)
    live.enter(Waiting(call.id, "support", "node1", arrived=call.at, entered=call.at + 10))
    browser = sign_in("supervisor")
    page = browser.get(f"/contacts/{call.id}").text
    assert "Why it waits" in page
    assert f'<a href="/contacts/{call.id[:18]}">{call.id[:18]}</a> waits in queue support' in page
    assert "Nobody gets it now: nobody who fits is logged in." in page
    assert HOSTILE not in page
    piece = browser.get(f"/contacts/{call.id}/now").text
    assert "Why it waits" in piece
    assert "<html" not in piece
    assert browser.get("/contacts/ffffffff/now").status_code == 404


def test_a_change_of_the_queue_while_the_contact_waited_stands_in_its_timeline(
    sign_in: SignIn, live: Live, store: Store, web: WebServices
) -> None:
    _, site = store.site()
    assert site is not None
    call = Call(time.time() - 3600).queued(0)
    store.record(call.events)
    support = site.queues["support"].model_copy(update={"wrap_up": 7.0})
    store.save_site(site.model_copy(update={"queues": {**site.queues, "support": support}}), "cli:root")
    text = sign_in("supervisor").get(f"/contacts/{call.id}").text
    assert "Queue support was changed (version" in text
    assert "by cli:root" in text


def test_who_asks_within_a_second_shares_one_look(
    web: WebServices, live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = []
    made = module.Look
    monkeypatch.setattr(module, "Look", lambda *args: looks.append(args) or made(*args))
    now = [time.time()]
    whys = module.Whys(web.store, live, lambda: now[0])
    contact = waits(live)
    waiting = live.waiting()[contact]
    for _ in range(3):
        assert whys.contact(contact).now is not None
    assert len(looks) == 1
    live.leave(contact)
    now[0] += module.SHARED_SECONDS
    assert whys.agent("anna").now.state == "logged_out"
    assert len(looks) == 2
    followed = module.Whys(web.store, live, lambda: now[0], lambda: ({contact: waiting}, {}))
    assert followed.contact(contact).now is not None, "what is followed already is not asked for again"


def test_questions_are_counted_by_account(
    sign_in: SignIn, web: WebServices, live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "PER_ACCOUNT", parse("2 per minute"))
    browser = sign_in("supervisor")
    answers = [browser.get("/api/v1/agents/anna/why") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[-1].get_json()["code"] == "rate_limited"
    assert sign_in("admin").get("/api/v1/agents/anna/why").status_code == 200


def test_what_happened_is_told_also_while_the_live_state_is_away(
    app: APIFlask, sign_in: SignIn, web: WebServices, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = Call(time.time() - 60).queued(10)
    store.record(call.events)
    browser = sign_in("supervisor")

    def away(*_: object) -> None:
        raise Away("redis is away: test")

    monkeypatch.setattr(web.live, "waiting", away)
    answer = browser.get(f"/api/v1/contacts/{call.id}/why").get_json()
    assert answer["steps"][1]["text"] == "It entered queue support."
    assert answer["remarks"] == ["What routing finds now cannot be told: redis is away: test."]
    assert browser.get(f"/contacts/{call.id}").status_code == 200
    assert browser.get("/api/v1/agents/anna/why").get_json()["code"] == "live_unavailable"


def test_ids_in_a_sentence_lead_to_their_contact_and_everything_else_is_text(app: APIFlask) -> None:
    id = uuid7(time.time())
    with app.test_request_context():
        assert linked(f"{HOSTILE} {id[:18]}, {id}.") == (
            f'&lt;script&gt;alert(1)&lt;/script&gt; <a href="/contacts/{id[:18]}">{id[:18]}</a>, '
            f'<a href="/contacts/{id}">{id}</a>.'
        )
        assert linked("019ab1ce-72c4") == "019ab1ce-72c4"
