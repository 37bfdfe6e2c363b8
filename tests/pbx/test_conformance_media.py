"""What every PBX driver must do with sound: prompts, music, digits over it, recordings of one side and of both."""

import time
from pathlib import Path

import gevent
import pytest

from contactcentre.pbx.errors import Gone, Refused
from contactcentre.pbx.events import Answered, Digit, Ended, LinkUp, PlaybackEnded, RecordingEnded
from contactcentre.pbx.protocol import Channel
from tests.pbx.bed import MUSIC, PATIENCE, Arrival, Bed, Heard
from tests.pbx.spectrum import loud_from, seconds, share


def answered(bed: Bed, **plan: object) -> Arrival:
    arrival = bed.arrive(**plan)  # type: ignore[arg-type]
    arrival.channel.answer()
    arrival.inbox.next(Answered)
    arrival.call.until("answered")
    return arrival


def test_several_media_are_played_one_after_the_other_and_end_once(bed: Bed) -> None:
    arrival = answered(bed)
    name = bed.name("play")
    arrival.channel.play(name, ["digits:12", "tone:beep", "silence:1", "number:7"])
    ended = arrival.inbox.next(PlaybackEnded)
    assert (ended.playback_id, ended.ok) == (name, True)
    arrival.inbox.nothing_for(0.5)


def test_a_caller_hears_what_is_played(bed: Bed, tmp_path: Path) -> None:
    heard = tmp_path / "heard.wav"
    arrival = answered(bed, heard=heard)
    arrival.channel.play(bed.name("play"), ["sound:vm-goodbye"])
    arrival.inbox.next(PlaybackEnded)
    arrival.call.hang_up()
    arrival.call.wait(PATIENCE)
    assert loud_from(heard) < 1


def test_a_missing_prompt_ends_at_once_and_not_ok(bed: Bed) -> None:
    arrival = answered(bed)
    arrival.channel.play(bed.name("play"), ["sound:there-is-no-such-prompt"])
    assert not arrival.inbox.next(PlaybackEnded).ok


@pytest.mark.parametrize("medium", ["digits:1234567890", "sound:vm-goodbye", "number:77"])
def test_what_plays_can_be_stopped_and_nothing_that_was_to_follow_is_played(bed: Bed, medium: str) -> None:
    arrival = answered(bed)
    name = bed.name("play")
    arrival.channel.play(name, [medium, "silence:10", "silence:10"])
    gevent.sleep(0.2)  # it shall be stopped in its middle
    arrival.channel.stop_playing(name)
    assert arrival.inbox.next(PlaybackEnded, within=15).playback_id == name
    arrival.channel.stop_playing(name)


def test_a_hangup_while_a_prompt_plays_ends_playback_and_channel(bed: Bed) -> None:
    arrival = answered(bed)
    arrival.channel.play(bed.name("play"), ["silence:10"])
    arrival.call.hang_up()
    arrival.inbox.until(Ended)


def test_who_waits_hears_music_and_prompts_and_can_press_digits(bed: Bed, tmp_path: Path) -> None:
    heard = tmp_path / "heard.wav"
    arrival = answered(bed, heard=heard)
    arrival.channel.wait_with_music(MUSIC)
    (room,) = [b for b in bed.pbx.inventory().bridges.values() if arrival.channel.id in b.channels]
    assert room.kind == "holding"
    gevent.sleep(1)  # of music
    arrival.channel.play(bed.name("play"), ["sound:vm-goodbye"])
    arrival.inbox.next(PlaybackEnded)
    arrival.call.send_digits("7")
    assert arrival.inbox.next(Digit).digit == "7"
    arrival.channel.play(bed.name("play"), ["digits:1234567890"])
    arrival.call.send_digits("8")
    assert arrival.inbox.next(Digit).digit == "8"
    arrival.channel.stop_waiting()
    arrival.channel.stop_waiting()
    assert all(arrival.channel.id not in b.channels for b in bed.pbx.inventory().bridges.values())
    arrival.call.hang_up()
    arrival.call.wait(PATIENCE)
    assert loud_from(heard) < 1


def test_who_waits_is_bridged_at_once_and_can_wait_again(bed: Bed) -> None:
    with bed.phone("anna", ring=0.1, talk=None) as anna:
        arrival = answered(bed)
        arrival.channel.wait_with_music(MUSIC)
        bridge = bed.pbx.bridge(bed.name("bridge"))
        agent, inbox = bed.call("anna")
        inbox.until(Answered)
        bridge.add(arrival.channel, agent)
        arrival.call.until("person")
        bridges = bed.pbx.inventory().bridges
        assert [b.id for b in bridges.values() if arrival.channel.id in b.channels] == [bridge.id]
        arrival.channel.wait_with_music(MUSIC)
        bridges = bed.pbx.inventory().bridges
        assert [b.kind for b in bridges.values() if arrival.channel.id in b.channels] == ["holding"]
        assert bridges[bridge.id].channels == (agent.id,)
        anna.hang_up()
        inbox.next(Ended)


