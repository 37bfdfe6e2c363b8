"""A recorded call on a real PBX, from its first word to the sealed file, judged by what can be heard in it."""

import io
import wave
from itertools import groupby
from pathlib import Path
from typing import Any

import gevent
import numpy as np
import pytest
import soundfile

from contactcentre.archive import KeySource, Shelf
from contactcentre.domain.agents import Verb
from contactcentre.domain.events import Event, Kind
from contactcentre.domain.site import Site
from contactcentre.live import CommandFailed
from contactcentre.store import Store
from contactcentre.tasks.keeping import Keeper
from contactcentre.tasks.pbx_files import LocalFiles
from tests.controller.conftest import SITE
from tests.controller.stack import Stack, kinds, last, one
from tests.controller.test_verbs_heard import ask
from tests.pbx.spectrum import loudness, seconds, share, tones, write_tone
from tests.waiting import eventually

TONES = (400, 615, 800, 1200, 1700)
CALLER, MUSIC, ANNA, BERT, CARLA = TONES
SETTLED = 0.35
"""Seconds after which the sound has followed what was done."""
CARD = "4929117700154"
TOLD = 1500
"""Hz of an announcement."""

FLOWS: dict[str, Any] = {
    "recorded": {
        "start": "hello",
        "nodes": {
            "hello": {"type": "answer", "next": "begin"},
            "begin": {"type": "record", "action": "start", "next": "quiet"},
            "quiet": {  # a question that is not answered: nothing is sent to the caller
                "type": "menu",
                "prompt": ["sound:beep"],
                "choices": {"1": "wait"},
                "timeout": 3,
                "retries": 0,
                "on_timeout": "wait",
                "on_invalid": "wait",
            },
            "wait": {"type": "queue", "queue": "support"},
        },
    },
    "told": {
        "start": "hello",
        "nodes": {"hello": {"type": "answer", "next": "wait"}, "wait": {"type": "queue", "queue": "told"}},
    },
    "payment": {
        "start": "card",
        "nodes": {
            "card": {
                "type": "collect",
                "prompt": ["sound:demo-instruct"],
                "var": "card",
                "min_digits": len(CARD),
                "max_digits": len(CARD),
                "sensitive": True,
                "timeout": 20,
                "next": "back",
                "on_timeout": "back",
                "on_invalid": "back",
            },
            "back": {"type": "transfer", "to": "queue:support"},
        },
    },
}


@pytest.fixture(scope="module")
def line(module_stack: Stack) -> Stack:
    flows = {**SITE["flows"], **FLOWS}
    dids = {**SITE["dids"], "2000": {"flow": "recorded"}, "2001": {"flow": "told"}}
    told = {**SITE["queues"]["support"], "record_announce": "told", "record_beep": 1}
    queues = {**SITE["queues"], "told": told}
    prompts = module_stack.settings.prompts_dir / "en"
    prompts.mkdir(parents=True, exist_ok=True)
    write_tone(prompts / "told.wav", TOLD, 1.0)
    agents = {**SITE["agents"], "carla": {"full_name": "Carla", "number": "203"}}
    site = {**SITE, "agents": agents, "flows": flows, "dids": dids, "queues": queues}
    module_stack.provision(Site.model_validate(site))
    return module_stack


class Facts:
    """Facts that a worker adds."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def append(self, event: Event) -> None:
        self._store.record([event])


def decoded(stack: Stack, story: list[Event], at: Path) -> tuple[Path, Path]:
    """The two sides of the call's one recording: kept as FLAC, sealed, opened again."""
    recording = one(story, Kind.RECORDING_ENDED).data["recording"]
    stack.store.record(story)
    keys = KeySource(at / "keys")
    keys.add("first")
    shelf = Shelf(stack.store, at / "recordings", keys)
    keeper = Keeper(stack.store, Facts(stack.store), shelf, LocalFiles(stack.recordings), "flac")
    keeper.store_recording(*stack.store.recording(recording))
    _, kept = stack.store.recording(recording)
    assert kept.path.endswith(".flac.sealed")
    with shelf.open(kept) as file:
        both, rate = soundfile.read(io.BytesIO(file.read()), dtype="int16")
    sides = []
    for name, samples in zip(("left", "right"), both.T, strict=True):
        with wave.open(str(at / f"{name}.wav"), "wb") as out:
            out.setnchannels(1)
            out.setsampwidth(2)
            out.setframerate(rate)
            out.writeframes(np.ascontiguousarray(samples).tobytes())
        sides.append(at / f"{name}.wav")
    return sides[0], sides[1]


