"""The agent's page in a real Chromium: what is written down about a contact. Its phone: tests/system/test_softphone."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from contactcentre.domain.agents import AgentState, Verb
from contactcentre.domain.results import Wish
from contactcentre.domain.voicemail import MessageState, Step
from contactcentre.live import BoxCounts, Live
from contactcentre.live.records import AgentFact
from contactcentre.settings import Settings
from contactcentre.store import Store
from contactcentre.web import accounts
from tests.prompts.test_files import tone
from tests.store.calls import Call
from tests.store.test_boxes import left
from tests.waiting import eventually
from tests.web import populate
from tests.web.chromium import Chromium, why_not
from tests.web.conftest import PASSWORD
from tests.web.sample import site
from tests.web.serving import Server
from tests.web.test_browser import FAINT_TEXT

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(why_not()), reason=why_not() or "-")]

CALLER = "+33612407755"
TYPE = """([selector, value]) => {
  const field = document.querySelector(selector);
  field.value = value;
  field.dispatchEvent(new Event("input", { bubbles: true }));
}"""


@pytest.fixture
def desk(page: Chromium, server: Server, store: Store, live: Live) -> Chromium:
    """Anna's page. She is at work, with a telephone on her desk."""
    store.add_user("anna", accounts.hash_password(PASSWORD), "agent")
    store.change_user("anna", agent="anna")
    live.change("anna", Verb.LOGIN, time.time() - 3600)
    page.goto(f"{server.url}/login")
    page.fill("#name", "anna")
    page.fill("#password", PASSWORD)
    page.click("button.main")
    page.wait_for_selector("#desk[data-stale=false]")
    return page


def talk(live: Live) -> str:
    return populate.talk(live, "anna", "support", time.time() - 30, CALLER, "Marie Dubois")


def kept(store: Store, contact: str, condition: Callable[[str, str], bool]) -> None:
    """Until the store has the disposition and note that are wanted."""

    def there() -> bool:
        found = store.result(contact, "support", "anna")
        return condition(found.code, found.note)

    eventually(there)


def test_the_script_is_read_while_it_rings_and_filled_in_from_the_first_word_on(
    desk: Chromium, live: Live, store: Store
) -> None:
    contact = populate.ring(live, "anna", "support", time.time(), CALLER, "Marie Dubois")
    desk.wait_for_text("#result-script", "Order number")
    assert desk.evaluate("document.querySelector('#result-fields').disabled")
    live.change("anna", Verb.ACCEPT, time.time(), token="t")
    desk.wait_for_function("() => !document.querySelector('#result-fields').disabled")
    desk.fill("#answer-order", "A-17")
    desk.select_option("#answer-product", "Router")
    desk.fill("#result-note", "Says that the lamp is off")
    desk.wait_for_text("#result-state", "Saved")
    found = store.result(contact, "support", "")
    assert {name: answer.value for name, answer in found.answers.items()} == {"order": "A-17", "product": "Router"}
    assert found.note == "Says that the lamp is off"
    desk.reload()
    desk.wait_for_function("() => document.querySelector('#answer-order')?.value === 'A-17'")
    assert desk.evaluate("document.querySelector('#result-note').value") == "Says that the lamp is off"
    assert desk.errors == []


def test_wrap_up_is_extended_and_ended_by_keys_once_it_was_said_how_the_contact_ended(
    desk: Chromium, live: Live, store: Store
) -> None:
    contact = talk(live)
    desk.wait_for_text("#result-whose", "+33 6 12 40 77 55 · support")
    live.change("anna", Verb.FINISH, time.time(), token="t", wrap_up=30)
    desk.wait_for_text("#result-left", "left")
    desk.press("body", "w")
    eventually(lambda: live.agent("anna").deadline > time.time() + 60)
    desk.press("body", "d")
    desk.wait_for_text("#me-problem", "Still missing: how it ended.")
    desk.press("body", "r")
    desk.press("#result-list input", "Space")
    kept(store, contact, lambda code, note: code == "solved")
    desk.press("#result-list input", "n")
    assert desk.evaluate("document.activeElement.id") == "result-note"
    desk.press("#result-note", "d")
    assert desk.evaluate("document.activeElement.value") == "d", "who types, types"
    desk.press("#result-note", "Escape")
    desk.press("body", "d")
    eventually(lambda: live.agent("anna").state is AgentState.AVAILABLE)
    desk.wait_for_text("#result-title", "Last contact")
    assert (store.result(contact, "support", "").note, desk.evaluate("document.querySelector('#result').hidden")) == (
        "d",
        False,
    )
    assert [error for error in desk.errors if " 409 " not in error] == []


