"""What every PBX driver must do with calls: arrive, be answered, be called, be bridged, end. Real SIP phones."""

from pathlib import Path

import gevent
import pytest

from contactcentre.lab import BUSY, DECLINE, IGNORE
from contactcentre.pbx.errors import Gone, PbxError, Refused
from contactcentre.pbx.events import Answered, Arrived, Cause, Digit, Ended, Left, LinkUp, Party, Ringing
from tests.pbx.bed import MUSIC, PATIENCE, Arrival, Bed, Heard, endings, told
from tests.waiting import eventually

AT_ONCE = 5.0
"""Seconds: sooner than anything that rings or plays ends by itself."""


def test_a_call_arrives_with_all_that_is_known_of_it(bed: Bed) -> None:
    arrived = bed.arrive("800123", caller="+33140123456", name="Jeanne").arrived
    assert arrived.args == ("did", "800123")
    assert (arrived.caller.number, arrived.caller.name) == ("+33140123456", "Jeanne")
    assert (arrived.dialled, arrived.endpoint, arrived.up) == ("800123", "lab", False)
    assert arrived.language == "en"
    assert abs(arrived.at - gevent.get_hub().loop.now()) < 86_400 * 365 * 100  # an epoch time, not a text


@pytest.mark.parametrize("name", ['"; rm -rf /', "a,b|c${SHELL(id)}", "Ünïcödé ☎", "<script>", "%0d%0aX: y", "x" * 120])
def test_a_hostile_caller_name_arrives_as_mere_text(bed: Bed, name: str) -> None:
    arrival = bed.arrive(name=name)
    assert arrival.arrived.args == ("did", "800")
    arrival.channel.answer()
    arrival.inbox.next(Answered)
    info = bed.pbx.inventory().channels[arrival.channel.id]
    assert info.caller == arrival.arrived.caller


def test_a_caller_hears_ringing_before_the_answer_and_is_answered(bed: Bed) -> None:
    arrival = bed.arrive()
    arrival.channel.ring()
    arrival.call.until("ringing")
    arrival.channel.answer()
    arrival.call.until("answered")
    arrival.inbox.next(Answered)


def test_what_happens_before_a_channel_is_adopted_is_kept_for_its_inbox(bed: Bed) -> None:
    arrival = bed.arrive(adopt=False)
    arrival.call.hang_up()
    arrival.call.wait(PATIENCE)
    gevent.sleep(0)
    with gevent.Timeout(PATIENCE):
        while bed.channels():
            gevent.sleep(0.02)
    try:
        bed.pbx.adopt(arrival.arrived.channel_id, arrival.inbox)
    except Gone:
        pytest.fail("its end was kept, so it can be adopted")
    arrival.inbox.next(Ended)


def test_a_caller_who_hangs_up_ends_once_and_at_once(bed: Bed) -> None:
    arrival = bed.arrive()
    arrival.channel.answer()
    arrival.inbox.next(Answered)
    arrival.call.until("answered")
    arrival.call.hang_up()
    ended = arrival.inbox.next(Ended, within=AT_ONCE)
    assert ended.cause is Cause.NORMAL
    arrival.inbox.nothing_for(1.5)
    with pytest.raises(Gone):
        bed.pbx.adopt(arrival.channel.id, arrival.inbox)


def test_a_caller_who_gives_up_before_the_answer_ends_once(bed: Bed) -> None:
    arrival = bed.arrive()
    arrival.channel.ring()
    arrival.call.until("ringing")
    arrival.call.hang_up()
    arrival.inbox.next(Ended, within=AT_ONCE)
    arrival.inbox.nothing_for(1.5)


@pytest.mark.parametrize(
    ("cause", "status"),
    [(Cause.BUSY, 486), (Cause.REJECTED, 403), (Cause.UNALLOCATED, 404), (Cause.CONGESTION, 503)],
)
def test_an_unanswered_call_is_refused_with_the_cause_that_was_asked_for(bed: Bed, cause: Cause, status: int) -> None:
    arrival = bed.arrive()
    arrival.channel.hangup(cause)
    assert arrival.inbox.next(Ended).cause is cause
    assert arrival.call.wait(PATIENCE).status == status