def test_one_file_of_the_whole_call_is_silent_in_every_pause_and_keeps_its_sides(
    stack: Stack, line: Stack, tmp_path: Path
) -> None:
    caller = "+33100000950"
    moments: list[tuple[str, float]] = []

    def during(name: str) -> None:
        """What is the case now, for a second."""
        gevent.sleep(SETTLED)
        moments.append((name, stack.now()))
        gevent.sleep(0.8)

    with stack.phone("anna", ring=0.1, tone=ANNA), stack.phone("bert", ring=0.1, tone=BERT):
        stack.act("anna", Verb.LOGIN)
        stack.reachable("anna")
        call = stack.lab.dial("2000", caller=caller, tone=CALLER, talk=None, patience=None)
        stack.wait_for(caller, Kind.TALK_STARTED)
        during("talk")
        ask(stack, caller, "record", action="pause")
        during("pause")
        ask(stack, caller, "record", action="resume")
        during("talk")
        ask(stack, caller, "hold")
        during("hold")
        ask(stack, caller, "resume")
        during("talk")
        stack.act("bert", Verb.LOGIN)
        stack.reachable("bert")
        ask(stack, caller, "transfer", to="flow:payment")
        stack.act("anna", Verb.LOGOUT)
        eventually(lambda: kinds(stack.story(caller)).count(Kind.RECORDING_PAUSED) == 2, "asked for the card")
        during("payment")
        call.send_digits(CARD)
        eventually(lambda: kinds(stack.story(caller)).count(Kind.TALK_STARTED) == 2, "with the other agent")
        during("transferred")
        call.hang_up()
    story = stack.ended(caller)
    for event in story:
        assert CARD[:6] not in event.to_json()
    assert CARD not in stack.log()
    left, right = decoded(stack, story, tmp_path)

    began, ended = one(story, Kind.RECORDING_STARTED).at, one(story, Kind.RECORDING_ENDED).at
    for side in (left, right):
        assert seconds(side) == pytest.approx(ended - began, abs=0.3)
    heard = [
        (name, tones(left, TONES, at - began, at - began + 0.7), tones(right, TONES, at - began, at - began + 0.7))
        for name, at in moments
    ]
    talk = ("talk", {CALLER}, {ANNA})
    assert heard == [
        talk,
        ("pause", set(), set()),
        talk,
        ("hold", {CALLER}, {MUSIC}),
        talk,
        ("payment", set(), set()),
        ("transferred", {CALLER}, {BERT}),
    ]
    for name, at in moments:
        if name in ("pause", "payment"):
            for side in (left, right):
                assert loudness(side, at - began, at - began + 0.7) == 0, name
    resumed = last(story, Kind.RECORDING_RESUMED).at
    paused = [event.at for event in story if event.kind is Kind.RECORDING_PAUSED][1]
    assert loudness(left, paused - began + SETTLED, resumed - began - SETTLED) == 0, "all the time of the payment"