def test_a_promise_asks_when_and_whom_and_stands_in_the_list_until_it_is_kept(
    desk: Chromium, live: Live, store: Store
) -> None:
    call = Call(time.time() - 40, caller=CALLER, caller_name="Marie Dubois").queued(1).offered(2, "anna")
    store.record(call.talked(5, 30, "anna").ended(35).events)
    desk.reload()
    desk.click("#recent-list button")
    desk.wait_for_text("#result-whose", "Marie Dubois · support")
    desk.click("#result-list label:nth-child(3)")
    desk.wait_for_selector("#result-callback:not([hidden])")
    assert desk.evaluate("document.querySelector('#result-number').value") == CALLER
    kept(store, call.id, lambda code, note: code == "again")
    at = f"{datetime.now(ZoneInfo('Europe/Paris')) + timedelta(days=1):%Y-%m-%dT%H:%M}"  # the site's clock
    desk.fill("#result-when", at)
    eventually(lambda: (store.promises("anna")[0].said.callback_at or 0) > time.time() + 80000)
    desk.wait_for_text("#promises-list", CALLER)
    desk.click("#promises-list button:not([data-call])")
    desk.wait_for_selector("#promises", state="hidden")
    eventually(lambda: store.promises() == [])
    assert desk.errors == []


def test_what_was_typed_survives_what_somebody_else_writes_and_a_server_that_is_away(
    desk: Chromium, live: Live, store: Store, server: Server
) -> None:
    contact, rules = talk(live), site().queues["support"]
    desk.wait_for_selector("#answer-order")
    store.say(store.result(contact, "support", "anna"), rules, Wish(answers={"product": "Phone"}), "sue", time.time())
    desk.fill("#result-note", "mine")
    kept(store, contact, lambda code, note: note == "mine")
    desk.wait_for_function("() => document.querySelector('#answer-product').value === 'Phone'")
    server.stop()
    desk.fill("#result-note", "mine, later")
    desk.wait_for_text("#result-problem", "The server did not answer")
    server.start()
    kept(store, contact, lambda code, note: note == "mine, later")
    desk.wait_for_text("#result-state", "Saved")


def test_what_was_typed_a_moment_before_the_page_is_closed_is_kept(desk: Chromium, live: Live, store: Store) -> None:
    contact = talk(live)
    desk.wait_for_selector("#answer-order")
    desk.fill("#result-note", "in a hurry")
    desk.goto("about:blank")
    kept(store, contact, lambda code, note: note == "in a hurry")


def test_who_calls_is_shown_while_it_rings_with_what_was_before_and_written_down_in_the_call(
    desk: Chromium, live: Live, store: Store
) -> None:
    now = time.time()
    past = Call(now - 900, caller=CALLER).queued(1).offered(2, "ben").talked(5, 30, "ben").ended(35)
    store.record(past.events)
    wish = Wish("solved", "It was the cable")
    store.say(store.result(past.id, "support", "ben"), site().queues["support"], wish, "ben", now - 860)
    populate.ring(live, "anna", "support", now, CALLER, "Marie Dubois")
    desk.wait_for_text("#customer-numbers", CALLER)
    desk.wait_for_text("#customer-past", "support · ben · Solved")
    desk.wait_for_text("#customer-past", "It was the cable")
    assert desk.text_content("#customer-new") == "not known yet"
    live.change("anna", Verb.ACCEPT, now, token="t")
    desk.press("body", "c")
    assert desk.evaluate("document.activeElement.id") == "customer-name"
    desk.fill("#customer-name", "Marie Dubois")
    desk.fill("#customer-tags", "gold, mornings")
    desk.fill("#customer-field-account", "A-17")
    desk.wait_for_text("#customer-state", "Saved")
    eventually(lambda: (known := store.customer_of(CALLER)) is not None and known.fields == {"account": "A-17"})
    known = store.customer_of(CALLER)
    assert known is not None
    assert (known.name, known.tags, known.changed_by) == ("Marie Dubois", ("gold", "mornings"), "anna")
    desk.wait_for_selector("#customer-new", state="hidden")
    live.change("anna", Verb.FINISH, time.time(), token="t", wrap_up=0)
    desk.wait_for_selector("#customer", state="hidden")
    assert desk.errors == []


