"""Calls in the hands of agents, as every PBX driver must have them: who hears whom is measured."""

import time

import gevent
import pytest

from contactcentre.lab import OngoingCall, Phone
from contactcentre.pbx.errors import Gone, Refused
from contactcentre.pbx.events import Digit, Ended, LinkUp, PlaybackEnded
from contactcentre.pbx.protocol import MAX_DIGITS, Mode
from tests.pbx.bed import MUSIC, MUSIC_TONE, PATIENCE, Heard
from tests.pbx.scene import ANNA, BEN, CUSTOMER, SETTLE, Scene
from tests.pbx.spectrum import loudness, seconds, share


def test_in_a_bridge_of_three_everybody_hears_the_other_two(scene: Scene) -> None:
    customer, anna, ben = scene.customer(), scene.agent("anna"), scene.agent("ben")
    scene.together(customer, anna, ben)
    assert scene.heard() == {"customer": {"anna", "ben"}, "anna": {"customer", "ben"}, "ben": {"customer", "anna"}}


@pytest.mark.parametrize("others", [1, 2])
def test_a_muted_party_is_heard_by_nobody_and_still_hears(scene: Scene, others: int) -> None:
    customer, anna = scene.customer(), scene.agent("anna")
    rest = [scene.agent("ben")] if others == 2 else []
    scene.together(customer, anna, *rest)
    before = scene.heard()
    anna.channel.mute()
    anna.channel.mute()
    after = scene.heard()
    assert after["anna"] == before["anna"] >= {"customer"}
    assert {name for name, heard in after.items() if "anna" in heard} == set()
    anna.channel.unmute()
    anna.channel.unmute()
    assert scene.heard() == before


def test_who_is_alone_in_a_bridge_hears_ringing_until_somebody_is_there_and_its_keys_are_told_meanwhile(
    scene: Scene,
) -> None:
    customer, anna = scene.customer(), scene.agent("anna")
    together = scene.bed.pbx.bridge(scene.together(anna))
    anna.channel.ring()
    assert isinstance(anna.end, Phone)
    cadence = anna.end.hear(12.0, scene.file("ringing")).wait()
    assert loudness(cadence, 6.0) > 100, "a country's ringing sounds at least once within 6 s, again and again"
    anna.end.send_digits("5")
    assert anna.inbox.until(Digit).digit == "5"
    anna.channel.stop_ringing()
    anna.channel.stop_ringing()
    together.add(customer.channel)
    assert scene.heard() == {"customer": {"anna"}, "anna": {"customer"}}


def test_digits_reach_the_party_and_nobody_else(scene: Scene) -> None:
    customer, anna = scene.customer(), scene.agent("anna")
    scene.together(customer, anna)
    customer.channel.send_digits("12*A#0")
    scene.bed.pbx.bridge(scene.bed.name("bridge")).add(anna.channel)  # waits for nobody's digits
    assert isinstance(customer.end, OngoingCall)
    assert isinstance(anna.end, Phone)
    gevent.sleep(6 * 0.2 + SETTLE)
    customer.end.hang_up()
    assert customer.end.wait(PATIENCE).digits_heard == "12*A#0"
    anna.end.hang_up()
    assert anna.end.wait_calls()[0].digits_heard == ""


@pytest.mark.parametrize("absorb", [True, False])
def test_digits_pressed_in_a_bridge_are_told_and_passed_on_or_not(scene: Scene, absorb: bool) -> None:
    """Between two phones without a recording: what Asterisk likes best to let pass unread."""
    customer, anna = scene.customer(), scene.agent("anna")
    bridge = scene.bed.pbx.bridge(scene.bed.name("bridge"), digits=True)
    bridge.add(customer.channel)
    bridge.add(anna.channel, absorb=absorb)
    assert isinstance(customer.end, OngoingCall)
    assert isinstance(anna.end, Phone)
    anna.end.send_digits("*2")
    assert [anna.inbox.next(Digit).digit for _ in "*2"] == ["*", "2"]
    customer.end.send_digits("7")
    assert customer.inbox.next(Digit).digit == "7"
    gevent.sleep(SETTLE)
    customer.end.hang_up()
    assert customer.end.wait(PATIENCE).digits_heard == ("" if absorb else "*2")
    anna.end.hang_up()
    assert anna.end.wait_calls()[0].digits_heard == "7"