def test_verbs_on_a_channel_that_is_gone_say_so_and_hanging_it_up_is_no_error(bed: Bed) -> None:
    arrival = bed.arrive()
    bridge = bed.pbx.bridge(bed.name("bridge"))
    arrival.channel.hangup()
    arrival.inbox.next(Ended)
    channel = arrival.channel
    channel.hangup()
    channel.stop_playing("nothing")
    channel.stop_waiting()
    channel.stop_recording("nothing")
    for verb in (
        channel.answer,
        channel.ring,
        lambda: channel.play("p", ["tone:beep"]),
        lambda: channel.wait_with_music("default"),
        lambda: channel.set_variable("A", "b"),
        lambda: channel.tap("t"),
        lambda: channel.leave_to("elsewhere", "1"),
        lambda: channel.record("r", max_seconds=1, max_silence=0, terminate_on="#", beep=False),
        lambda: bridge.add(channel),
    ):
        with pytest.raises(Gone):
            verb()
    bridge.destroy()
    bridge.destroy()


def test_a_called_phone_rings_and_answers_in_our_hands(bed: Bed) -> None:
    with bed.phone("anna", ring=0.3, talk=None) as anna:
        channel, inbox = bed.call("anna")
        inbox.next(Ringing)
        assert "0140" in anna.wait_ringing()["caller"]
        inbox.next(Answered)
        assert bed.pbx.inventory().channels[channel.id].ours
        channel.hangup()
        inbox.next(Ended)
        assert told(bed.nodes, Arrived) == []


@pytest.mark.parametrize("auto_answer", [False, True], ids=["as usual", "by itself"])
def test_a_phone_is_asked_to_answer_by_itself_only_where_it_should(bed: Bed, auto_answer: bool) -> None:
    with bed.phone("anna", ring=0.3, talk=None) as anna:
        channel, _ = bed.call("anna", auto_answer=auto_answer)
        headers = {name.lower(): value for name, value in anna.wait_ringing()["headers"].items()}
        assert headers.get("call-info", "").endswith(";answer-after=0") is auto_answer
        assert ("info=alert-autoanswer" in headers.get("alert-info", "")) is auto_answer
        channel.hangup()


@pytest.mark.parametrize("codec", ["PCMA", "PCMU"])
@pytest.mark.parametrize("driver", ["that took the caller", "after it"])
def test_a_phone_is_offered_first_what_the_other_one_speaks(bed: Bed, codec: str, driver: str) -> None:
    arrival = bed.arrive(codec=codec)
    arrival.channel.answer()
    arrival.inbox.until(Answered)
    arrival.call.until("answered")
    pbx = bed.pbx
    if driver == "after it":
        bed.pbx.stop()
        pbx, nodes = bed.new_pbx(), Heard()
        pbx.start(nodes)
        nodes.next(LinkUp)
        pbx.adopt(arrival.channel.id, Heard())
    try:
        with bed.phone("ben", ring=0.1, talk=None) as ben:
            inbox = Heard()
            pbx.call(
                "ben",
                channel_id=bed.name("leg"),
                inbox=inbox,
                contact_id="c",
                caller=Party(),
                ring_seconds=9,
                beside=arrival.channel.id,
            )
            assert ben.wait_ringing()["offered"] == [codec, *({"PCMU", "PCMA"} - {codec})]
            inbox.until(Answered)
    finally:
        pbx.stop()


def test_whom_we_have_called_is_also_one_who_speaks_something(bed: Bed) -> None:
    with bed.phone("carla", ring=0.1, talk=None) as carla, bed.phone("ben", ring=0.1, talk=None) as ben:
        first, inbox = bed.call("carla")
        spoken = carla.wait_ringing()["offered"][0]
        inbox.until(Answered)
        second, inbox = bed.call("ben", beside=first.id)
        assert ben.wait_ringing()["offered"] == [spoken, *({"PCMU", "PCMA"} - {spoken})]
        inbox.until(Answered)
        for channel in (first, second):
            channel.hangup()


def test_without_a_word_about_the_other_one_a_phone_is_offered_all_it_may_speak(bed: Bed) -> None:
    with bed.phone("ben", ring=0.1, talk=None) as ben:
        channel, inbox = bed.call("ben", beside="nobody")
        assert ben.wait_ringing()["offered"] == ["PCMU", "PCMA"]
        inbox.until(Answered)
        channel.hangup()


@pytest.mark.parametrize(
    ("answer", "cause"), [(BUSY, Cause.BUSY), (DECLINE, Cause.REJECTED), (IGNORE, Cause.NO_ANSWER)], ids=str
)
def test_a_called_phone_that_does_not_answer_ends_with_the_reason(bed: Bed, answer: int, cause: Cause) -> None:
    with bed.phone("anna", answer=answer, ring=0.2):
        _, inbox = bed.call("anna", ring_seconds=1)
        assert inbox.until(Ended).cause is cause
        inbox.nothing_for(0.5)


