"""What every PBX driver must do when the link, the PBX or another controller comes and goes."""

import gevent
import pytest

from contactcentre.pbx.asterisk import connection as asterisk
from contactcentre.pbx.errors import Gone, LinkDown
from contactcentre.pbx.events import (
    Answered,
    Arrived,
    Digit,
    Ended,
    EndpointChanged,
    LinkLost,
    LinkUp,
    Phone,
    PlaybackEnded,
    RecordingEnded,
)
from contactcentre.pbx.freeswitch import connection as freeswitch
from contactcentre.pbx.protocol import Channel
from tests.pbx.bed import PATIENCE, Bed, Heard, told
from tests.pbx.spectrum import seconds
from tests.waiting import eventually


def test_a_cut_link_is_told_and_comes_back_and_calls_go_on(bed: Bed) -> None:
    with bed.phone("anna", ring=0, talk=None):
        arrival = bed.arrive()
        arrival.channel.answer()
        arrival.inbox.next(Answered)
        arrival.call.until("answered")
        agent, inbox = bed.call("anna")
        inbox.until(Answered)
        bed.cut()
        lost = bed.nodes.until(LinkLost)
        assert lost.reason
        assert not lost.replaced
        bed.nodes.until(LinkUp)
        name = bed.name("play")
        agent.play(name, ["tone:beep"])
        assert inbox.next(PlaybackEnded).playback_id == name
        arrival.call.send_digits("5")
        assert arrival.inbox.next(Digit).digit == "5"
        arrival.call.hang_up()
        arrival.inbox.next(Ended)
        agent.hangup()
        inbox.next(Ended)


def ring_on(channel: Channel) -> None:
    while True:
        channel.ring()
        gevent.sleep(0)


def test_requests_under_way_or_made_without_a_link_fail_at_once(bed: Bed) -> None:
    arrival = bed.arrive()
    bed.cut()
    with gevent.Timeout(10), pytest.raises(LinkDown):
        ring_on(arrival.channel)
    bed.nodes.until(LinkUp)
    arrival.channel.ring()


def test_who_hung_up_while_the_link_was_cut_has_ended_before_the_link_is_up(bed: Bed) -> None:
    gone, stays = bed.arrive(), bed.arrive()
    bed.pbx.stop()
    gone.call.hang_up()
    gone.call.wait(PATIENCE)
    with gevent.Timeout(PATIENCE):
        while bed.channels() > 1:
            gevent.sleep(0.02)
    bed.pbx.start(bed.nodes)
    bed.nodes.until(LinkUp)
    assert [type(event) for event in gone.inbox.all] == [Ended]
    assert stays.inbox.all == []
    stays.channel.answer()
    stays.inbox.next(Answered)


def test_what_ended_while_the_link_was_cut_is_told_when_it_is_back(bed: Bed) -> None:
    playing, recording, recorded = bed.arrive(), bed.arrive(tone=400), bed.arrive(tone=400)
    for arrival in (playing, recording, recorded):
        arrival.channel.answer()
        arrival.inbox.next(Answered)
    played, long, short = bed.name("play"), bed.name("voicemail"), bed.name("voicemail")
    limits = {"max_silence": 0.0, "terminate_on": "", "beep": False}
    tap = playing.channel.tap(bed.name("tap"))
    playing.channel.play(played, ["tone:beep"])
    recording.channel.record(long, max_seconds=60, **limits)
    recorded.channel.record(short, max_seconds=1, **limits)
    bed.pbx.stop()
    gevent.sleep(1.5)  # in which prompt and short recording end
    bed.pbx.start(bed.nodes)
    bed.nodes.until(LinkUp)
    assert playing.inbox.next(PlaybackEnded).playback_id == played
    ended = recorded.inbox.next(RecordingEnded)
    assert (ended.name, ended.ok) == (short, True)
    recording.inbox.nothing_for(0)
    recording.channel.stop_recording(long)
    assert recording.inbox.next(RecordingEnded).name == long
    assert seconds(b"".join(bed.pbx.recording(tap.stop()["left"]))) > 1


def test_a_tap_whose_channel_ended_while_the_link_was_cut_stops_at_once(bed: Bed) -> None:
    arrival = bed.arrive(tone=400)
    arrival.channel.answer()
    arrival.call.until("answered")
    tap = arrival.channel.tap(bed.name("tap"))
    bed.pbx.stop()
    arrival.call.hang_up()
    arrival.call.wait(PATIENCE)
    bed.pbx.start(bed.nodes)
    bed.nodes.until(LinkUp)
    arrival.inbox.until(Ended)
    with gevent.Timeout(1):
        tap.stop()