def test_a_waiting_room_that_was_destroyed_is_opened_again(bed: Bed) -> None:
    first = answered(bed)
    first.channel.wait_with_music(MUSIC)
    (room,) = [b for b in bed.pbx.inventory().bridges.values() if first.channel.id in b.channels]
    first.call.hang_up()
    first.inbox.next(Ended)
    bed.pbx.bridge(room.id).destroy()
    second = answered(bed)
    second.channel.wait_with_music(MUSIC)
    assert second.channel.id in bed.pbx.inventory().bridges[room.id].channels


def test_a_tap_has_what_the_leg_says_on_the_left_and_what_it_hears_on_the_right(bed: Bed) -> None:
    with bed.phone("anna", ring=0.1, talk=None, tone=800) as anna:
        arrival = answered(bed, tone=400)
        bridge = bed.pbx.bridge(bed.name("bridge"))
        agent, inbox = bed.call("anna")
        inbox.until(Answered)
        bridge.add(arrival.channel, agent)
        arrival.call.until("person")
        began = time.monotonic()
        tap = arrival.channel.tap(bed.name("tap"))
        gevent.sleep(2)  # of talk
        names = tap.stop()
        lasted = time.monotonic() - began
        assert set(names) == {"left", "right"}
        files = {side: b"".join(bed.pbx.recording(name)) for side, name in names.items()}
        assert share(files["left"], 400) > 0.9
        assert share(files["left"], 800) < 0.02
        assert share(files["right"], 800) > 0.9
        assert share(files["right"], 400) < 0.02
        assert seconds(files["left"]) == pytest.approx(lasted, abs=0.4)
        assert seconds(files["right"]) == pytest.approx(seconds(files["left"]), abs=0.1)
        assert abs(tap.started["left"] - tap.started["right"]) < 0.05
        # the snoops are tools: nobody sees them, nothing of them stays
        assert set(bed.pbx.inventory().channels) == {arrival.channel.id, agent.id}
        assert bed.channels() == 2
        anna.hang_up()
        inbox.next(Ended)
        arrival.inbox.nothing_for(0.1)
        for name in names.values():
            bed.pbx.delete_recording(name)
            bed.pbx.delete_recording(name)
            with pytest.raises(Gone):
                b"".join(bed.pbx.recording(name))


def test_a_tap_ends_with_its_channel_and_its_files_are_whole(bed: Bed) -> None:
    arrival = answered(bed, tone=400)
    bridge = bed.pbx.bridge(bed.name("bridge"))
    bridge.add(arrival.channel)
    tap = arrival.channel.tap(bed.name("tap"))
    gevent.sleep(1)  # of talk
    arrival.call.hang_up()
    arrival.inbox.next(Ended)
    names = tap.stop()
    assert share(b"".join(bed.pbx.recording(names["left"])), 400) > 0.9
    assert bed.channels() == 0
    assert tap.stop() == names


def test_a_tap_of_an_earlier_controller_is_taken_over(bed: Bed) -> None:
    arrival = answered(bed, tone=400)
    name = bed.name("tap")
    arrival.channel.tap(name)
    assert arrival.channel.tap(name).id == name
    bed.pbx.stop()
    following, nodes = bed.new_pbx(), Heard()
    following.start(nodes)
    try:
        nodes.next(LinkUp)
        channel = following.adopt(arrival.channel.id, Heard())
        gevent.sleep(0.5)  # of talk
        names = channel.tap(name).stop()
        assert bed.channels() == 1
        assert seconds(b"".join(following.recording(names["left"]))) > 0.3
    finally:
        following.stop()


def test_a_recording_ends_by_digit_and_has_what_was_said(bed: Bed) -> None:
    arrival = answered(bed, tone=400)
    name = bed.name("voicemail")
    arrival.channel.record(name, max_seconds=30, max_silence=0, terminate_on="#", beep=True)
    gevent.sleep(1.5)  # of message
    arrival.call.send_digits("#")
    ended = arrival.inbox.until(RecordingEnded)
    assert (ended.name, ended.ok) == (name, True)
    assert share(b"".join(bed.pbx.recording(name)), 400) > 0.8


def test_a_recording_that_is_still_on_the_pbx_can_be_played_to_somebody_else(bed: Bed, tmp_path: Path) -> None:
    speaker, heard = answered(bed, tone=400), tmp_path / "heard.wav"
    name = bed.name("voicemail")
    speaker.channel.record(name, max_seconds=1, max_silence=0, terminate_on="#", beep=False)
    speaker.inbox.next(RecordingEnded)
    listener = answered(bed, tone=0, heard=heard)
    listener.channel.play(bed.name("play"), [f"recording:{name}"])
    assert listener.inbox.next(PlaybackEnded).ok
    with pytest.raises(Refused, match="not on the PBX"):
        listener.channel.play(bed.name("play"), ["recording:there-is-none"])
    listener.call.hang_up()
    listener.call.wait(PATIENCE)
    assert share(heard, 400) > 0.8