OPENED = """
window.opened = [];
window.open = (address, where) => (window.opened.push([address, where]), window.blocked ? null : {});
"""


def test_the_other_programs_page_opens_by_itself_once_where_the_queue_says_so(desk: Chromium, live: Live) -> None:
    desk.add_init_script(OPENED)
    desk.reload()
    populate.ring(live, "anna", "support", time.time(), CALLER, "A&B <x>")
    desk.wait_for_selector("#pop:not([hidden])")
    address = "https://127.0.0.1:9/find?phone=%2B33612407755&name=A%26B%20%3Cx%3E"
    assert desk.evaluate("document.querySelector('#pop').href") == address
    assert desk.evaluate("[document.querySelector('#pop').rel, window.opened.length]") == ["noopener noreferrer", 0]
    live.change("anna", Verb.ACCEPT, time.time(), token="t")
    desk.wait_for_function("() => window.opened.length === 1")
    assert desk.evaluate("window.opened") == [[address, "_blank"]]
    desk.reload()
    desk.wait_for_selector("#pop:not([hidden])")
    assert desk.evaluate("window.opened") == [], "once for each contact"
    live.change("anna", Verb.FINISH, time.time(), token="t", wrap_up=0)
    desk.wait_for_selector("#pop", state="hidden")
    desk.evaluate("window.blocked = true")
    talk(live)
    desk.wait_for_selector("#pop-problem:not([hidden])")


def test_the_own_day_is_counted_from_stored_facts(desk: Chromium, store: Store, live: Live) -> None:
    now = time.time()
    changes = (
        ("logged_out", "available", now - 100),
        ("available", "offered", now - 90),
        ("offered", "available", now - 80),
        ("available", "offered", now - 70),
        ("offered", "talking", now - 65),
        ("talking", "wrap_up", now - 35),
        ("wrap_up", "available", now - 20),
    )
    call = Call(now - 90).queued(0).offered(0, "anna").missed(10, "anna").offered(20, "anna").talked(25, 30, "anna")
    facts = [
        AgentFact(
            "anna", n, at, AgentState(before), AgentState(after), "", call.id if "offered" in (before, after) else ""
        )
        for n, (before, after, at) in enumerate(changes, 1)
    ]
    store.record(call.events, facts)
    desk.reload()
    desk.wait_for_text("#today-calls", "1")
    shown = [desk.text_content(f"#today-{name}") for name in ("calls", "talk", "wrap_up", "missed")]
    assert shown == ["1", "0:30", "0:15", "1"]
    desk.press("body", "v")
    desk.wait_for_function("() => location.pathname === '/voicemail'")


def counted(store: Store, live: Live) -> None:
    """As the recorder tells what waits in the boxes."""
    BoxCounts(live.redis).tell(store.boxes(time.time()))


def test_messages_in_the_own_boxes_come_by_themselves_and_are_heard_claimed_handed_over_and_done(
    desk: Chromium, live: Live, store: Store, settings: Settings
) -> None:
    now = time.time()
    settings.recordings_dir.mkdir(parents=True, exist_ok=True)
    (settings.recordings_dir / "m1.wav").write_bytes(tone(8000))
    left(store, "m1", now - 500, path="m1.wav", caller=CALLER, caller_name="Marie <b>")
    left(store, "m2", now - 400, "anna", caller="")
    left(store, "m3", now - 300, "billing", caller="+33155")
    counted(store, live)
    desk.wait_for_text("#voicemail-new", "2 new")
    desk.wait_for_text("#voicemail-list li:nth-child(1)", "+33 6 12 40 77 55 Marie <b>")
    desk.wait_for_text("#voicemail-list li:nth-child(2)", "withheld")
    desk.press("body", "v")
    assert desk.evaluate("document.activeElement.getAttribute('aria-label')") == "Message of +33 6 12 40 77 55"
    desk.press("#voicemail-list audio", "Space")
    desk.wait_for_function("() => document.querySelector('#voicemail-list audio').currentTime > 0")
    eventually(lambda: store.audit_entries(subject="m1", action="recording.listen") != [])
    desk.click("#voicemail-list li:nth-child(1) [data-take=claim]")
    desk.wait_for_selector("#voicemail-list li:nth-child(1) [data-take=release]")
    assert store.message("m1").message.owner == "anna"
    counted(store, live)
    desk.wait_for_text("#voicemail-new", "1 new")
    desk.click("#voicemail-list li:nth-child(2) summary")
    desk.wait_for_selector("#to-m2 option[value=billing]", state="attached")
    desk.fill("#note-m2", "wants an invoice")
    desk.select_option("#to-m2", "billing")
    desk.click("#voicemail-list li:nth-child(2) [data-take=hand_over]")
    eventually(lambda: store.message("m2").message.box == "billing")
    assert store.message("m2").message.note == "wants an invoice"
    counted(store, live)
    desk.wait_for_selector("#voicemail-list li:nth-child(2)", state="detached")
    desk.click("#voicemail-list [data-take=done]")
    eventually(lambda: store.message("m1").message.state is MessageState.DONE)
    desk.wait_for_selector("#voicemail", state="hidden")
    assert desk.errors == []


