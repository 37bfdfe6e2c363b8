"""A script's connection, with greenswitch's names: what it is told, and what becomes of it when it does not listen."""

from collections.abc import Iterator

import gevent
import pytest
from gevent.event import Event as Flag

from contactcentre.pbx.errors import Deadline, LinkDown, Refused
from contactcentre.pbx.freeswitch.inbound import InboundESL, NotConnectedError, Overflow
from contactcentre.pbx.freeswitch.reader import Event
from tests.pbx.bed import Heard
from tests.pbx.freeswitch.fake import SECRET, FakeFreeSwitch


@pytest.fixture
def fake() -> Iterator[FakeFreeSwitch]:
    fake = FakeFreeSwitch()
    yield fake
    fake.close()


@pytest.fixture
def esl(fake: FakeFreeSwitch) -> Iterator[InboundESL]:
    esl = InboundESL("127.0.0.1", fake.port, SECRET)
    esl.connect()
    yield esl
    esl.stop()


def test_a_command_is_answered_also_with_an_error(fake: FakeFreeSwitch, esl: InboundESL) -> None:
    fake.answers["status"] = "UP 1 hour"
    fake.answers["uuid_kill"] = "-ERR No such channel!\n"
    assert esl.send("api status").data == "UP 1 hour"
    assert esl.send("api uuid_kill u1").data == "-ERR No such channel!\n"
    assert esl.send("event json all").headers["Reply-Text"] == "+OK"
    assert esl.bgapi("status") == "UP 1 hour"


def test_a_with_block_connects_and_closes(fake: FakeFreeSwitch) -> None:
    with InboundESL("127.0.0.1", fake.port, SECRET) as esl:
        assert esl.connected
        assert esl.send("event json all").headers["Reply-Text"] == "+OK"
    assert not esl.connected


def test_a_line_break_is_refused(esl: InboundESL) -> None:
    with pytest.raises(Refused, match="one line"):
        esl.send("api status\n\napi shutdown")


def test_handlers_are_told_by_name_by_subclass_and_all(fake: FakeFreeSwitch, esl: InboundESL) -> None:
    named, custom, everything = Heard(), Heard(), Heard()
    esl.register_handle("DTMF", named)
    esl.register_handle("sofia::register", custom)
    esl.register_handle("*", everything)
    fake.event("DTMF", DTMF_Digit="1")
    fake.tell({"Event-Name": "CUSTOM", "Event-Subclass": ["a", "list"]})
    fake.event("CUSTOM", Event_Subclass="sofia::register")
    assert named.next(dict)["DTMF-Digit"] == "1"
    custom.next(dict)
    for _ in range(3):
        everything.next(dict)
    named.nothing_for(0)
    esl.unregister_handle("DTMF", named)
    fake.event("DTMF", DTMF_Digit="2")
    everything.next(dict)
    named.nothing_for(0)
    with pytest.raises(ValueError, match="no handler"):
        esl.unregister_handle("DTMF", named)


def test_a_handler_with_a_bug_or_one_that_waits_harms_no_other(fake: FakeFreeSwitch, esl: InboundESL) -> None:
    told = Heard()

    def asks(event: Event) -> None:
        told(esl.send("api status").data)
        raise RuntimeError("a bug")

    esl.register_handle("DTMF", asks)
    for _ in range(2):
        fake.event("DTMF")
        assert told.next(str) == "+OK"


def test_who_does_not_keep_up_loses_the_connection_and_is_told_so(fake: FakeFreeSwitch) -> None:
    esl, busy = InboundESL("127.0.0.1", fake.port, SECRET, max_events=5), Flag()
    esl.register_handle("DTMF", lambda event: busy.wait(5))
    esl.connect()
    for _ in range(10):
        fake.event("DTMF")
    fake.wait(lambda: not esl.connected, "the end")
    with pytest.raises(Overflow):
        esl.send("api status")
    busy.set()
    esl.connect()
    assert esl.send("api status").data == "+OK"
    esl.stop()


def test_without_a_connection_everything_says_so(fake: FakeFreeSwitch) -> None:
    esl = InboundESL("127.0.0.1", fake.port, SECRET, timeout=1.0)
    with pytest.raises(NotConnectedError):
        esl.send("api status")
    esl.connect()
    fake.answers["never"] = lambda command: None
    with pytest.raises(Deadline):
        esl.send("api never")
    waiting = gevent.spawn(esl.bgapi, "never", 5.0)
    fake.wait(lambda: "bgapi never" in fake.lines, "the command")
    fake.cut()
    with gevent.Timeout(60), pytest.raises(LinkDown):
        waiting.get()
    assert not esl.connected
    esl.stop()


def test_a_wrong_password_and_a_closed_port_are_told_apart(fake: FakeFreeSwitch) -> None:
    with pytest.raises(Refused, match="secret"):
        InboundESL("127.0.0.1", fake.port, "wrong").connect()
    fake.close()
    with pytest.raises(LinkDown):
        InboundESL("127.0.0.1", fake.port, SECRET).connect()