def test_while_digits_are_sent_to_a_channel_verbs_for_others_do_not_wait(scene: Scene) -> None:
    customer, anna = scene.customer(), scene.agent("anna")
    bridge = scene.bed.pbx.bridge(scene.bed.name("bridge"))
    customer.channel.send_digits("1234567890")
    joining = gevent.spawn(bridge.add, customer.channel, anna.channel)
    gevent.sleep(0.01)
    with gevent.Timeout(2):  # sooner than ten digits are sent
        anna.channel.set_variable("A", "b")
    joining.get(timeout=PATIENCE)
    assert scene.heard() == {"customer": {"anna"}, "anna": {"customer"}}


@pytest.mark.parametrize("digits", ["", "12,3", "1w2", "1" * (MAX_DIGITS + 1), "é"])
def test_what_are_no_digits_is_refused_and_not_sent(scene: Scene, digits: str) -> None:
    customer = scene.customer()
    with pytest.raises(Refused, match="digits"):
        customer.channel.send_digits(digits)
    assert isinstance(customer.end, OngoingCall)
    customer.end.hang_up()
    assert customer.end.wait(PATIENCE).digits_heard == ""


def test_a_paused_recording_is_silent_and_not_shorter(scene: Scene) -> None:
    bed, customer, anna = scene.bed, scene.customer(), scene.agent("anna")
    scene.together(customer, anna)
    began = time.monotonic()
    tap = customer.channel.tap(bed.name("tap"))
    tap.pause()
    tap.pause()
    gevent.sleep(1)  # of a card's number
    silent = time.monotonic() - began
    tap.resume()
    tap.resume()
    gevent.sleep(1)  # of talk
    talked = time.monotonic() - began
    tap.pause()
    gevent.sleep(1)
    names = tap.stop()
    lasted = time.monotonic() - began
    tap.pause()
    tap.resume()
    for side, tone in (("left", CUSTOMER), ("right", ANNA)):
        file = b"".join(bed.pbx.recording(names[side]))
        assert seconds(file) == pytest.approx(lasted, abs=0.5)
        assert loudness(file, 0.1, silent - 0.2) < 50
        assert share(file, tone, talked - 0.7, talked - 0.2) > 0.9
        assert loudness(file, lasted - 0.7, lasted - 0.2) < 50


def test_a_recording_that_a_killed_controller_paused_stays_silent_until_the_next_one_resumes_it(scene: Scene) -> None:
    bed, customer, anna = scene.bed, scene.customer(), scene.agent("anna")
    scene.together(customer, anna)
    tap = customer.channel.tap(bed.name("tap"))
    tap.pause()
    tap.resume()
    tap.pause()
    bed.pbx.stop()
    bed.pbx.start(bed.nodes)
    bed.nodes.until(LinkUp)
    tap = bed.pbx.adopt(customer.channel.id, Heard()).tap(tap.id)
    tap.pause()
    gevent.sleep(1)
    tap.resume()
    gevent.sleep(1)
    for name, tone in zip(sorted(tap.stop().values()), (CUSTOMER, ANNA), strict=True):
        file = b"".join(bed.pbx.recording(name))
        assert loudness(file, 0.2, 0.9) < 50
        assert share(file, tone, -0.7, None) > 0.9


def test_verbs_for_a_channel_that_is_gone_say_so(scene: Scene) -> None:
    bed, customer = scene.bed, scene.customer()
    customer.channel.hangup()
    customer.inbox.until(Ended)
    channel = customer.channel
    for verb in (channel.mute, channel.unmute, lambda: channel.send_digits("1")):
        with pytest.raises(Gone):
            verb()
    with pytest.raises(Gone):
        bed.pbx.spy(channel.id, spy_id=bed.name("spy"), mode=Mode.LISTEN, inbox=Heard())
    assert bed.pbx.inventory().spies == {}


