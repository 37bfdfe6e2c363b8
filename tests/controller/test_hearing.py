"""What waiting callers and their agents hear, and what that must not spoil: on a PBX in memory."""

import time
from collections.abc import Callable, Iterable, Iterator

import pytest
from gevent.event import Event as Flag

from contactcentre.controller.contact import Contact
from contactcentre.domain import treatment
from contactcentre.domain.agents import AgentState, Verb
from contactcentre.domain.events import Event, Kind
from contactcentre.domain.flows.actions import Piece
from tests.controller import fake_pbx
from tests.controller.fake_pbx import Line
from tests.controller.people import calls, comes, rings, state, story
from tests.controller.stack import kinds
from tests.controller.world import SITE, World
from tests.waiting import eventually


@pytest.fixture
def quiet_world(world: World) -> World:
    """Nobody takes calls."""
    for agent in ("anna", "bert"):
        world.live.change(agent, Verb.PAUSE, time.time(), reason="lunch")
    eventually(lambda: state(world, "bert") is AgentState.PAUSED, "nobody is there")
    return world


@pytest.fixture
def slow(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Flag, Flag]]:
    """What is announced takes its time to be made: (it has begun, it may end)."""
    begun, go = Flag(), Flag()
    prompts = world.controller.node.configuration.prompts
    media: Callable[[Iterable[Piece], str], list[str]] = prompts.media

    def slowly(speech: Iterable[Piece], language: str) -> list[str]:
        pieces = list(speech)
        if any(piece.value.startswith("queue-") for piece in pieces):
            begun.set()
            go.wait(120)
        return media(pieces, language)

    monkeypatch.setattr(prompts, "media", slowly)
    yield begun, go
    go.set()


def contact_of(world: World, caller: Line) -> Contact:
    return next(contact for contact in world.controller.node.contacts.values() if contact.caller_id == caller.id)


def announced(world: World, caller: Line) -> list[Event]:
    return [e for e in story(world, caller) if e.kind is Kind.ANNOUNCED]


def bert_takes(world: World) -> None:
    world.live.change("bert", Verb.UNPAUSE, time.time())
    world.pbx.answer(rings(world))


def has_a_prompt(world: World, language: str) -> None:
    (world.at / language).mkdir(exist_ok=True)
    (world.at / language / "who.wav").touch()


def ends(world: World) -> None:
    world.peace()
    world.check()


def test_the_first_announcement_may_come_at_once(quiet_world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    told = SITE.queues["told"].model_copy(update={"announce_position": 3600})
    monkeypatch.setitem(quiet_world.changes, "queues", {**SITE.queues, "told": told})
    quiet_world.controller.node.configure(quiet_world.configuration())
    caller = calls(quiet_world, "9")
    comes(quiet_world, caller, Kind.ANNOUNCED)  # not after a whole period
    assert ("sound:queue-youarenext", "en") in caller.heard
    ends(quiet_world)


def test_after_a_restart_too_nobody_hears_a_worse_position_than_before(
    quiet_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(treatment, "PAUSE", 0.05)
    caller = calls(quiet_world, "9")
    assert comes(quiet_world, caller, Kind.ANNOUNCED).data["position"] == 1
    urgent = calls(quiet_world, "0")
    comes(quiet_world, urgent, Kind.ANNOUNCED)
    node = quiet_world.controller.node
    assert node.replica.index.position(node.replica.waiting[contact_of(quiet_world, caller).id]) == 2
    eventually(lambda: quiet_world.live.contact(contact_of(quiet_world, caller).id).detail["heard"] == 1, "it is noted")
    before = len(announced(quiet_world, caller))
    quiet_world.restart()
    eventually(lambda: len(announced(quiet_world, caller)) > before, "it is said again")
    assert {e.data["position"] for e in announced(quiet_world, caller)} == {1}
    ends(quiet_world)


def test_what_was_being_made_for_one_queue_is_not_said_in_the_next(quiet_world: World, slow: tuple[Flag, Flag]) -> None:
    begun, go = slow
    caller = calls(quiet_world, "9")
    assert begun.wait(120)
    quiet_world.pbx.press(caller, "1")
    eventually(
        lambda: [e.data["queue"] for e in story(quiet_world, caller) if e.kind is Kind.QUEUED] == ["told", "one"],
        "next",
    )
    go.set()
    bert_takes(quiet_world)
    comes(quiet_world, caller, Kind.TALK_STARTED)
    assert Kind.ANNOUNCED not in kinds(story(quiet_world, caller))
    assert "sound:queue-youarenext" not in [medium for medium, _ in caller.heard]
    ends(quiet_world)


def test_an_estimate_that_a_ringing_phone_kept_from_the_caller_is_not_measured(
    quiet_world: World, slow: tuple[Flag, Flag], monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go = slow
    monkeypatch.setattr(quiet_world.controller.node.replica.estimates, "of", lambda waiting: 90.0)
    caller = calls(quiet_world, "9")
    assert begun.wait(120)
    quiet_world.live.change("bert", Verb.UNPAUSE, time.time())
    leg = rings(quiet_world)
    go.set()
    quiet_world.pbx.answer(leg)
    comes(quiet_world, caller, Kind.TALK_STARTED)
    assert Kind.ANNOUNCED not in kinds(story(quiet_world, caller))
    quiet_world.live.change("bert", Verb.PAUSE, time.time(), reason="lunch")  # a wish, while he talks
    quiet_world.pbx.leave(caller)
    eventually(lambda: state(quiet_world, "bert") is AgentState.PAUSED, "nobody is there again")

    heard = calls(quiet_world, "9")
    assert comes(quiet_world, heard, Kind.ANNOUNCED).data["estimate"] == 90.0
    assert [medium for medium, _ in heard.heard][-3:] == ["sound:queue-holdtime", "number:2", "sound:queue-minutes"]
    ends(quiet_world)


def test_a_key_pressed_while_the_agent_is_told_counts_when_that_agent_hangs_up(
    quiet_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    has_a_prompt(quiet_world, "en")
    caller = calls(quiet_world, "9")
    comes(quiet_world, caller, Kind.ANNOUNCED)
    monkeypatch.setattr(fake_pbx, "SAID", 5)
    quiet_world.live.change("bert", Verb.UNPAUSE, time.time())
    leg = rings(quiet_world)
    quiet_world.pbx.answer(leg)
    eventually(lambda: leg.heard, "bert is told")
    quiet_world.pbx.press(caller, "1")
    quiet_world.pbx.leave(leg)
    left = comes(quiet_world, caller, Kind.UNQUEUED)
    assert (left.data["queue"], left.data["reason"]) == ("told", "key")
    ends(quiet_world)


def test_an_agent_is_told_in_the_language_of_the_house_whatever_the_caller_speaks(quiet_world: World) -> None:
    has_a_prompt(quiet_world, "en")
    has_a_prompt(quiet_world, "fr")
    caller = calls(quiet_world, "9")
    comes(quiet_world, caller, Kind.ANNOUNCED)
    contact_of(quiet_world, caller).language = "fr"
    quiet_world.live.change("bert", Verb.UNPAUSE, time.time())
    leg = rings(quiet_world)
    quiet_world.pbx.answer(leg)
    comes(quiet_world, caller, Kind.TALK_STARTED)
    assert [(str(medium).rsplit("/", 2)[-2:], language) for medium, language in leg.heard] == [(["en", "who"], "en")]
    ends(quiet_world)