@pytest.mark.parametrize("tone", [400, 0], ids=["speech", "silence"])
def test_a_recording_ends_at_its_limit(bed: Bed, tone: int) -> None:
    arrival = answered(bed, tone=tone)
    name = bed.name("voicemail")
    arrival.channel.record(name, max_seconds=1, max_silence=0, terminate_on="#", beep=False)
    assert arrival.inbox.next(RecordingEnded).name == name


def test_a_recording_can_be_stopped_and_survives_the_callers_hangup(bed: Bed) -> None:
    arrival = answered(bed, tone=400)
    first, second = bed.name("voicemail"), bed.name("voicemail")
    limits = {"max_seconds": 30.0, "max_silence": 0.0}
    arrival.channel.record(first, **limits, terminate_on="", beep=False)
    gevent.sleep(0.5)
    arrival.channel.stop_recording(first)
    assert arrival.inbox.next(RecordingEnded).ok
    arrival.channel.record(second, **limits, terminate_on="", beep=False)
    gevent.sleep(0.5)
    arrival.call.hang_up()
    assert arrival.inbox.next(RecordingEnded).name == second
    arrival.inbox.next(Ended)
    for name in (first, second):
        assert seconds(b"".join(bed.pbx.recording(name))) > 0.3


@pytest.mark.parametrize("medium", ["silence:9", "number:777777"])
def test_a_verb_for_a_channel_that_is_played_to_keeps_nobody_else_waiting(bed: Bed, medium: str) -> None:
    """Asterisk does such verbs after the prompt, and with them everything that follows on the same websocket."""
    played_to, other = answered(bed), answered(bed)
    with bed.phone("anna", ring=0, talk=None):
        agent, inbox = bed.call("anna")
        inbox.until(Answered)
        played_to.channel.wait_with_music(MUSIC)
        played_to.channel.play(bed.name("play"), [medium])
        gevent.sleep(0.2)  # so that it plays
        slow = gevent.spawn(bed.pbx.bridge(bed.name("bridge")).add, played_to.channel, agent)
        gevent.sleep(0.01)
        with gevent.Timeout(3):  # sooner than the prompt ends
            other.channel.set_variable("A", "b")
        slow.get(timeout=PATIENCE)
        played_to.call.until("person", 3)
        inbox.nothing_for(0)


@pytest.mark.parametrize("leaves", ["hangs up", "is bridged", "is taken out"])
def test_who_enters_after_the_last_one_left_hears_music(bed: Bed, tmp_path: Path, leaves: str) -> None:
    """Asterisk turns a room's music off when it becomes empty."""
    heard = tmp_path / "heard.wav"
    first, second = answered(bed), answered(bed, heard=heard)
    bridge = bed.pbx.bridge(bed.name("bridge"))
    first.channel.wait_with_music(MUSIC)
    if leaves == "hangs up":
        first.call.hang_up()
    elif leaves == "is bridged":
        bridge.add(first.channel)
    else:
        first.channel.stop_waiting()
    second.channel.wait_with_music(MUSIC)
    gevent.sleep(1.5)  # of music
    second.call.hang_up()
    second.call.wait(PATIENCE)
    assert loud_from(heard) < 1


def counted(channel: Channel) -> int:
    """Waits until more has come from it, and answers how much."""
    before = channel.packets()
    with gevent.Timeout(PATIENCE):
        while (now := channel.packets()) <= before:
            gevent.sleep(0.05)
    return now


def test_what_comes_from_phones_is_counted_alone_and_in_a_bridge_until_they_hang_up(bed: Bed) -> None:
    with bed.phone("anna", ring=0.1, talk=None, tone=800) as anna:
        arrival = answered(bed, tone=400)
        alone = counted(arrival.channel)
        bridge = bed.pbx.bridge(bed.name("bridge"))
        agent, inbox = bed.call("anna")
        inbox.until(Answered)
        bridge.add(arrival.channel, agent)
        arrival.call.until("person")
        assert counted(arrival.channel) > alone
        counted(agent)
        agent.mute()
        counted(agent)
        anna.hang_up()
        inbox.until(Ended)
        with pytest.raises(Gone):
            agent.packets()


def test_while_nothing_comes_from_a_phone_nothing_is_counted(bed: Bed) -> None:
    arrival = answered(bed)
    counted(arrival.channel)
    arrival.call.hold()
    with gevent.Timeout(PATIENCE):  # what was on the way is counted yet
        before = -1
        while (now := arrival.channel.packets()) != before:
            before = now
            gevent.sleep(0.5)  # in which a phone that talks sends 25
    arrival.call.resume()
    counted(arrival.channel)
