"""Callers who hear what they have said, and say it again, on a PBX in memory."""

from collections.abc import Iterator

import pytest

from contactcentre.controller import messages
from contactcentre.domain.events import Event, Kind
from contactcentre.domain.flows.leaving import REVIEW, REVIEW_LAST
from tests.controller import fake_pbx
from tests.controller.fake_pbx import Line
from tests.controller.people import comes, story
from tests.controller.stack import kinds
from tests.controller.world import SITE, World
from tests.waiting import eventually


@pytest.fixture
def reviewed(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Whoever leaves a message in box `one` may review it."""
    monkeypatch.setattr(messages, "KEY_SECONDS", 0.2)
    queues = {**SITE.queues, "one": SITE.queues["one"].model_copy(update={"review_messages": True})}
    monkeypatch.setitem(world.changes, "queues", queues)
    world.controller.node.configure(world.configuration())
    (world.at / "en").mkdir(exist_ok=True)
    prompts = [world.at / "en" / f"{name}.wav" for name in (REVIEW, REVIEW_LAST)]
    for prompt in prompts:
        prompt.touch()
    yield world
    for prompt in prompts:
        prompt.unlink()
    world.peace()
    world.check()


def leaves_a_message(world: World) -> Line:
    world.arrive(0)
    caller = world.lines[-1]
    comes(world, caller, Kind.LEG_ANSWERED)
    world.pbx.press(caller, "3")
    return caller


def asked(line: Line, prompt: str = REVIEW) -> int:
    """How often."""
    return [medium.rpartition("/")[2] for medium, _ in line.heard].count(prompt)


def is_asked(line: Line, times: int = 1, prompt: str = REVIEW) -> None:
    eventually(lambda: asked(line, prompt) >= times, f"asked {times} times, {line.heard}")


def facts(world: World, caller: Line, kind: Kind) -> list[Event]:
    return [event for event in story(world, caller) if event.kind is kind]


def kept(world: World, caller: Line) -> Event:
    """The one message that was left."""
    comes(world, caller, Kind.ENDED)
    (message,) = facts(world, caller, Kind.VOICEMAIL)
    assert message.data["recording"] in world.pbx.complete
    return message


def test_a_message_is_heard_before_it_is_kept(reviewed: World) -> None:
    caller = leaves_a_message(reviewed)
    is_asked(caller)
    assert not facts(reviewed, caller, Kind.VOICEMAIL), "it is not kept yet"
    reviewed.pbx.press(caller, "2")
    name = comes(reviewed, caller, Kind.RECORDING_STARTED).data["recording"]
    eventually(lambda: (f"recording:{name}", "en") in caller.heard, "it is played")
    is_asked(caller, 2)
    reviewed.pbx.press(caller, "1")
    message = kept(reviewed, caller)
    assert (message.data["recording"], message.data["seconds"]) == (name, 1.0), "as long as was spoken"
    assert comes(reviewed, caller, Kind.ENDED).data["outcome"] == "voicemail"


def test_said_again_only_the_last_one_is_kept_and_the_others_are_deleted(reviewed: World) -> None:
    caller = leaves_a_message(reviewed)
    for times in (1, 2):
        is_asked(caller, times)
        reviewed.pbx.press(caller, "3")
    is_asked(caller, 1, REVIEW_LAST)
    reviewed.pbx.press(caller, "3")  # not any more
    eventually(lambda: ("sound:beeperr", "en") in caller.heard, "refused")
    is_asked(caller, 2, REVIEW_LAST)
    reviewed.pbx.press(caller, "1")
    message = kept(reviewed, caller)
    begun = [event.data["recording"] for event in facts(reviewed, caller, Kind.RECORDING_STARTED)]
    assert len(begun) == messages.TAKES
    assert message.data["recording"] == begun[-1]
    gone = [(event.data["recording"], event.data["error"]) for event in facts(reviewed, caller, Kind.RECORDING_FAILED)]
    assert gone == [(name, "the caller said it again") for name in begun[:-1]]
    assert reviewed.pbx.complete.isdisjoint(begun[:-1])


def test_who_presses_no_key_has_left_the_message(reviewed: World) -> None:
    caller = leaves_a_message(reviewed)
    kept(reviewed, caller)
    assert asked(caller) == messages.TIMES_ASKED


@pytest.mark.parametrize("key", ["", "2", "9"], ids=["asked", "heard", "refused"])
def test_who_hangs_up_has_left_the_message(reviewed: World, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    caller = leaves_a_message(reviewed)
    is_asked(caller)
    if key:
        before = len(caller.heard)
        monkeypatch.setattr(fake_pbx, "SAID", 30.0)
        reviewed.pbx.press(caller, key)
        eventually(lambda: len(caller.heard) > before, "it plays")
    reviewed.pbx.leave(caller)
    assert kept(reviewed, caller).data["seconds"] == 1.0


def test_who_hangs_up_while_saying_it_again_has_left_that(reviewed: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, "SHORTEST_MESSAGE", 0.0)
    caller = leaves_a_message(reviewed)
    is_asked(caller)
    reviewed.pbx.press(caller, "3")
    eventually(lambda: len(facts(reviewed, caller, Kind.RECORDING_STARTED)) == 2, "the second one")
    second = facts(reviewed, caller, Kind.RECORDING_STARTED)[1].data["recording"]
    reviewed.pbx.leave(caller)
    assert kept(reviewed, caller).data["recording"] == second


def test_a_killed_controllers_successor_goes_on_with_the_review(reviewed: World) -> None:
    caller = leaves_a_message(reviewed)
    is_asked(caller)
    reviewed.pbx.press(caller, "3")
    is_asked(caller, 2)
    before = asked(caller)
    reviewed.restart()
    eventually(lambda: asked(caller) > before, "asked again")
    reviewed.pbx.press(caller, "3")
    is_asked(caller, 1, REVIEW_LAST)
    reviewed.pbx.press(caller, "#")
    kept(reviewed, caller)
    assert len(facts(reviewed, caller, Kind.RECORDING_STARTED)) == messages.TAKES


def test_a_successor_keeps_the_message_of_a_caller_who_has_left(reviewed: World) -> None:
    caller = leaves_a_message(reviewed)
    is_asked(caller)
    contact = comes(reviewed, caller, Kind.ARRIVED).contact_id

    def noted() -> bool:
        found = reviewed.live.contact(contact)
        return found is not None and "seconds" in (found.detail.get("review") or {})

    eventually(noted, "it is noted how long it is")
    reviewed.kill()
    reviewed.pbx.leave(caller)
    reviewed.start()
    assert kept(reviewed, caller).data["seconds"] == 1.0


def test_keys_without_end_come_to_one(reviewed: World) -> None:
    caller = leaves_a_message(reviewed)

    def presses() -> bool:
        reviewed.pbx.press(caller, "9")
        return caller.id not in reviewed.pbx.lines

    is_asked(caller)
    eventually(presses, "it is kept")
    kept(reviewed, caller)


def test_where_the_keys_cannot_be_told_the_message_is_kept_at_once(reviewed: World) -> None:
    for name in (REVIEW, REVIEW_LAST):
        (reviewed.at / "en" / f"{name}.wav").rename(reviewed.at / f"{name}.wav")
    caller = leaves_a_message(reviewed)
    kept(reviewed, caller)
    assert Kind.RECORDING_FAILED not in kinds(story(reviewed, caller))
    for name in (REVIEW, REVIEW_LAST):
        (reviewed.at / f"{name}.wav").rename(reviewed.at / "en" / f"{name}.wav")
