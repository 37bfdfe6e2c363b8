"""Calling customers over the API: a real controller, on a PBX in memory, does it."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from contactcentre.domain.agents import AgentState, Verb
from contactcentre.domain.dialled import Came
from contactcentre.domain.events import Direction, Kind, Outcome
from contactcentre.domain.results import Wish
from contactcentre.domain.site import Queue
from contactcentre.domain.voicemail import MessageState, Step
from contactcentre.pbx.events import Cause
from contactcentre.store import Store
from contactcentre.web import tokens
from contactcentre.web.app import WebServices
from tests.controller.people import rings, state
from tests.controller.test_dialling import CUSTOMER, comes, over, phones, story
from tests.controller.world import SITE, World
from tests.store.calls import Call
from tests.store.test_boxes import left
from tests.waiting import eventually
from tests.web.conftest import SignIn, csrf

Asks = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def anna(sign_in: SignIn, world: World, web: WebServices, store: Store) -> FlaskClient:
    """Her browser."""
    store.save_site(SITE, "test")
    client = sign_in("agent")
    store.change_user("a-agent", agent="anna")
    web.fanout.start()
    eventually(lambda: web.fanout.ready)
    return client


@pytest.fixture
def post(anna: FlaskClient) -> Asks:
    """Any path below the API."""

    def send(path: str, **body: Any) -> tuple[int, dict[str, Any]]:
        answer = anna.post(f"/api/v1{path}", json=body, headers={"X-CSRFToken": csrf(anna, "/me")})
        return answer.status_code, answer.get_json()

    return send


def came(anna: FlaskClient, world: World, store: Store, contact: str) -> dict[str, object]:
    """What the API says of it, once all is recorded."""
    over(world, contact)
    store.record(story(world, contact))
    found: dict[str, object] = anna.get(f"/api/v1/me/calls/{contact}").get_json()
    return found


def test_an_agent_calls_a_number_and_sees_how_it_goes(
    post: Asks,
    anna: FlaskClient,
    world: World,
    store: Store,
) -> None:
    status, told = post("/me/calls", number="+33 1 23-45.67 89", queue="one")
    assert (status, told.get("state")) == (200, "dialling"), f"{told}"
    contact = str(told["contact"])
    _, customer = phones(world)
    eventually(lambda: anna.get(f"/api/v1/me/calls/{contact}").get_json().get("state") == "dialling")
    eventually(lambda: (anna.get("/api/v1/me").get_json()["contact"] or {}).get("state") == "dialling")
    seen = anna.get("/api/v1/me").get_json()["contact"]
    assert (seen["id"], seen["direction"], seen["caller"], seen["queue"]) == (contact, "outbound", CUSTOMER, "one")
    world.pbx.answer(customer)
    comes(world, contact, Kind.TALK_STARTED)
    eventually(lambda: anna.get(f"/api/v1/me/calls/{contact}").get_json().get("state") == "talking")
    world.pbx.leave(customer)
    assert came(anna, world, store, contact) == {"contact": contact, "state": "over", "result": "answered"}
    stored = store.contact(contact)
    assert (stored.direction, stored.agents, stored.queues) == (Direction.OUTBOUND, ("anna",), ("one",))
    assert stored.talk > 0
    store.change_user("a-agent", agent="bert")
    assert anna.get(f"/api/v1/me/calls/{contact}").status_code == 404, "it is anna's"


@pytest.mark.parametrize(
    ("cause", "result"),
    [
        (Cause.BUSY, Came.BUSY),
        (Cause.NO_ANSWER, Came.NO_ANSWER),
        (Cause.REJECTED, Came.REJECTED),
        (Cause.UNALLOCATED, Came.UNREACHABLE),
    ],
)
def test_why_nobody_was_reached_is_told(
    post: Asks,
    anna: FlaskClient,
    world: World,
    store: Store,
    cause: Cause,
    result: Came,
) -> None:
    contact = str(post("/me/calls", number=CUSTOMER)[1]["contact"])
    _, customer = phones(world)
    world.pbx.leave(customer, cause)
    assert came(anna, world, store, contact)["result"] == result
    contact = str(post("/me/calls", number=CUSTOMER)[1]["contact"])
    world.pbx.leave(rings(world), cause)
    assert came(anna, world, store, contact)["result"] == Came.OWN_PHONE


def test_what_must_not_be_called_is_refused_with_a_code(post: Asks, world: World, store: Store) -> None:
    for number, status, code in (
        ("+49 30 1234567", 409, "not_allowed"),
        ("112", 409, "not_allowed"),
        ("0899 123456", 409, "not_allowed"),
        ("+33 1", 422, "bad_value"),
        ("PJSIP/evil@carrier", 422, "bad_value"),
    ):
        answered = post("/me/calls", number=number)
        assert (answered[0], answered[1]["code"]) == (status, code), number
    assert post("/me/calls", number=CUSTOMER, queue="ways")[1]["code"] == "bad_value", (
        "a queue that anna does not answer"
    )
    world.live.change("anna", Verb.LOGOUT, time.time())
    assert post("/me/calls", number=CUSTOMER)[1]["code"] == "busy"
    store.change_user("a-agent", agent="")
    assert post("/me/calls", number=CUSTOMER)[0] == 404
    assert not world.pbx.lines


def test_who_left_a_message_is_called_back_for_its_queue_and_the_message_is_claimed_by_that(
    post: Asks,
    anna: FlaskClient,
    world: World,
    store: Store,
) -> None:
    about = left(store, "m1", time.time() - 300, "one", caller=CUSTOMER, caller_name="Marie Dubois").id
    status, told = post("/voicemail/m1/call_back")
    assert status == 200
    arrived = comes(world, str(told["contact"]), Kind.ARRIVED).data
    assert (arrived["queue"], arrived["about"], arrived["caller_name"]) == ("one", about, "Marie Dubois")
    message = store.message("m1").message
    assert (message.state, message.owner) == (MessageState.CLAIMED, "anna")
    assert post("/voicemail/m1/call_back")[1]["code"] == "busy"
    assert store.message("m1").message.owner == "anna", "it was hers before"
    world.pbx.leave(rings(world))
    over(world, str(told["contact"]))


def test_a_message_that_cannot_be_called_back_stays_as_it_is(post: Asks, world: World, store: Store) -> None:
    now = time.time()
    left(store, "m2", now - 300, "one", caller="")
    assert post("/voicemail/m2/call_back")[0] == 409
    left(store, "m3", now - 300, "one", caller="+4930123456")
    assert post("/voicemail/m3/call_back")[1]["code"] == "not_allowed"
    assert store.message("m3").message.state is MessageState.NEW
    left(store, "m4", now - 300, "one", caller=CUSTOMER)
    store.take_step("m4", Step.CLAIM, "bert", now)
    assert post("/voicemail/m4/call_back")[1]["detail"] == "bert looks after this message"
    left(store, "m5", now - 300, "bert", caller=CUSTOMER)
    assert post("/voicemail/m5/call_back")[0] == 404
    assert not world.pbx.lines


def test_a_promised_call_back_is_made_for_the_queue_in_which_it_was_promised(
    post: Asks,
    anna: FlaskClient,
    world: World,
    store: Store,
) -> None:
    call = Call(time.time() - 400, caller="+33611111111", caller_name="Ana").queued(1, "one").offered(2, "anna", "one")
    store.record(call.talked(5, 30, "anna", "one").ended(35).events)
    rules = Queue.model_validate({"dispositions": {"again": {"label": "Call back", "callback": True}}})
    wish = Wish("again", callback_at=time.time() + 60, number=CUSTOMER)
    store.say(store.result(call.id, "one", "anna"), rules, wish, "anna", time.time())
    status, told = post(f"/me/callbacks/{call.id}/call")
    assert status == 200
    arrived = comes(world, str(told["contact"]), Kind.ARRIVED).data
    assert (arrived["caller"], arrived["queue"], arrived["about"]) == (CUSTOMER, "one", call.id)
    assert [one.contact_id for one in store.promises("anna")] == [call.id], "until she says that it was made"
    world.pbx.leave(rings(world))
    over(world, str(told["contact"]))
    assert post(f"/me/callbacks/{told['contact']}/call")[0] == 404


def test_the_own_phone_is_hung_up_from_the_page(
    post: Asks,
    anna: FlaskClient,
    world: World,
) -> None:
    assert post("/me/call/leave")[0] == 404
    contact = str(post("/me/calls", number=CUSTOMER)[1]["contact"])
    phone, _ = phones(world)
    eventually(lambda: (anna.get("/api/v1/me").get_json()["contact"] or {}).get("state") == "dialling")
    assert post("/me/call/hold")[0] == 404
    assert post("/me/call/leave")[1]["state"] == "over"
    assert over(world, contact).contact.outcome == Outcome.NOT_REACHED
    contact = str(post("/me/calls", number=CUSTOMER)[1]["contact"])
    phone, customer = phones(world)
    world.pbx.answer(customer)
    comes(world, contact, Kind.TALK_STARTED)
    eventually(lambda: state(world, "anna") is AgentState.TALKING)
    assert post("/me/call/leave")[0] == 200
    eventually(lambda: phone.id not in world.pbx.lines)
    over(world, contact)


def test_a_token_for_messages_alone_calls_nobody(anna: FlaskClient, web: WebServices, store: Store) -> None:
    left(store, "m6", time.time() - 300, "one", caller=CUSTOMER)
    user = store.user_named("a-agent")
    assert user is not None
    _, secret = tokens.issue(store, user, "reads messages", ["voicemail.use"], 1, "a-agent", time.time())
    program = anna.application.test_client()
    headers = {"Authorization": f"Bearer {secret}"}
    assert program.get("/api/v1/voicemail", headers=headers).status_code == 200
    assert program.post("/api/v1/voicemail/m6/call_back", headers=headers).status_code == 403
    assert store.message("m6").message.state is MessageState.NEW
