"""The driver against a server that says what a real FreeSWITCH said, and worse."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from contactcentre.pbx.errors import Gone, Refused
from contactcentre.pbx.events import (
    Answered,
    Arrived,
    Cause,
    Digit,
    Ended,
    LinkLost,
    LinkUp,
    Party,
    Phone,
    Ringing,
    TransferAsked,
)
from contactcentre.pbx.freeswitch import translate
from contactcentre.pbx.freeswitch.driver import FreeSwitchPbx
from contactcentre.pbx.protocol import Mode
from tests.pbx.bed import Heard
from tests.pbx.freeswitch.fake import SECRET, Command, FakeCall, FakeFreeSwitch


@pytest.fixture
def fake() -> Iterator[FakeFreeSwitch]:
    fake = FakeFreeSwitch()
    fake.answers["list_users"] = "userid|context|domain|group|contact|x\nanna|c|d|default|sofia/internal/sip:a|\n+OK\n"
    fake.answers["uuid_exists"] = "true"
    fake.answers["uuid_dump"] = "-ERR No such channel!\n"
    yield fake
    fake.close()


@pytest.fixture
def pbx(fake: FakeFreeSwitch, tmp_path: Path) -> Iterator[FreeSwitchPbx]:
    pbx = FreeSwitchPbx("node1", "127.0.0.1", fake.port, SECRET, tmp_path)
    yield pbx
    pbx.stop()


@pytest.fixture
def nodes(pbx: FreeSwitchPbx) -> Heard:
    nodes = Heard()
    pbx.start(nodes)
    nodes.next(LinkUp)
    return nodes


def call(pbx: FreeSwitchPbx, endpoint: str = "anna", caller: Party | None = None) -> Heard:
    inbox = Heard()
    pbx.call(
        endpoint,
        channel_id="leg-1",
        inbox=inbox,
        contact_id="contact-1",
        caller=caller or Party("0140", "Jeanne"),
        ring_seconds=10,
    )
    return inbox


def arrive(fake: FakeFreeSwitch, pbx: FreeSwitchPbx, nodes: Heard, channel_id: str = "u1") -> Heard:
    fake.event(
        "CHANNEL_PARK",
        Unique_ID=channel_id,
        Answer_State="ringing",
        Caller_Caller_ID_Number="0140",
        variable_contactcentre_app="contactcentre",
        variable_contactcentre_args="did,800",
    )
    nodes.next(Arrived)
    inbox = Heard()
    pbx.adopt(channel_id, inbox)
    return inbox


@pytest.mark.usefixtures("nodes")
def test_events_are_asked_for_by_name_and_of_our_channels_only(fake: FakeFreeSwitch) -> None:
    (events,) = [line for line in fake.lines if line.startswith("event ")]
    assert events.startswith("event json CHANNEL_PROGRESS ")
    assert "all" not in events.lower().split()
    assert "RECV_INFO" not in events
    assert "filter variable_contactcentre_app contactcentre" in fake.lines
    assert not any(line.startswith("filter Event-Name CHANNEL_PARK") for line in fake.lines)
    assert "filter Application -park" in fake.lines


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        ("USER_NOT_REGISTERED", Cause.UNREACHABLE),
        ("SUBSCRIBER_ABSENT", Cause.UNREACHABLE),
        ("INVALID_GATEWAY", Cause.UNREACHABLE),
        ("USER_BUSY", Cause.BUSY),
        ("CALL_REJECTED", Cause.REJECTED),
        ("UNALLOCATED_NUMBER", Cause.UNALLOCATED),
        ("NORMAL_TEMPORARY_FAILURE", Cause.FAILURE),
    ],
)
@pytest.mark.parametrize("jobs_first", [False, True])
def test_a_call_that_cannot_be_made_ends_once_with_its_reason(
    fake: FakeFreeSwitch, pbx: FreeSwitchPbx, nodes: Heard, said: str, cause: Cause, jobs_first: bool
) -> None:
    fake.jobs_first, fake.answers["originate"] = jobs_first, f"-ERR {said}\n"
    inbox = call(pbx)
    assert inbox.next(Ended).cause is cause
    fake.event("CHANNEL_HANGUP_COMPLETE", Unique_ID="leg-1", Hangup_Cause=said)
    inbox.nothing_for(0.1)


@pytest.mark.usefixtures("nodes")
def test_a_callers_name_is_no_syntax_of_originate(fake: FakeFreeSwitch, pbx: FreeSwitchPbx) -> None:
    fake.answers["originate"] = lambda command: fake.frame("command/reply", Reply_Text="+OK")
    call(pbx, caller=Party("0140}user/evil", "x',y='z}sofia/${system(id)} &hangup"))
    (line,) = [line for line in fake.lines if line.startswith("bgapi originate")]
    assert line.endswith("}user/anna &park()")
    assert line.count("{") == line.count("}") == 1
    assert "$" not in line
    assert "origination_caller_id_number='anonymous'" in line
    assert r"origination_caller_id_name='x\'y=\'zsofia/%system(id) &hangup'" in line


@pytest.mark.usefixtures("nodes")
@pytest.mark.parametrize("endpoint", ["", "a b", "a,b", "user/x", "loopback/1", "a}{b", "1&park()@lab", "line:a b"])
def test_an_endpoint_that_is_syntax_is_refused_and_nothing_is_sent(
    fake: FakeFreeSwitch, pbx: FreeSwitchPbx, endpoint: str
) -> None:
    with pytest.raises(Refused):
        call(pbx, endpoint)
    assert not any("originate" in line for line in fake.lines)


@pytest.mark.usefixtures("nodes")
def test_the_other_end_of_a_leg_into_an_open_line_has_our_id_and_never_freeswitchs(
    fake: FakeFreeSwitch, pbx: FreeSwitchPbx, nodes: Heard
) -> None:
    fake.answers["originate"] = "+OK leg-1\n"
    call(pbx, "line:anna")
    (line,) = [line for line in fake.lines if "originate" in line]
    assert line.endswith("}loopback/taken/contactcentre-hands/XML &park()")
    assert "loopback_bowout='false'" in line
    second = {
        "Unique_ID": "77e8",
        "Channel_Name": "loopback/taken-b",
        "variable_contactcentre_end": "leg-1.line",
        "variable_contactcentre_args": "line,anna",
    }
    fake.event("CHANNEL_PARK", **second)
    arrived = nodes.until(Arrived)
    assert (arrived.channel_id, arrived.args, arrived.up) == ("leg-1.line", ("line", "anna"), False)
    inbox = Heard()
    pbx.adopt("leg-1.line", inbox).answer()
    assert "api uuid_answer 77e8" in fake.lines
    fake.event("CHANNEL_ANSWER", Unique_ID="77e8")
    inbox.next(Answered)
    fake.event("CHANNEL_HANGUP_COMPLETE", **second, Hangup_Cause="NORMAL_CLEARING")
    assert inbox.next(Ended).channel_id == "leg-1.line"


@pytest.mark.usefixtures("nodes")
def test_a_called_leg_is_answered_when_it_is_in_our_hands(fake: FakeFreeSwitch, pbx: FreeSwitchPbx) -> None:
    fake.answers["originate"] = "+OK leg-1\n"
    inbox = call(pbx)
    fake.event("CHANNEL_PROGRESS", Unique_ID="leg-1")
    fake.event("CHANNEL_PROGRESS_MEDIA", Unique_ID="leg-1")
    fake.event("CHANNEL_ANSWER", Unique_ID="leg-1")
    inbox.next(Ringing)
    inbox.nothing_for(0.05)
    fake.event("CHANNEL_PARK", Unique_ID="leg-1")
    inbox.next(Answered)


def test_an_arrival_is_told_once_though_it_parks_again(fake: FakeFreeSwitch, pbx: FreeSwitchPbx, nodes: Heard) -> None:
    inbox = arrive(fake, pbx, nodes)
    fake.wait(lambda: "api uuid_setvar u1 contactcentre_told true" in fake.lines, "the mark")
    fake.event(
        "CHANNEL_PARK", Unique_ID="u1", variable_contactcentre_args="did,800", variable_contactcentre_told="true"
    )
    fake.event("CHANNEL_HANGUP_COMPLETE", Unique_ID="u1", Hangup_Cause="NORMAL_CLEARING")
    inbox.next(Ended)
    # its controller was killed meanwhile: the one after it does not take it for a new call
    fake.event(
        "CHANNEL_PARK", Unique_ID="u1", variable_contactcentre_args="did,800", variable_contactcentre_told="true"
    )
    nodes.nothing_for(0.1)


def test_digits_are_ours_only_and_only_such_as_are_digits(
    fake: FakeFreeSwitch, pbx: FreeSwitchPbx, nodes: Heard
) -> None:
    inbox = arrive(fake, pbx, nodes)
    fake.event("DTMF", Unique_ID="another", DTMF_Digit="1")
    fake.event("DTMF", Unique_ID="u1", DTMF_Digit="w")
    fake.event("DTMF", Unique_ID="u1", DTMF_Digit="5")
    assert inbox.next(Digit).digit == "5"


def test_what_is_set_on_a_channel_is_never_expanded(fake: FakeFreeSwitch, pbx: FreeSwitchPbx, nodes: Heard) -> None:
    arrive(fake, pbx, nodes)
    channel = pbx.adopt("u1", Heard())
    channel.set_variable("NOTE", "${system(id)}\n\napi shutdown")
    assert [line for line in fake.lines if " NOTE " in line][
        -1
    ] == "api uuid_setvar u1 NOTE %{system(id)}  api shutdown"
    with pytest.raises(Refused):
        channel.set_variable("A b", "c")


def test_that_a_channel_is_gone_is_found_out_whatever_is_said(
    fake: FakeFreeSwitch, pbx: FreeSwitchPbx, nodes: Heard
) -> None:
    arrive(fake, pbx, nodes)
    channel = pbx.adopt("u1", Heard())
    fake.answers |= {"uuid_answer": "-ERROR", "uuid_exists": "false"}
    with pytest.raises(Gone):
        channel.answer()
    fake.answers["uuid_exists"] = "true"
    with pytest.raises(Refused):
        channel.answer()


def test_malformed_events_are_counted_and_harm_nobody(fake: FakeFreeSwitch, pbx: FreeSwitchPbx, nodes: Heard) -> None:
    inbox = arrive(fake, pbx, nodes)
    fake.tell({"Event-Name": "DTMF"})
    fake.tell({"Event-Name": "CHANNEL_BRIDGE", "Unique-ID": "u1", "Event-Date-Timestamp": "1"})
    fake.tell({"Event-Name": "DTMF", "Unique-ID": "u1", "Event-Date-Timestamp": "soon", "DTMF-Digit": "1"})
    fake.tell({"Event-Name": "DTMF", "Unique-ID": "u1", "Event-Date-Timestamp": "9" * 400, "DTMF-Digit": "1"})
    fake.event("CHANNEL_HANGUP_COMPLETE", Unique_ID="${system(x)}", Hangup_Cause="NORMAL_CLEARING")
    fake.event("DTMF", Unique_ID="u1", DTMF_Digit="2")
    assert inbox.next(Digit).digit == "2"
    assert pbx.intake.malformed == 5
    assert not any("${" in line for line in fake.lines)


def test_a_restarted_pbx_has_none_of_our_channels_any_more(
    fake: FakeFreeSwitch, pbx: FreeSwitchPbx, nodes: Heard
) -> None:
    inbox = arrive(fake, pbx, nodes)
    fake.core = "core-2"
    fake.cut()
    nodes.next(LinkLost)
    nodes.next(LinkUp)
    inbox.next(Ended)
    assert len(pbx.legs) == 0


def test_who_comes_while_it_is_told_what_is_there_is_not_taken_for_gone(
    fake: FakeFreeSwitch, pbx: FreeSwitchPbx
) -> None:
    def told(command: Command) -> str:
        fake.event("CHANNEL_PARK", Unique_ID="u9", variable_contactcentre_args="did,800")
        return "+OK"

    fake.answers["hash_dump"] = told
    nodes, inbox = Heard(), Heard()
    pbx.start(nodes)
    pbx.adopt(nodes.until(Arrived).channel_id, inbox)
    assert inbox.all == []


def test_another_controller_of_ours_takes_our_place_and_of_others_does_not(
    fake: FakeFreeSwitch, pbx: FreeSwitchPbx, nodes: Heard
) -> None:
    told = {"Event_Subclass": "contactcentre::controller", "Controller": "another"}
    fake.event("CUSTOM", **told, Application="something-else")
    (own,) = [command for command in fake.seen if command.line == "sendevent CUSTOM"]
    fake.event("CUSTOM", **told | {"Controller": own.headers["controller"]}, Application="contactcentre")
    nodes.nothing_for(0.1)
    fake.event("CUSTOM", **told, Application="contactcentre")
    assert nodes.next(LinkLost).replaced


def test_a_spy_needs_somebody_to_spy_on(fake: FakeFreeSwitch, pbx: FreeSwitchPbx, nodes: Heard) -> None:
    fake.answers["uuid_exists"] = "false"
    with pytest.raises(Gone):
        pbx.spy("u1", spy_id="spy-1", mode=Mode.LISTEN, inbox=Heard())
    assert pbx.spies.targets() == {}


def test_the_door_takes_a_call_and_goes(fake: FakeFreeSwitch, pbx: FreeSwitchPbx, nodes: Heard) -> None:
    (told,) = [line for line in fake.lines if "global_setvar contactcentre_door=" in line]
    caller = FakeCall(int(told.rpartition(":")[2]))
    assert caller.closed.wait(60)
    lines = [command.line for command in caller.seen]
    assert lines[:2] == ["connect", "api hash insert/contactcentre/u1/1"]
    assert "contactcentre_app=contactcentre;contactcentre_next=taken" in lines[2]
    assert "park_after_bridge=true" in lines[2]


def test_without_a_link_the_door_sends_calls_back(fake: FakeFreeSwitch, pbx: FreeSwitchPbx) -> None:
    pbx.start(Heard())
    fake.close()
    caller = FakeCall(int(pbx._door.address.rpartition(":")[2]))
    assert caller.closed.wait(60)
    assert caller.seen == []


def test_seen_commands_have_no_line_breaks_of_others(fake: FakeFreeSwitch, pbx: FreeSwitchPbx, nodes: Heard) -> None:
    arrive(fake, pbx, nodes)
    with pytest.raises(Refused):
        pbx.adopt("u1\n\napi shutdown", Heard())
    assert all(isinstance(command, Command) and "shutdown" not in command.line for command in fake.seen)


def test_a_phone_that_hangs_up_after_its_transfer_key_has_asked_first(
    fake: FakeFreeSwitch, pbx: FreeSwitchPbx, nodes: Heard
) -> None:
    fake.answers["originate"] = "+OK leg-1\n"
    inbox, gone = call(pbx), {"Unique_ID": "leg-1", "Hangup_Cause": "NORMAL_CLEARING"}
    fake.event("CHANNEL_PARK", Unique_ID="leg-1")
    inbox.next(Answered)
    fake.event("CHANNEL_HANGUP_COMPLETE", **gone, variable_transfer_destination="blind:203")
    assert inbox.next(TransferAsked).target == "203"
    inbox.next(Ended)


def test_a_phone_that_registers_is_told_how_many_messages_wait(
    fake: FakeFreeSwitch, pbx: FreeSwitchPbx, nodes: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("contactcentre.pbx.freeswitch.lamps.TABLE_LAG", 0)
    fake.answers["global_getvar domain"] = "example.org"
    pbx.show_messages({"anna": (2, 1), "zoe": (4, 0)}, {"zoe": "1001"})
    for name in ("anna", "ben", "zoe", "1001"):
        named = {"from-user": name, "from-host": "example.org", "Event-Subclass": "sofia::register"}
        fake.tell({"Event-Name": "CUSTOM", **named})
    fake.wait(lambda: fake.lines.count("sendevent MESSAGE_WAITING") == 4, "both were told twice")
    told = [one.headers for one in fake.seen if one.line == "sendevent MESSAGE_WAITING"]
    assert [(one["mwi-message-account"], one["mwi-voice-message"]) for one in told] == [
        ("anna@example.org", "2/1 (0/0)"),
        ("1001@example.org", "4/0 (0/0)"),
    ] * 2
    with pytest.raises(Refused):
        pbx.show_messages({"anna": (1, 0)}, {"anna": "a b"})


@pytest.mark.parametrize(
    ("direction", "said", "phone"),
    [
        ("outbound", "-ERR No such channel!\n", Phone.FREE),  # it has ended, and the list does not say so yet
        ("outbound", "contactcentre", Phone.FREE),  # we called it, and it is just going
        ("outbound", "_undef_", Phone.IN_USE),  # a colleague called it
        ("inbound", "_undef_", Phone.IN_USE),
        ("inbound", "contactcentre", Phone.IN_USE),  # it dialled a code
    ],
)
@pytest.mark.usefixtures("nodes")
def test_a_phone_is_in_use_only_by_calls_that_are_there_and_not_of_our_making(
    fake: FakeFreeSwitch, pbx: FreeSwitchPbx, direction: str, said: str, phone: Phone
) -> None:
    row = {"uuid": "leg-1", "direction": direction, "name": "sofia/internal/anna@127.0.0.1:5070"}
    stranger = {"uuid": "call-1", "direction": "inbound", "name": "sofia/internal/0140@127.0.0.1"}
    fake.answers["show channels"] = json.dumps({"rows": [row, stranger]})
    fake.answers["uuid_getvar leg-1 contactcentre_app"] = said
    assert pbx.phones() == {"anna": phone}
    assert "api uuid_getvar call-1 contactcentre_app" not in fake.lines


@pytest.mark.parametrize(
    ("event", "codecs"),
    [
        ({"Channel-Read-Codec-Name": "PCMA", "variable_ep_codec_string": "CORE_PCM_MODULE.PCMU@8000h"}, ("PCMA",)),
        ({"variable_ep_codec_string": "CORE_PCM_MODULE.PCMU@8000h@20i,mod_opus.opus@48000h@20i"}, ("PCMU", "opus")),
        ({"Channel-Read-Codec-Name": "L16"}, ()),
        ({"Channel-Read-Codec-Name": "a b\n{x=y}"}, ()),
        ({}, ()),
    ],
)
def test_what_a_channel_speaks_is_in_its_events(event: dict[str, str], codecs: tuple[str, ...]) -> None:
    assert translate.heard_codecs(event) == codecs