@pytest.mark.parametrize("endpoint", ["ben", "nobody-has-this-name", "0140@nobody-has-this-name"])
def test_an_endpoint_that_cannot_be_reached_ends_at_once_as_unreachable(bed: Bed, endpoint: str) -> None:
    _, inbox = bed.call(endpoint)
    assert inbox.next(Ended, within=AT_ONCE).cause is Cause.UNREACHABLE
    inbox.nothing_for(0.5)


@pytest.mark.parametrize(
    "endpoint", ["", "a/b", "anna/sip:evil@example.org", "Local/1@elsewhere", "a,b", "1@2@lab&anna"]
)
def test_an_endpoint_that_is_syntax_is_refused(bed: Bed, endpoint: str) -> None:
    with pytest.raises(Refused):
        bed.call(endpoint)


def test_a_call_to_a_ringing_phone_can_be_taken_back(bed: Bed) -> None:
    with bed.phone("anna", ring=30) as anna:
        channel, inbox = bed.call("anna")
        inbox.next(Ringing)
        anna.wait_ringing()
        channel.hangup(Cause.ANSWERED_ELSEWHERE)
        inbox.next(Ended)
        assert not anna.wait_calls(1, PATIENCE)[0].answered


def test_bridged_they_hear_each_other_and_one_who_leaves_leaves_the_other(bed: Bed, tmp_path: Path) -> None:
    with bed.phone("anna", ring=0.1, talk=None, tone=800) as anna:
        arrival = bed.arrive(tone=400)
        arrival.channel.answer()
        bridge = bed.pbx.bridge(bed.name("bridge"))
        agent, inbox = bed.call("anna")
        inbox.until(Answered)
        bridge.add(arrival.channel, agent)
        arrival.call.until("person")
        anna.hear(0.5, tmp_path / "anna.wav").wait()  # the other way, too
        anna.hang_up()
        inbox.next(Ended)
        arrival.inbox.next(Answered)
        arrival.inbox.nothing_for(0.5)
        assert bed.pbx.inventory().bridges[bridge.id].channels == (arrival.channel.id,)
        assert anna.wait_calls(1)[0].served
        bridge.remove(arrival.channel)
        bridge.destroy()
        assert bridge.id not in bed.pbx.inventory().bridges


def test_a_bridge_takes_none_of_two_when_one_is_gone(bed: Bed) -> None:
    arrival, gone = bed.arrive(), bed.arrive()
    arrival.channel.answer()
    gone.channel.hangup()
    gone.inbox.next(Ended)
    bridge = bed.pbx.bridge(bed.name("bridge"))
    with pytest.raises(Gone):
        bridge.add(arrival.channel, gone.channel)
    assert bed.pbx.inventory().bridges[bridge.id].channels == ()


def test_a_bridge_made_twice_is_one(bed: Bed) -> None:
    name = bed.name("bridge")
    arrival = bed.arrive()
    arrival.channel.answer()
    bed.pbx.bridge(name).add(arrival.channel)
    again = bed.pbx.bridge(name)
    assert bed.pbx.inventory().bridges[name].channels == (arrival.channel.id,)
    again.destroy()
    arrival.inbox.next(Answered)
    arrival.inbox.nothing_for(0.3)  # still there: a bridge's end is not its channels'


def test_a_channel_given_back_to_the_dialplan_has_left_and_lives_on(bed: Bed) -> None:
    arrival = bed.arrive()
    arrival.channel.answer()
    arrival.inbox.next(Answered)
    arrival.channel.leave_to("elsewhere", "1")
    arrival.inbox.next(Left)
    # the PBX tells that it has left a moment before it says where it is now
    eventually(lambda: not bed.pbx.inventory().channels[arrival.channel.id].ours, "it is the dialplan's")
    arrival.call.hang_up()
    arrival.inbox.nothing_for(1)
    assert len(endings(arrival.inbox)) == 1


def test_a_feature_code_arrives_with_the_phone_it_was_dialled_from(bed: Bed) -> None:
    with bed.phone("anna") as anna:
        call = anna.dial("*45", talk=None, patience=None)
        arrived = bed.nodes.until(Arrived)
        assert arrived.args == ("feature", "*45", "anna")
        assert arrived.endpoint == "anna"
        bed.pbx.adopt(arrived.channel_id, lambda event: None).hangup()
        call.wait(PATIENCE)


def test_digits_come_in_their_order(bed: Bed) -> None:
    arrival = bed.arrive()
    arrival.channel.answer()
    arrival.inbox.next(Answered)
    arrival.call.until("answered")
    arrival.call.send_digits("1290*#")
    assert "".join(arrival.inbox.next(Digit).digit for _ in range(6)) == "1290*#"