def test_what_a_colleague_does_with_a_message_is_seen_and_who_was_slower_is_told(
    desk: Chromium, live: Live, store: Store
) -> None:
    left(store, "m4", time.time() - 500, caller=CALLER)
    counted(store, live)
    desk.wait_for_selector("#voicemail-list [data-take=claim]")
    store.take_step("m4", Step.CLAIM, "ben", time.time())
    desk.click("#voicemail-list [data-take=claim]")
    desk.wait_for_selector("#voicemail-problem:not([hidden])")
    desk.wait_for_text("#voicemail-list", "ben looks after it")
    assert desk.evaluate("document.querySelectorAll('#voicemail-list [data-take]:not(details *)').length") == 0
    store.take_step("m4", Step.DONE, "ben", time.time())
    counted(store, live)
    desk.wait_for_selector("#voicemail", state="hidden")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_on_the_page_is_too_faint_or_too_wide(
    desk: Chromium, live: Live, store: Store, scheme: str, tmp_path: object
) -> None:
    desk.emulate_media(color_scheme=scheme)
    now = time.time()
    for n, code in enumerate(("solved", "", "again")):
        call = Call(now - 4000 + n * 600, caller=f"+3361240775{n}", caller_name="Ana Sousa" if n else "").queued(1)
        store.record(call.offered(2, "anna").talked(5, 30, "anna").ended(35).events)
        wish = (
            Wish(code or None, callback_at=now + 1800, number="+33612407752") if code == "again" else Wish(code or None)
        )
        store.say(store.result(call.id, "support", "anna"), site().queues["support"], wish, "anna", now)
    talk(live)
    live.change("anna", Verb.FINISH, now, token="t", wrap_up=60)
    desk.reload()
    desk.wait_for_text("#recent-list", "Solved")
    desk.wait_for_text("#result-left", "left")
    desk.click("#result-list label:nth-child(3)")
    desk.wait_for_text("#result-state", "Saved")
    assert desk.evaluate("document.querySelector('#result-list input:checked').value") == "again"
    assert desk.evaluate(FAINT_TEXT) == []
    desk.screenshot(path=f"{tmp_path}/desk-{scheme}.png", full_page=True)
    assert desk.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    desk.set_viewport_size({"width": 390, "height": 844})
    assert desk.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    desk.screenshot(path=f"{tmp_path}/desk-narrow-{scheme}.png", full_page=True)
    assert desk.errors == []


LATE = """() => {
  const real = window.fetch;
  window.fetch = async (url, options) => {
    const answer = await real(url, options);
    if (String(url).endsWith("/me/pause")) await new Promise((letIn) => (window.letIn = letIn));
    return answer;
  };
}"""


def test_an_answer_that_comes_late_does_not_undo_what_the_page_has_heard_since(desk: Chromium, live: Live) -> None:
    desk.wait_for_text("#me-state", "Free")
    desk.evaluate(LATE)
    desk.click("#me-pause button")
    desk.wait_for_function("() => window.letIn")
    desk.wait_for_text("#me-state", "Paused")
    live.change("anna", Verb.UNPAUSE, time.time())
    desk.wait_for_text("#me-state", "Free")
    desk.evaluate("new Promise((done) => { window.letIn(); setTimeout(done, 300); })")
    assert desk.inner_text("#me-state") == "Free"
