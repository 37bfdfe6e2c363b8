"""The link to a FreeSWITCH that is slow, silent, broken, another one than before, or gone."""

from collections.abc import Iterator
from pathlib import Path

import gevent
import pytest

from contactcentre.pbx.errors import Deadline, Gone, LinkDown, Refused
from contactcentre.pbx.freeswitch import connection as module
from contactcentre.pbx.freeswitch.connection import Connection
from contactcentre.pbx.freeswitch.reader import MAX_BODY, Event
from tests.pbx.bed import Heard
from tests.pbx.freeswitch.fake import SECRET, Command, FakeFreeSwitch

TRANSCRIPTS = Path(__file__).parent / "transcripts"


class Node:
    """Whoever keeps the link; what it is told."""

    def __init__(self, fake: FakeFreeSwitch, secret: str = SECRET) -> None:
        self.events, self.ups, self.losses = Heard(), Heard(), Heard()
        self.on_event = self.events
        self.link = Connection(
            "127.0.0.1",
            fake.port,
            secret,
            events=("DTMF", "CHANNEL_PARK", "BACKGROUND_JOB"),
            filters=(("Event-Name", "DTMF"), ("variable_app", "us")),
            on_event=lambda event: self.on_event(event),
            on_up=lambda restarted: self.ups({"restarted": restarted}),
            on_lost=lambda reason, replaced: self.losses({"reason": reason, "replaced": replaced}),
        )


@pytest.fixture
def fake() -> Iterator[FakeFreeSwitch]:
    fake = FakeFreeSwitch()
    yield fake
    fake.close()


@pytest.fixture
def node(fake: FakeFreeSwitch) -> Iterator[Node]:
    node = Node(fake)
    node.link.open()
    yield node
    node.link.close()


@pytest.fixture
def up(node: Node) -> Node:
    node.ups.next(dict)
    return node


@pytest.mark.usefixtures("up")
def test_only_what_is_wanted_is_subscribed_and_filtered_at_the_source(fake: FakeFreeSwitch) -> None:
    assert fake.lines[:3] == [
        "event json DTMF CHANNEL_PARK BACKGROUND_JOB",
        "filter Event-Name DTMF",
        "filter variable_app us",
    ]


def test_a_secret_that_is_wrong_is_said_to_be_and_never_shown(
    fake: FakeFreeSwitch, caplog: pytest.LogCaptureFixture
) -> None:
    node = Node(fake, "wrong-secret")
    node.link.open()
    fake.wait(lambda: "does not take this secret" in caplog.text, "the complaint")
    node.link.close()
    assert "wrong-secret" not in caplog.text
    assert "wrong-secret" not in repr(node.link)


def test_a_secret_with_a_line_break_is_no_second_command(
    fake: FakeFreeSwitch, caplog: pytest.LogCaptureFixture
) -> None:
    node = Node(fake, f"{SECRET}\n\napi shutdown")
    node.link.open()
    fake.wait(lambda: "one line" in caplog.text or "does not take" in caplog.text, "the complaint")
    node.link.close()
    assert fake.lines == []


def test_an_address_that_is_refused_is_said_to_be(fake: FakeFreeSwitch, caplog: pytest.LogCaptureFixture) -> None:
    fake.refuses_address = True
    node = Node(fake)
    node.link.open()
    fake.wait(lambda: "apply-inbound-acl" in caplog.text, "the complaint")
    node.link.close()


