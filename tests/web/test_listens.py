"""Supervisors who listen to calls, asked for over the API: a real controller, on a PBX in memory, does it."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from contactcentre.domain.events import Kind
from contactcentre.live import listens
from contactcentre.live.errors import NoSuchCall
from contactcentre.pbx.protocol import Mode
from contactcentre.store import Store
from contactcentre.web.app import WebServices
from tests.controller.fake_pbx import Line
from tests.controller.people import comes, story, talks
from tests.controller.stack import kinds
from tests.controller.world import World
from tests.waiting import eventually
from tests.web.conftest import SignIn, csrf


@pytest.fixture
def browser(sign_in: SignIn, world: World) -> FlaskClient:
    return sign_in("supervisor")


def ask(browser: FlaskClient, path: str = "", **body: Any) -> tuple[int, dict[str, Any]]:
    answer = browser.post(f"/api/v1/listens{path}", json=body, headers={"X-CSRFToken": csrf(browser, "/me")})
    return answer.status_code, answer.get_json()


def refused(browser: FlaskClient, path: str = "", **body: Any) -> tuple[int, str]:
    status, problem = ask(browser, path, **body)
    assert problem["detail"], "it says what is the matter"
    return status, problem["code"]


def now(browser: FlaskClient) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = browser.get("/api/v1/listens").get_json()["listens"]
    return found


def phone(world: World, endpoint: str) -> Line:
    """The supervisor's, which rings."""
    found: list[Line] = eventually(
        lambda: [line for line in world.pbx.ringing() if line.endpoint == endpoint], f"{endpoint} rings", 5
    )
    return found[0]


def modes(world: World, leg: Line) -> list[Mode]:
    """Of those who listen to this leg."""
    return [line.mode for line in world.pbx.lines.values() if line.spies_on == leg.id]


def end(world: World) -> None:
    world.peace()
    world.check()


def test_a_supervisors_phone_rings_hears_the_call_whispers_and_is_hung_up(
    browser: FlaskClient, world: World, web: WebServices, store: Store
) -> None:
    caller, leg = talks(world)
    contact = comes(world, caller, Kind.ARRIVED).contact_id
    other = "bert" if leg.endpoint == "anna" else "anna"
    status, told = ask(browser, contact=contact, phone=other)
    assert (status, told["state"], told["supervisor"], told["contact"]) == (200, "ringing", "a-supervisor", contact)
    ears = phone(world, other)
    assert refused(browser, f"/{told['id']}/mode", mode="whisper") == (409, "not_answered")
    world.pbx.answer(ears)
    comes(world, caller, Kind.SUPERVISED)
    assert [(one["agent"], one["mode"], one["state"]) for one in now(browser)] == [
        (leg.endpoint, "listen", "listening")
    ]
    assert modes(world, leg) == [Mode.LISTEN]
    web.fanout.start()
    eventually(lambda: web.fanout.ready)

    def listeners() -> list[tuple[str, str]]:
        rows = browser.get("/api/v1/snapshot").get_json()["contacts"][contact]["listeners"]
        return [(one["supervisor"], one["mode"]) for one in rows]

    eventually(lambda: listeners() == [("a-supervisor", "listen")])
    assert ask(browser, f"/{told['id'][:20]}/mode", mode="whisper")[1]["mode"] == "whisper"
    assert modes(world, leg) == [Mode.WHISPER]
    eventually(lambda: listeners() == [("a-supervisor", "whisper")])
    assert refused(browser, agent=leg.endpoint, phone=other) == (409, "listens_already")
    assert ask(browser, f"/{told['id']}/stop")[0] == 200
    eventually(lambda: ears.id not in world.pbx.lines and not modes(world, leg), "hung up")
    eventually(lambda: listeners() == [])
    assert now(browser) == []
    assert leg.id in world.pbx.lines, "the call goes on"
    noted = [(e.action, e.detail.get("outcome", "")) for e in store.audit_entries(actor="a-supervisor", limit=4)]
    assert noted == [
        ("call.listen.stop", ""),
        ("call.listen", "listens_already"),
        ("call.listen.mode", ""),
        ("call.listen.mode", "not_answered"),
    ]
    told_of = [e.data for e in story(world, caller) if e.kind is Kind.SUPERVISED]
    assert [(one["supervisor"], one["agent"]) for one in told_of] == [("a-supervisor", leg.endpoint)]
    end(world)