def test_one_recording_has_every_voice_through_consults_a_conference_and_a_killed_controller(
    stack: Stack, line: Stack, tmp_path: Path
) -> None:
    """The numbers of each agent's packets are behind those of the one before, see tests/pbx/scene.py."""
    caller = "+33100000953"
    moments: list[tuple[set[int], float]] = []

    def during(*voices: int) -> None:
        """These are heard by the customer now, for a second."""
        gevent.sleep(SETTLED)
        moments.append((set(voices), stack.now()))
        gevent.sleep(0.8)

    def consult(agent: str, times: int) -> None:
        stack.act(agent, Verb.LOGIN)
        stack.reachable(agent)
        ask(stack, caller, "consult", to=f"agent:{agent}")
        eventually(lambda: kinds(stack.story(caller)).count(Kind.CONSULT_ANSWERED) == times, f"{agent} is asked")

    def asked(verb: str) -> bool:
        try:
            return bool(ask(stack, caller, verb))
        except CommandFailed:
            return False

    with (
        stack.phone("anna", ring=0.1, tone=ANNA, sequence=50_000),
        stack.phone("bert", ring=0.1, tone=BERT, sequence=30_000),
        stack.phone("carla", ring=0.1, tone=CARLA, sequence=10_000),
    ):
        stack.act("anna", Verb.LOGIN)
        stack.reachable("anna")
        call = stack.lab.dial("1000", caller=caller, tone=CALLER, talk=None, patience=None)
        stack.wait_for(caller, Kind.TALK_STARTED)
        during(ANNA)
        consult("bert", 1)
        during(MUSIC)
        ask(stack, caller, "toggle")
        during(ANNA)
        ask(stack, caller, "toggle")
        during(MUSIC)
        ask(stack, caller, "complete")
        during(BERT)
        consult("carla", 2)
        ask(stack, caller, "conference")
        during(BERT, CARLA)
        ask(stack, caller, "drop")
        during(CARLA)
        stack.kill()
        during(CARLA)
        stack.start()
        eventually(lambda: asked("hold"), "taken up, and held")
        during(MUSIC)
        ask(stack, caller, "resume")
        during(CARLA)
        call.hang_up()
    story = stack.ended(caller)
    left, right = decoded(stack, story, tmp_path)
    began = one(story, Kind.RECORDING_STARTED).at
    said = [tones(left, TONES, at - began, at - began + 0.7) for _, at in moments]
    assert said == [{CALLER}] * len(moments)
    steps = [tones(right, (ANNA, BERT, CARLA), at / 5, at / 5 + 0.2) for at in range(int(seconds(right) * 5))]
    alone = [next(iter(voices)) for voices in steps if len(voices) == 1]
    assert [voice for voice, _ in groupby(alone)] == [ANNA, BERT, CARLA]
    if stack.switch.records_beeps:  # else it is shorter by what it lacks, so that moments are not to be found in it
        heard = [tones(right, TONES, at - began, at - began + 0.7) for _, at in moments]
        assert heard == [voices for voices, _ in moments]


def windows(sound: Path, hertz: float) -> list[float]:
    """Where this tone is heard: seconds from the beginning, in steps of a tenth."""
    steps = int(seconds(sound) * 10) - 1
    # Asterisk 18.10 mixes what the caller says into what is played to them, where that is recorded
    found = [step / 10 for step in range(steps) if share(sound, hertz, step / 10, step / 10 + 0.1) > 0.3]
    return [at for at in found if loudness(sound, at, at + 0.1) > 100]


def test_the_customer_hears_the_announcement_before_it_is_recorded_and_both_hear_the_beep(
    stack: Stack, line: Stack, tmp_path: Path
) -> None:
    caller = "+33100000951"
    with stack.phone("anna", ring=0.1, tone=ANNA, heard=tmp_path / "anna.wav") as anna:
        stack.act("anna", Verb.LOGIN)
        stack.reachable("anna")
        call = stack.lab.dial("2001", caller=caller, tone=CALLER, talk=None, patience=None, heard=tmp_path / "call.wav")
        stack.wait_for(caller, Kind.RECORDING_STARTED)
        gevent.sleep(3)
        call.hang_up()
        anna.wait_calls(1)
    story = stack.ended(caller)
    left, right = decoded(stack, story, tmp_path)
    assert (
        one(story, Kind.RECORDING_ANNOUNCED).at
        < one(story, Kind.TALK_STARTED).at
        < one(story, Kind.RECORDING_STARTED).at
    )
    customer = tmp_path / "call.wav"
    assert len(windows(customer, TOLD)) == pytest.approx(10, abs=2), "a second of it"
    assert windows(customer, TOLD)[-1] < windows(customer, ANNA)[0], "before the agent"
    assert windows(right, TOLD) == windows(left, TOLD) == [], "it is said before the recording begins"
    assert windows(tmp_path / "anna.wav", TOLD) == []
    ears = [customer, tmp_path / "anna.wav"]
    if stack.switch.records_beeps:
        ears.append(right)
    for ear in ears:
        beeps = windows(ear, stack.switch.beep)
        assert len(beeps) >= 2, f"beeps in {ear}"
        assert beeps[-1] - beeps[0] >= 1
    assert windows(left, stack.switch.beep) == [], "the customer does not say it"