def test_a_server_that_never_greets_is_left(
    fake: FakeFreeSwitch, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("contactcentre.pbx.freeswitch.link.log_in.__defaults__", (0.1,))
    fake.greets = False
    node = Node(fake)
    node.link.open()
    fake.wait(lambda: "did not greet" in caplog.text, "the complaint")
    fake.greets = True
    node.ups.next(dict)
    node.link.close()


@pytest.mark.parametrize("pieces", [0, 1, 7])
def test_answers_come_to_who_asked_in_whatever_pieces(fake: FakeFreeSwitch, up: Node, pieces: int) -> None:
    fake.pieces = pieces
    fake.answers["echo"] = lambda command: command.line.rpartition(" ")[2]
    asked = [gevent.spawn(up.link.request, f"echo {number}") for number in range(20)]
    assert [greenlet.get(timeout=60) for greenlet in asked] == [str(number) for number in range(20)]


@pytest.mark.parametrize("jobs_first", [False, True])
def test_a_jobs_result_is_its_body_even_when_it_is_faster_than_the_answer(
    fake: FakeFreeSwitch, up: Node, jobs_first: bool
) -> None:
    fake.jobs_first = jobs_first
    fake.answers["originate good"] = "+OK u1\n"
    fake.answers["originate bad"] = "-ERR USER_BUSY\n"
    assert up.link.job("originate good") == "+OK u1\n"
    with pytest.raises(Refused, match="USER_BUSY"):
        up.link.job("originate bad")
    up.events.nothing_for(0)


@pytest.mark.parametrize("key", [["job-1"], {"a": "b"}, None, 5])
def test_a_key_that_is_none_ends_neither_the_link_nor_who_waits(fake: FakeFreeSwitch, up: Node, key: object) -> None:
    fake.answers["sleep"] = lambda command: None
    running = up.link.link().execute("u1", "sleep")
    fake.tell({"Event-Name": "BACKGROUND_JOB", "Job-UUID": key, "_body": "+OK"})
    fake.tell({"Event-Name": "CHANNEL_EXECUTE_COMPLETE", "Application-UUID": key})
    fake.tell({"Event-Name": "DTMF"})
    while up.events.next(dict)["Event-Name"] != "DTMF":
        pass
    assert up.link.up
    assert not running.settled


def test_results_of_jobs_may_come_in_any_order(fake: FakeFreeSwitch, up: Node) -> None:
    begun: list[Command] = []

    def later(command: Command) -> None:
        begun.append(command)

    fake.answers["slow"] = later
    jobs = [gevent.spawn(up.link.job, f"slow {number}") for number in range(3)]
    fake.wait(lambda: len(begun) == 3, "three jobs")
    for command in begun:
        fake.frame("command/reply", Reply_Text=f"+OK Job-UUID: {command.headers['job-uuid']}")
    for command in reversed(begun):
        fake.event("BACKGROUND_JOB", Job_UUID=command.headers["job-uuid"], _body=f"+OK {command.line}")
    assert [job.get(timeout=60) for job in jobs] == [f"+OK bgapi slow {number}" for number in range(3)]


def test_a_job_that_is_refused_is_not_waited_for(fake: FakeFreeSwitch, up: Node) -> None:
    fake.answers["never"] = lambda command: fake.frame("command/reply", Reply_Text="-ERR command not found")
    with gevent.Timeout(60), pytest.raises(Refused, match="command not found"):
        up.link.job("never")


def test_an_application_is_over_when_it_says_so_under_its_own_key(fake: FakeFreeSwitch, up: Node) -> None:
    first, second = (up.link.link().execute("u1", "playback", f"{number}.wav") for number in (1, 2))
    fake.wait(lambda: len([line for line in fake.lines if line == "sendmsg u1"]) == 2, "both")
    keys = [command.headers["event-uuid"] for command in fake.seen if command.line == "sendmsg u1"]
    done = {"Unique_ID": "u1", "Application": "playback"}
    fake.event("CHANNEL_EXECUTE_COMPLETE", **done, Application_UUID=keys[1], Application_Response="FILE NOT FOUND")
    assert second.wait() == "FILE NOT FOUND"
    assert not first.settled
    fake.event("CHANNEL_HANGUP_COMPLETE", Unique_ID="another")
    fake.event("CHANNEL_HANGUP_COMPLETE", Unique_ID="u1")
    with pytest.raises(Gone):
        first.wait()


def test_an_answer_that_does_not_come_is_given_up_and_later_ones_are_not_mixed_up(
    fake: FakeFreeSwitch, up: Node
) -> None:
    held: list[Command] = []

    def late(command: Command) -> None:
        held.append(command)

    fake.answers["late"] = late
    with pytest.raises(Deadline, match="api late"):
        up.link.send("late").wait(0.05)
    soon = up.link.send("echo")
    fake.wait(lambda: held, "the command")
    fake.frame("api/response", b"far too late")
    assert soon.wait() == "+OK"


@pytest.mark.parametrize("how", ["cut", "cut_mid_frame", "unasked", "no length", "oversize"])
def test_a_link_that_breaks_fails_who_waits_at_once_and_is_made_anew(fake: FakeFreeSwitch, up: Node, how: str) -> None:
    fake.answers["never"] = lambda command: None
    waiting = up.link.send("never")
    fake.wait(lambda: "api never" in fake.lines, "the command")
    match how:
        case "cut":
            fake.cut()
        case "cut_mid_frame":
            fake.cut_mid_frame()
        case "unasked":
            fake.frame("api/response", b"an answer")
            fake.frame("api/response", b"to nothing")
        case "no length":
            fake.bytes(b"Content-Length: many\n\n")
        case "oversize":
            fake.bytes(f"Content-Length: {MAX_BODY + 1}\nContent-Type: text/event-json\n\n".encode())
    lost = up.losses.next(dict)
    if how == "unasked":
        assert waiting.wait() == "an answer"
    else:
        with pytest.raises(LinkDown):
            waiting.wait()
    assert not lost["replaced"]
    assert {"unasked": "to nothing", "no length": "Content-Length", "oversize": "at most"}.get(how, "") in lost[
        "reason"
    ]
    assert up.ups.next(dict) == {"restarted": False}
    assert up.link.request("echo") == "+OK"


def test_a_pbx_that_was_restarted_is_noticed(fake: FakeFreeSwitch, up: Node) -> None:
    fake.core = "core-2"
    fake.cut()
    assert up.ups.next(dict) == {"restarted": True}


def test_the_words_of_a_pbx_that_shuts_down_are_the_reason(fake: FakeFreeSwitch, up: Node) -> None:
    fake.frame("text/disconnect-notice", b"The system is being shut down.\n")
    fake.cut()
    assert "being shut down" in up.losses.next(dict)["reason"]


@pytest.mark.parametrize("how", ["silent", "deaf"])
def test_a_pbx_that_shows_no_sign_of_life_is_left(
    fake: FakeFreeSwitch, up: Node, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PING_EVERY", 0.05)
    monkeypatch.setattr(module, "PING_DEADLINE", 0.1)
    fake.cut()  # from now on
    up.losses.next(dict)
    up.ups.next(dict)
    setattr(fake, how, True)
    if how == "deaf":
        fake.frame("api/response", b"")  # wakes it, so that it reads no more
    assert "no answer within" in up.losses.next(dict)["reason"] or how == "deaf"


def test_who_gives_way_does_not_come_back(fake: FakeFreeSwitch, up: Node) -> None:
    up.link.give_way("another one is there")
    assert up.losses.next(dict) == {"reason": "another one is there", "replaced": True}
    up.ups.nothing_for(0.5)
    with pytest.raises(LinkDown):
        up.link.request("echo")
    assert fake.links == 1


def test_an_event_whose_handling_fails_harms_no_other(fake: FakeFreeSwitch, up: Node) -> None:
    def broken(event: Event) -> None:
        raise RuntimeError("a bug")

    up.on_event = broken
    fake.event("DTMF", DTMF_Digit="1")
    fake.wait(lambda: up.link.link().errors, "the failure")
    up.on_event = up.events
    fake.event("DTMF", DTMF_Digit="2")
    assert up.events.next(dict)["DTMF-Digit"] == "2"


@pytest.mark.parametrize("transcript", sorted(TRANSCRIPTS.glob("*.esl")), ids=lambda path: path.stem)
def test_every_event_that_a_real_server_sent_arrives(fake: FakeFreeSwitch, up: Node, transcript: Path) -> None:
    sent = fake.replay(transcript)
    fake.wait(lambda: len(up.events.all) == sent, f"{sent} events")
    assert up.link.link().errors == 0


def test_who_handles_events_may_send_commands_and_blocks_nobody(fake: FakeFreeSwitch, up: Node) -> None:
    fake.answers["echo"] = lambda command: command.line
    sent = []
    up.on_event = lambda event: sent.append(up.link.send(f"echo {event['DTMF-Digit']}"))
    for digit in "123":
        fake.event("DTMF", DTMF_Digit=digit)
    fake.wait(lambda: len(sent) == 3, "all")
    assert [pending.wait() for pending in sent] == ["api echo 1", "api echo 2", "api echo 3"]