def test_a_tap_that_is_stopped_without_a_link_ends_when_it_is_back(bed: Bed) -> None:
    arrival = bed.arrive(tone=400)
    arrival.channel.answer()
    arrival.call.until("answered")
    tap = arrival.channel.tap(bed.name("tap"))
    running = bed.channels()
    bed.pbx.stop()
    with gevent.Timeout(6):
        names = tap.stop()
    assert bed.channels() == running
    bed.pbx.start(bed.nodes)
    bed.nodes.until(LinkUp)
    with gevent.Timeout(PATIENCE):
        while bed.channels() != 1:
            gevent.sleep(0.02)
    for name in names.values():
        eventually(lambda: has_ended(bed, name), "the file is whole")  # noqa: B023


def has_ended(bed: Bed, name: str) -> bool:
    try:
        return bool(b"".join(bed.pbx.recording(name)))
    except Gone:
        return False


def test_a_second_controller_takes_over_and_the_first_is_told_to_stop(bed: Bed) -> None:
    arrival = bed.arrive()
    arrival.channel.answer()
    arrival.call.until("answered")
    arrival.channel.wait_with_music("default")
    second, nodes = bed.new_pbx(), Heard()
    second.start(nodes)
    try:
        nodes.next(LinkUp)
        assert bed.nodes.until(LinkLost).replaced
        with pytest.raises(LinkDown):
            arrival.channel.ring()
        found = second.inventory()
        assert found.channels[arrival.channel.id].ours
        inbox = Heard()
        channel = second.adopt(arrival.channel.id, inbox)
        channel.stop_waiting()
        assert all(arrival.channel.id not in b.channels for b in second.inventory().bridges.values())
        channel.play(bed.name("play"), ["tone:beep"])
        inbox.next(PlaybackEnded)
        arrival.call.hang_up()
        inbox.next(Ended)
        bed.nodes.nothing_for(1.5, but=EndpointChanged)  # it does not come back
    finally:
        second.stop()


def test_who_may_send_nothing_any_more_keeps_the_link_and_hears_who_calls(
    bed: Bed, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (asterisk, freeswitch):
        monkeypatch.setattr(module, "PING_EVERY", 0.05)
    asked, allowed = [0], [True]

    def may_act() -> bool:
        asked[0] += 1
        return allowed[0]

    second, nodes = bed.new_pbx(may_act), Heard()
    second.start(nodes)
    try:
        nodes.next(LinkUp)
        allowed[0], before = False, asked[0]
        eventually(lambda: asked[0] > before + 5, "signs of life were due")
        call = bed.dial("800", talk=None, patience=None)
        assert nodes.until(Arrived).args == ("did", "800")
        assert told(nodes, LinkLost) == []
        call.hang_up()
    finally:
        second.stop()


def test_adopting_a_channel_that_is_not_there_says_gone(bed: Bed) -> None:
    with pytest.raises(Gone):
        bed.pbx.adopt("there-is-no-such-channel", lambda event: None)


def test_phones_that_come_and_go_are_noticed(bed: Bed) -> None:
    assert bed.pbx.phones()["carla"] is Phone.AWAY
    with bed.phone("carla"):
        eventually(lambda: bed.pbx.phones()["carla"] is Phone.FREE, "it is told a moment after she is taken in")
        assert of_carla(bed) is Phone.FREE
    assert of_carla(bed) is Phone.AWAY


def of_carla(bed: Bed) -> Phone:
    """The next that is told of her phone; phones of the test before may have just gone."""
    while (changed := bed.nodes.until(EndpointChanged)).endpoint != "carla":
        pass
    return changed.phone


def test_without_a_controller_a_caller_falls_through_to_the_dialplan(bed: Bed) -> None:
    bed.pbx.stop()
    call = bed.dial("800", talk=None, patience=None)
    call.until("answered")
    call.hang_up()
    assert told(bed.nodes, Arrived) == []


def test_calls_are_led_to_us_as_long_as_we_said_that_we_stay_and_elsewhere_after_that(bed: Bed) -> None:
    try:
        bed.pbx.stay(3600)
        assert bed.arrive().arrived.args == ("did", "800")
        bed.pbx.stay(-2)  # as if we had hung since then; the link is there
        call = bed.dial("801", talk=None, patience=None)
        call.until("answered")
        assert len(told(bed.nodes, Arrived)) == 1, "the dialplan answered the second one"
        call.hang_up()
    finally:
        bed.pbx.stay(86_400)  # for the tests after this one, which say nothing
