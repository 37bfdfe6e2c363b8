"""Nobody is lost when voices change: in a recording, to a supervisor, to whoever stays while others come and go.

The numbers of a phone's RTP packets begin anywhere (RFC 3550 5.1), so those of the next voice may be behind those of
the last one. `scene.FIRST` sees to that here.
"""

from contextlib import suppress
from itertools import groupby
from pathlib import Path

import gevent
import pytest

from contactcentre.pbx.errors import Refused
from contactcentre.pbx.events import Ended, PlaybackEnded
from contactcentre.pbx.protocol import Channel, Mode, Tap
from tests.pbx.bed import MUSIC, MUSIC_TONE, Bed
from tests.pbx.scene import ANNA, BEN, CARLA, CUSTOMER, Party, Scene
from tests.pbx.spectrum import seconds, tones, write_tone
from tests.pbx.test_conformance_spies import supervise
from tests.waiting import eventually

TOLD = 1500
STEP = 0.1
"""Seconds of which it is looked who is heard."""
SPOKEN = "sound:vm-goodbye"
"""A prompt of the switch's own: no linear sound, and none of the tones."""


def right(bed: Bed, tap: Tap, among: tuple[int, ...] = (ANNA, BEN, CARLA, MUSIC_TONE, TOLD)) -> list[set[float]]:
    """What the tapped one hears, step by step."""
    sound = b"".join(bed.pbx.recording(tap.stop()["right"]))
    return [tones(sound, among, at * STEP, (at + 1) * STEP) for at in range(round(seconds(sound) / STEP))]


def order(heard: list[set[float]]) -> list[float]:
    """Who is heard alone, one after the other."""
    return [tone for tone, _ in groupby(next(iter(step)) for step in heard if len(step) == 1)]


def talk(scene: Scene, bridge: str, customer: Channel, agent: Party, of_seconds: float = 0.7) -> None:
    scene.bed.pbx.bridge(bridge).add(customer, agent.channel)
    gevent.sleep(of_seconds)


def leave(scene: Scene, bridge: str, agent: Party) -> None:
    """No error for who is not there."""
    with suppress(Refused):
        scene.bed.pbx.bridge(bridge).remove(agent.channel)


def test_a_recording_has_every_voice_and_what_is_played_between(scene: Scene, tmp_path: Path) -> None:
    write_tone(tmp_path / "told.wav", TOLD, 0.5)
    tmp_path.chmod(0o755)
    customer, agents = scene.customer(), [scene.agent(name) for name in ("anna", "ben", "carla")]
    place = scene.bed.pbx.bridge(scene.bed.name("bridge")).id
    tap = customer.channel.tap(scene.bed.name("tap"))
    for agent in (*agents, agents[0]):
        talk(scene, place, customer.channel, agent)
        scene.bed.pbx.bridge(place).remove(agent.channel)
        scene.bed.pbx.bridge(place).remove(customer.channel)
        customer.channel.play(scene.bed.name("play"), [SPOKEN, f"sound:{tmp_path / 'told'}"])
        customer.inbox.until(PlaybackEnded)
    assert order(right(scene.bed, tap)) == [ANNA, TOLD, BEN, TOLD, CARLA, TOLD, ANNA, TOLD]


def test_a_recording_goes_on_through_hold_and_the_next_agent(scene: Scene) -> None:
    customer, anna, ben = scene.customer(), scene.agent("anna"), scene.agent("ben")
    place = scene.together(customer, anna)
    tap = customer.channel.tap(scene.bed.name("tap"))
    gevent.sleep(0.7)
    for before, agent in ((ben, anna), (anna, ben), (ben, anna)):
        customer.channel.wait_with_music(MUSIC)
        eventually(lambda: scene.music(customer), "hears music")
        leave(scene, place, before)
        talk(scene, place, customer.channel, agent)
    heard = order(right(scene.bed, tap))
    if scene.bed.records_beeps:
        assert heard == [ANNA, MUSIC_TONE, ANNA, MUSIC_TONE, BEN, MUSIC_TONE, ANNA]
    else:  # nor, now and then, music
        assert [tone for tone, _ in groupby(tone for tone in heard if tone != MUSIC_TONE)] == [ANNA, BEN, ANNA]


@pytest.mark.parametrize("silent", [False, True], ids=["who talks", "who says nothing"])
def test_a_tap_that_begins_when_another_has_ended_hears_whoever_comes_next(scene: Scene, silent: bool) -> None:
    customer = scene.customer()
    if silent:
        customer.channel.mute()
    place = scene.bed.pbx.bridge(scene.bed.name("bridge")).id
    for name, tone in (("anna", ANNA), ("ben", BEN), ("carla", CARLA)):
        agent = scene.agent(name)
        talk(scene, place, customer.channel, agent, 0.0)
        tap = customer.channel.tap(scene.bed.name("tap"))
        gevent.sleep(0.7)
        heard = right(scene.bed, tap)
        scene.bed.pbx.bridge(place).remove(agent.channel)
        scene.bed.pbx.bridge(place).remove(customer.channel)
        assert order(heard) == [tone]


def test_the_agent_is_recorded_after_a_beep_and_so_is_the_beep(scene: Scene) -> None:
    customer, anna = scene.customer(), scene.agent("anna")
    scene.together(customer, anna)
    tap = customer.channel.tap(scene.bed.name("tap"))
    gevent.sleep(0.7)
    for _ in range(2):
        customer.channel.play(scene.bed.name("play"), ["tone:beep"])
        customer.inbox.until(PlaybackEnded)
        gevent.sleep(0.7)
    beep = scene.bed.beep
    heard = right(scene.bed, tap, (ANNA, beep))
    assert heard[-3:] == [{ANNA}] * 3
    if scene.bed.records_beeps:
        assert [sounds for sounds, _ in groupby(beep in step for step in heard)] == [False, True, False, True, False]


