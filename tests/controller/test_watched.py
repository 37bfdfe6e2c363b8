"""What a running controller tells of itself: the numbers are those of what happened, ready is who can serve calls."""

from collections.abc import Iterator

import pytest

from contactcentre.domain.agents import Verb
from contactcentre.domain.events import Kind
from contactcentre.lab.link import Proxy
from tests.controller.stack import Stack
from tests.waiting import eventually
from tests.watch.scrape import ask, four_ports, scrape, value


@pytest.fixture(scope="module")
def proxy(module_stack: Stack) -> Iterator[Proxy]:
    """Between the controller and the PBX."""
    made = Proxy(module_stack.switch.control_port())
    module_stack.switch.proxy_port = made.port
    yield made
    module_stack.switch.proxy_port = 0
    made.close()


@pytest.fixture(scope="module")
def base(proxy: Proxy) -> Iterator[int]:
    """The first of the ports at which processes tell of themselves."""
    with pytest.MonkeyPatch.context() as patch:
        ports = four_ports()
        patch.setenv("CONTACTCENTRE_WATCH_PORT", str(ports))
        yield ports


def test_a_call_is_seen_in_the_numbers_while_it_waits_and_after_it(base: int, stack: Stack) -> None:
    before = scrape(base, "controller")
    call = stack.lab.dial("1000", caller="+33170000001", talk=1, patience=120)
    stack.wait_for("+33170000001", Kind.QUEUED)

    waits = scrape(base, "controller")
    assert value(waits, "queue_waiting", queue="support") == 1
    assert value(waits, "queue_longest_wait_seconds", queue="support") >= 0
    assert value(waits, "contacts", state="queue") == 1

    with stack.phone("anna", ring=0.1):
        stack.act("anna", Verb.LOGIN)
        assert call.wait(120).served
        stack.ended("+33170000001")
        after = scrape(base, "controller")

    def more(sample: str, **labels: str) -> float:
        return float(value(after, sample, **labels) - value(before, sample, **labels))

    assert more("contacts_ended_total", outcome="answered") == 1
    assert more("offers_total", result="accepted") == 1
    assert more("decision_seconds_count") >= 1
    assert more("reservation_seconds_count") == 1
    answers = () if stack.switch.name == "asterisk" else ("answer",)  # whose dialplan does it for us
    for verb in ("adopt", *answers, "call", "bridge", "bridge_add"):
        assert more("pbx_verb_seconds_count", verb=verb) >= 1, verb
    assert value(after, "facts_total", kind="talk.started") >= 1
    assert value(after, "pbx_linked") == 1
    assert value(after, "agents", state="logged_out") + value(after, "agents", state="available") == 2
    assert value(after, "queue_waiting", queue="support") == 0
    assert value(after, "hub_lag_seconds_count") > value(before, "hub_lag_seconds_count")
    eventually(lambda: value(scrape(base, "controller"), "journal_unsent_bytes") == 0, "all facts are in Redis")


def test_a_controller_without_its_link_is_not_ready_and_says_why(base: int, stack: Stack, proxy: Proxy) -> None:
    assert ask(base, "controller", "/readyz").json() == {
        "status": "ok",
        "parts": {"pbx": True, "lease": True, "redis": True, "postgresql": True},
    }
    losses = value(scrape(base, "controller"), "pbx_link_losses_total")
    proxy.cut()
    try:
        eventually(lambda: ask(base, "controller", "/readyz").status_code == 503, "it is not ready")
        parts = ask(base, "controller", "/readyz").json()["parts"]
        assert parts == {"pbx": False, "lease": True, "redis": True, "postgresql": True}
        cut = scrape(base, "controller")
        assert value(cut, "pbx_linked") == 0
        assert value(cut, "pbx_link_losses_total") == losses + 1
        assert ask(base, "controller", "/healthz").status_code == 200
    finally:
        proxy.mend()
    eventually(lambda: ask(base, "controller", "/readyz").status_code == 200, "it is ready again")