def test_an_agent_consults_an_expert_while_the_customer_hears_music_and_neither_of_them(scene: Scene) -> None:
    customer, anna, ben = scene.customer(), scene.agent("anna"), scene.agent("ben")
    main = scene.together(customer, anna)
    customer.channel.wait_with_music(MUSIC)
    scene.together(anna, ben)
    assert scene.heard() == {"customer": set(), "anna": {"ben"}, "ben": {"anna"}}
    assert scene.music(customer)
    # toggle: back to the customer, the expert hears music
    ben.channel.wait_with_music(MUSIC)
    scene.bed.pbx.bridge(main).add(customer.channel, anna.channel)
    assert scene.heard() == {"customer": {"anna"}, "anna": {"customer"}, "ben": set()}
    assert scene.music(ben)
    # and a conference of all three
    scene.bed.pbx.bridge(main).add(ben.channel)
    assert scene.heard() == {"customer": {"anna", "ben"}, "anna": {"customer", "ben"}, "ben": {"customer", "anna"}}
    # of which the agent leaves
    anna.channel.hangup()
    anna.inbox.until(Ended)
    scene.everybody.remove(anna)
    assert scene.heard() == {"customer": {"ben"}, "ben": {"customer"}}


def test_a_recording_of_the_customer_runs_through_hold_consultation_and_conference(scene: Scene) -> None:
    """Left has the customer without a gap, right whatever the customer hears: agent, music, both others."""
    bed, customer, anna, ben = scene.bed, scene.customer(), scene.agent("anna"), scene.agent("ben")
    main = scene.together(customer, anna)
    began = time.monotonic()
    tap = customer.channel.tap(bed.name("tap"))
    gevent.sleep(1.5)
    talked = time.monotonic() - began
    customer.channel.wait_with_music(MUSIC)
    scene.together(anna, ben)
    gevent.sleep(1.5)
    waited = time.monotonic() - began
    bed.pbx.bridge(main).add(customer.channel, anna.channel, ben.channel)
    gevent.sleep(1.5)
    names = tap.stop()
    lasted = time.monotonic() - began
    left, right = (b"".join(bed.pbx.recording(names[side])) for side in ("left", "right"))
    assert seconds(left) == pytest.approx(lasted, abs=0.7)
    assert seconds(right) == pytest.approx(seconds(left), abs=0.1)
    assert share(left, CUSTOMER) > 0.9
    assert share(right, ANNA, talked - 1.2, talked - 0.4) > 0.9
    assert share(right, MUSIC_TONE, waited - 1.0, waited - 0.4) > 0.9
    assert share(right, BEN, waited - 1.0, waited - 0.4) < 0.02
    assert share(right, ANNA, lasted - 0.7, lasted - 0.3) > 0.2
    assert share(right, BEN, lasted - 0.7, lasted - 0.3) > 0.2


def test_a_muted_customer_can_be_put_on_music_and_back_and_stays_muted(scene: Scene) -> None:
    customer, anna = scene.customer(), scene.agent("anna")
    main = scene.together(customer, anna)
    customer.channel.mute()
    customer.channel.wait_with_music(MUSIC)
    scene.bed.pbx.bridge(main).add(customer.channel)
    assert scene.heard() == {"customer": {"anna"}, "anna": set()}


def test_who_is_alone_in_a_bridge_is_sent_silence_and_hears_prompts_and_whoever_joins(scene: Scene) -> None:
    """Phones and carriers take a line without packets for a dead one."""
    bed, anna, ben = scene.bed, scene.agent("anna"), scene.agent("ben")
    bridge_id = scene.together(anna)
    gevent.sleep(1.2)
    hearing = anna.end.hear(0.5, scene.file("alone"))
    assert loudness(hearing.wait()) < 50
    assert hearing.packets > 20
    anna.channel.play(bed.name("play"), ["digits:123"])
    assert loudness(anna.end.hear(0.6, scene.file("prompt")).wait()) > 200
    anna.inbox.until(PlaybackEnded)
    gevent.sleep(1.2)
    bed.pbx.stop()
    bed.pbx.start(bed.nodes)
    bed.nodes.until(LinkUp)
    bed.pbx.inventory()
    following, second = bed.pbx.adopt(anna.channel.id, Heard()), bed.pbx.adopt(ben.channel.id, Heard())
    bed.pbx.bridge(bridge_id).add(second)
    assert scene.heard() == {"anna": {"ben"}, "ben": {"anna"}}
    second.hangup()
    scene.everybody.remove(ben)
    gevent.sleep(1.2)
    bed.pbx.bridge(bridge_id).destroy()
    carla = scene.agent("carla")
    bed.pbx.bridge(bed.name("bridge")).add(following, carla.channel)
    assert scene.heard() == {"anna": {"carla"}, "carla": {"anna"}}