def test_a_recording_has_the_third_one_when_the_first_leaves(scene: Scene) -> None:
    customer, anna, ben = scene.customer(), scene.agent("anna"), scene.agent("ben")
    place = scene.together(customer, anna)
    tap = customer.channel.tap(scene.bed.name("tap"))
    gevent.sleep(0.7)
    scene.bed.pbx.bridge(place).add(ben.channel)
    gevent.sleep(0.7)
    anna.end.hang_up()  # by itself: no verb of ours tells
    anna.inbox.until(Ended)
    gevent.sleep(0.7)
    heard = right(scene.bed, tap)
    assert [step for step, _ in groupby(heard) if step] == [{ANNA}, {ANNA, BEN}, {BEN}]


def test_a_recording_has_the_first_one_when_a_third_leaves_and_nobody_else_said_anything(scene: Scene) -> None:
    """For two who say nothing Asterisk makes the same packets, numbered 0."""
    customer, anna, ben = scene.customer(), scene.agent("anna"), scene.agent("ben")
    place = scene.together(customer, anna)
    tap = customer.channel.tap(scene.bed.name("tap"))
    gevent.sleep(0.7)
    for silent in (customer, ben):
        silent.channel.mute()
    scene.bed.pbx.bridge(place).add(ben.channel)
    gevent.sleep(0.7)
    ben.end.hang_up()
    ben.inbox.until(Ended)
    gevent.sleep(0.7)
    heard = right(scene.bed, tap)
    assert order(heard) == [ANNA]
    assert heard[-3:] == [{ANNA}] * 3


def test_whoever_stays_hears_the_next_one_also_with_another_codec(scene: Scene) -> None:
    """carla's is not that of the others."""
    customer, ben, carla = scene.customer(), scene.agent("ben"), scene.agent("carla")
    place = scene.together(customer, carla)
    for party in (ben, customer, ben):
        scene.bed.pbx.bridge(place).remove(customer.channel if party is ben else ben.channel)
        scene.bed.pbx.bridge(place).add(party.channel)
        assert scene.heard()["carla"] == {party.name}


def test_all_hear_all_in_a_conference_and_after_it_also_with_another_codec(scene: Scene) -> None:
    customer, ben, carla = scene.customer(), scene.agent("ben"), scene.agent("carla")
    place = scene.together(customer, carla)
    scene.bed.pbx.bridge(place).add(ben.channel)
    assert scene.heard() == {"customer": {"ben", "carla"}, "ben": {"customer", "carla"}, "carla": {"customer", "ben"}}
    scene.bed.pbx.bridge(place).remove(customer.channel)
    assert scene.heard() == {"customer": set(), "ben": {"carla"}, "carla": {"ben"}}


@pytest.mark.parametrize("mode", [Mode.LISTEN, Mode.WHISPER])
def test_a_supervisor_hears_whoever_the_agent_talks_to_next_and_is_heard(scene: Scene, mode: Mode) -> None:
    customer, anna, ben, carla = scene.customer(), scene.agent("anna"), scene.agent("ben"), scene.agent("carla")
    place = scene.together(customer, anna)
    supervise(scene, anna, carla, mode)
    for leaves, comes in ((customer, ben), (ben, customer)):
        scene.bed.pbx.bridge(place).remove(leaves.channel)
        scene.bed.pbx.bridge(place).add(comes.channel)
        heard = scene.heard()
        assert heard["carla"] == {"anna", comes.name}
        assert heard["anna"] == {"carla", comes.name} - ({"carla"} if mode is Mode.LISTEN else set())


def test_a_recording_goes_on_while_a_supervisor_comes_and_goes(scene: Scene) -> None:
    customer, anna, ben, carla = scene.customer(), scene.agent("anna"), scene.agent("ben"), scene.agent("carla")
    place = scene.together(customer, anna)
    tap = customer.channel.tap(scene.bed.name("tap"))
    gevent.sleep(0.5)
    spy, inbox = supervise(scene, customer, carla, Mode.LISTEN)
    assert scene.heard()["carla"] == {"customer", "anna"}
    customer.channel.wait_with_music(MUSIC)
    leave(scene, place, anna)
    talk(scene, place, customer.channel, ben)
    assert scene.heard()["carla"] == {"customer", "ben"}
    spy.hangup()
    inbox.until(Ended)
    customer.channel.wait_with_music(MUSIC)
    leave(scene, place, ben)
    talk(scene, place, customer.channel, anna)
    voices = [tone for tone in order(right(scene.bed, tap)) if tone in (ANNA, BEN)]
    assert voices == [ANNA, BEN, ANNA]


def test_what_the_customer_says_is_recorded_through_all_of_it(scene: Scene) -> None:
    customer, anna, ben = scene.customer(), scene.agent("anna"), scene.agent("ben")
    place = scene.together(customer, anna)
    tap = customer.channel.tap(scene.bed.name("tap"))
    for before, agent in ((anna, ben), (ben, anna)):
        customer.channel.wait_with_music(MUSIC)
        leave(scene, place, before)
        talk(scene, place, customer.channel, agent)
    sound = b"".join(scene.bed.pbx.recording(tap.stop()["left"]))
    heard = [tones(sound, (CUSTOMER,), at / 10, (at + 1) / 10) for at in range(1, int(seconds(sound) * 10) - 1)]
    assert all(step == {CUSTOMER} for step in heard)