def test_the_inventory_tells_ours_from_others_and_to_which_contact_they_belong(bed: Bed) -> None:
    with bed.phone("anna", ring=30), bed.phone("ben", ring=0, talk=None):
        arrival = bed.arrive()
        arrival.channel.set_variable("CONTACT_ID", "contact-of-the-caller")
        ringing, inbox = bed.call("anna", "contact-1")
        inbox.next(Ringing)
        talking, inbox = bed.call("ben", "contact-2")
        inbox.until(Answered)
        with gevent.Timeout(PATIENCE):  # an Asterisk 18 sets a variable up to 0.2 s after it said so
            while not (channels := bed.pbx.inventory().channels)[arrival.channel.id].contact_id:
                gevent.sleep(0.02)
        assert set(channels) == {arrival.channel.id, ringing.id, talking.id}
        assert (channels[arrival.channel.id].ours, channels[arrival.channel.id].up) == (True, False)
        assert channels[arrival.channel.id].contact_id == "contact-of-the-caller"
        assert (channels[ringing.id].ours, channels[ringing.id].contact_id) == (False, "contact-1")
        assert (channels[talking.id].ours, channels[talking.id].contact_id) == (True, "contact-2")
        assert channels[talking.id].endpoint == "ben"
        assert channels[talking.id].created_at > 1_600_000_000


def test_an_inbox_that_fails_harms_nobody_else(bed: Bed) -> None:
    def broken(event: object) -> None:
        raise RuntimeError("an inbox with a bug")

    arrival, other = bed.arrive(), bed.arrive()
    bed.pbx.adopt(arrival.channel.id, broken)
    arrival.channel.answer()
    other.channel.answer()
    other.inbox.next(Answered)
    arrival.channel.hangup()
    other.channel.hangup()
    other.inbox.next(Ended)


def test_two_calls_at_once_do_not_mix_their_events(bed: Bed) -> None:
    arrivals = [bed.arrive(f"80{n}") for n in range(5)]
    for arrival in arrivals:
        arrival.channel.answer()
        arrival.call.until("answered")
    for n, arrival in enumerate(arrivals):
        arrival.call.send_digits(str(n))
    for n, arrival in enumerate(arrivals):
        arrival.inbox.next(Answered)
        assert arrival.inbox.next(Digit).digit == str(n)
        assert all(event.channel_id == arrival.channel.id for event in arrival.inbox.all)


def test_a_verb_that_makes_no_sense_is_refused_with_a_reason(bed: Bed) -> None:
    arrival = bed.arrive()
    for media in (
        "",
        "noscheme",
        "sound:../../etc/passwd",
        "sound:a,sound:b",
        "number:x",
        "silence:-1",
        "digits:1;2",
    ):
        with pytest.raises(Refused, match="medium"):
            arrival.channel.play("p", [media])
    with pytest.raises(PbxError):
        arrival.channel.set_variable("A" * 70_000, "b")


def test_thirty_calls_at_once_leave_nothing_behind(bed: Bed) -> None:
    before = set(bed.pbx.inventory().bridges)

    def serve(number: int) -> Arrival:
        arrival = arrivals[number]
        arrival.channel.answer()
        arrival.inbox.next(Answered)
        arrival.channel.wait_with_music(MUSIC)
        arrival.channel.play(bed.name("play"), ["digits:123"])
        arrival.channel.tap(bed.name("tap"))
        if number % 3 == 0:
            arrival.channel.hangup()
        elif number % 3 == 1:
            arrival.call.hang_up()
        else:
            bridge = bed.pbx.bridge(bed.name("bridge"))
            bridge.add(arrival.channel)
            arrival.call.hang_up()
            arrival.inbox.until(Ended)
            bridge.destroy()
            return arrival
        arrival.inbox.until(Ended)
        return arrival

    arrivals = [bed.arrive(f"8{number:02}") for number in range(30)]
    served = [gevent.spawn(serve, number) for number in range(30)]
    gevent.joinall(served, timeout=30, raise_error=True)
    assert [len(endings(greenlet.get().inbox)) for greenlet in served] == [1] * 30
    with gevent.Timeout(PATIENCE):
        while bed.channels():
            gevent.sleep(0.05)
    inventory = bed.pbx.inventory()
    assert inventory.channels == {}
    assert [b.kind for name, b in inventory.bridges.items() if name not in before] in ([], ["holding"])
    assert not any(bridge.channels for bridge in inventory.bridges.values())