def test_taking_over_leaves_the_customer_with_the_supervisor(browser: FlaskClient, world: World) -> None:
    caller, leg = talks(world)
    other = "bert" if leg.endpoint == "anna" else "anna"
    told = ask(browser, agent=leg.endpoint, phone=other)[1]
    ears = phone(world, other)
    world.pbx.answer(ears)
    comes(world, caller, Kind.SUPERVISED)
    assert ask(browser, f"/{told['id']}/take_over")[0] == 200
    eventually(lambda: leg.id not in world.pbx.lines, "the agent is out")
    assert (caller.bridge, bool(caller.bridge)) == (ears.bridge, True)
    world.pbx.leave(ears)
    eventually(lambda: caller.id not in world.pbx.lines, "over")
    end(world)


def test_a_contact_is_listened_to_with_whichever_agent_it_talks(browser: FlaskClient, world: World) -> None:
    caller, leg = talks(world)
    contact = comes(world, caller, Kind.ARRIVED).contact_id
    other = "bert" if leg.endpoint == "anna" else "anna"
    world.pbx.states.clear()
    told = ask(browser, contact=contact, phone="lobby")
    assert told[1]["code"] == "wrong_phone", "no phone that the PBX knows"
    assert ask(browser, contact=contact, phone=other)[0] == 200
    world.pbx.answer(phone(world, other))
    comes(world, caller, Kind.SUPERVISED)
    world.pbx.leave(caller)
    eventually(lambda: not now(browser), "it ends with the contact")
    comes(world, caller, Kind.ENDED)
    assert kinds(story(world, caller))[-1] in (Kind.SUPERVISION_ENDED, Kind.ENDED, Kind.RECORDING_ENDED)
    eventually(lambda: not world.live.contacts(), "and no record of it is left")
    end(world)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"agent": "anna", "phone": "bert"}, "no_call"),
        ({"agent": "nobody", "phone": "bert"}, "no_such_target"),
        ({"endpoint": "bert", "phone": "anna"}, "no_call"),
        ({"channel": "SIP/nowhere", "phone": "anna"}, "no_call"),
        ({"agent": "anna", "phone": "0611223344@carrier"}, "wrong_phone"),
        ({"agent": "anna", "phone": "carrier"}, "wrong_phone"),
        ({"agent": "anna", "phone": "number:+4912345"}, "not_allowed"),
        ({"agent": "anna", "phone": "anna", "follow": True}, "oneself"),
    ],
)
def test_what_cannot_be_listened_to_and_which_phones_may_not_ring_is_said(
    browser: FlaskClient, world: World, body: dict[str, Any], code: str
) -> None:
    assert refused(browser, **body) == (409, code)
    assert world.pbx.ringing() == []
    end(world)


def test_what_is_malformed_or_not_there_is_refused_before_anybody_is_asked(
    browser: FlaskClient, world: World, web: WebServices
) -> None:
    assert refused(browser, phone="bert") == (422, "bad_value"), "nothing to listen to"
    assert refused(browser, agent="anna", contact="1", phone="bert") == (422, "bad_value")
    assert refused(browser, agent="anna") == (422, "bad_value"), "the account is no agent's"
    assert ask(browser, agent="anna", phone="bert", mode="shout")[1]["code"] == "bad_value"
    assert refused(browser, contact="0000", phone="bert") == (404, "not_found")
    assert refused(browser, "/0190/stop") == (404, "not_found")
    assert refused(browser, "/0190/dance") == (404, "not_found")
    assert refused(browser, "/0190/mode") == (422, "bad_value")
    with pytest.raises(NoSuchCall, match="no supervision has this id"):
        listens.named(web.live, "")
    end(world)


def test_an_agents_own_phone_is_the_one_that_rings_unless_another_is_said(
    browser: FlaskClient, world: World, store: Store
) -> None:
    caller, leg = talks(world)
    other = "bert" if leg.endpoint == "anna" else "anna"
    store.change_user("a-supervisor", agent=other)
    assert ask(browser, agent=leg.endpoint)[1]["phone"] == other
    world.pbx.leave(phone(world, other))
    eventually(lambda: not now(browser), "declined")
    assert caller.id in world.pbx.lines
    end(world)


def test_too_many_in_a_minute_are_refused(browser: FlaskClient, world: World) -> None:
    token = {"X-CSRFToken": csrf(browser, "/me")}
    body = {"contact": "0000", "phone": "bert"}
    answers = [browser.post("/api/v1/listens", json=body, headers=token).status_code for _ in range(61)]
    assert set(answers) == {404, 429}
