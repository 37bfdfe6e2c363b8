"""What a flow says about recording, and what is keyed in secretly."""

from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from contactcentre.domain.events import Kind
from contactcentre.pbx.errors import Refused
from tests.controller.fake_pbx import FakeTap, Line
from tests.controller.people import comes, rings, story
from tests.controller.stack import kinds, one
from tests.controller.test_external import configure
from tests.controller.test_verbs import ask, refused
from tests.controller.world import SITE, World
from tests.waiting import eventually

CARD = "4929117"
SAID = {"prompt": ["sound:card"], "timeout": 0.5, "digit_timeout": 0.5, "on_timeout": "one", "on_invalid": "one"}
FLOW = {
    "start": "hello",
    "nodes": {
        "hello": {"type": "answer", "next": "begin"},
        "begin": {"type": "record", "action": "start", "next": "card"},
        "card": {
            "type": "collect",
            "var": "card",
            "max_digits": len(CARD),
            "min_digits": len(CARD),
            "retries": 1,
            "sensitive": True,
            "next": "one",
            **SAID,
        },
        "one": {"type": "queue", "queue": "one", "next": "again", "on_empty": "bye"},
        "again": {"type": "play", "prompt": "sound:bye", "next": "bye"},
        "bye": {"type": "hangup"},
    },
}


@pytest.fixture
def paying(world: World) -> Iterator[World]:
    """Callers are recorded from the first moment, and asked for a card."""
    world.changes = {"flows": {"main": FLOW}}
    configure(world, **world.changes)
    yield world
    world.changes = {}
    world.peace()
    world.check()


def comes_to_the_card(world: World) -> tuple[Line, str]:
    """The caller, and the recording, which is silent."""
    world.arrive(0)
    caller = world.lines[-1]
    comes(world, caller, Kind.RECORDING_PAUSED)
    recording = one(story(world, caller), Kind.RECORDING_STARTED).data["recording"]
    assert world.pbx.paused == {recording}
    return caller, recording


def keys(world: World, caller: Line, text: str) -> None:
    for key in text:
        world.pbx.press(caller, key)


def everything(world: World) -> str:
    """All that Redis has of what happened."""
    read = {"hash": world.redis.hgetall, "stream": world.redis.xrange, "string": world.redis.get}
    kept = [(key, read.get(world.redis.type(key), world.redis.type)(key)) for key in world.redis.scan_iter()]
    return repr(kept)


def test_a_recording_of_the_flow_goes_on_through_queue_and_conversation_and_is_the_agents(paying: World) -> None:
    caller, recording = comes_to_the_card(paying)
    keys(paying, caller, CARD)
    leg = rings(paying)
    paying.pbx.answer(leg)
    comes(paying, caller, Kind.TALK_STARTED)
    paying.pbx.leave(leg)
    comes(paying, caller, Kind.ENDED)
    facts = story(paying, caller)
    assert kinds(facts).count(Kind.RECORDING_STARTED) == 1, "the queue begins no second one"
    assert kinds(facts).index(Kind.RECORDING_ENDED) > kinds(facts).index(Kind.TALK_ENDED)
    ended = one(facts, Kind.RECORDING_ENDED).data
    assert (ended["recording"], ended["queue"], ended["agent"]) == (recording, "one", leg.endpoint)


def test_the_keys_of_a_card_are_in_no_fact_no_log_and_not_in_redis_and_the_recording_is_silent(paying: World) -> None:
    with capture_logs() as logs:
        caller, recording = comes_to_the_card(paying)
        keys(paying, caller, CARD[:3])
        eventually(lambda: len(caller.heard) > 1, "too few: asked once more")
        assert paying.pbx.paused == {recording}, "no gap between two tries"
        keys(paying, caller, CARD + "99")  # two too many
        comes(paying, caller, Kind.RECORDING_RESUMED)
        assert not paying.pbx.paused
        comes(paying, caller, Kind.QUEUED)
        paying.controller.node.saver.flush()
        told = everything(paying) + repr(logs) + repr(story(paying, caller))
    facts = kinds(story(paying, caller))
    assert (facts.count(Kind.RECORDING_PAUSED), facts.count(Kind.RECORDING_RESUMED)) == (1, 1)
    assert {"name": "card", "value": "", "secret": True} in [e.data for e in story(paying, caller)]
    assert recording in told
    assert "'card'" in told or '"card"' in told
    assert CARD not in told
    contact = paying.controller.node.contacts[comes(paying, caller, Kind.ARRIVED).contact_id]
    assert not contact.typed, "keys too many are not for the next question"


@pytest.mark.parametrize("way", ["nothing", "too few", "hangs up", "the controller is killed", "the link is cut"])
def test_the_recording_goes_on_or_ends_whatever_way_the_question_ends(paying: World, way: str) -> None:
    caller, recording = comes_to_the_card(paying)
    match way:
        case "too few":
            keys(paying, caller, "12#")
            eventually(lambda: len(caller.heard) > 1, "asked once more")
            keys(paying, caller, "13#")
        case "hangs up":
            keys(paying, caller, "12")
            paying.pbx.leave(caller)
            comes(paying, caller, Kind.ENDED)
            facts = kinds(story(paying, caller))
            assert Kind.RECORDING_RESUMED not in facts
            assert facts.index(Kind.RECORDING_ENDED) < facts.index(Kind.ENDED)
            return
        case "the controller is killed":
            paying.restart()
        case "the link is cut":
            paying.pbx.cut()
            paying.pbx.mend()
    comes(paying, caller, Kind.QUEUED)
    facts = kinds(story(paying, caller))
    assert facts.index(Kind.RECORDING_PAUSED) < facts.index(Kind.RECORDING_RESUMED) < facts.index(Kind.QUEUED)
    assert not paying.pbx.paused
    paying.pbx.leave(caller)
    comes(paying, caller, Kind.ENDED)
    assert one(story(paying, caller), Kind.RECORDING_ENDED).data["recording"] == recording


def test_what_cannot_be_made_silent_is_ended(paying: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(tap: FakeTap) -> None:
        raise Refused("not now", 500)

    monkeypatch.setattr(FakeTap, "pause", refuse)
    paying.arrive(0)
    caller = paying.lines[-1]
    comes(paying, caller, Kind.RECORDING_ENDED)
    assert Kind.SET not in kinds(story(paying, caller)), "before a key is taken"
    keys(paying, caller, CARD)
    comes(paying, caller, Kind.QUEUED)
    assert Kind.RECORDING_PAUSED not in kinds(story(paying, caller))


def talking(world: World, caller: Line) -> Line:
    keys(world, caller, CARD)
    leg = rings(world)
    world.pbx.answer(leg)
    comes(world, caller, Kind.TALK_STARTED)
    return leg


def test_an_agents_pause_ends_with_the_conversation(paying: World) -> None:
    caller, _ = comes_to_the_card(paying)
    leg = talking(paying, caller)
    assert ask(paying, caller, "record", action="pause")["recording"] == "paused"
    paying.pbx.leave(leg)
    comes(paying, caller, Kind.ENDED)
    facts = [kind for kind in kinds(story(paying, caller)) if kind.startswith(("recording", "talk"))]
    assert facts[-5:] == [
        Kind.TALK_STARTED,
        Kind.RECORDING_PAUSED,
        Kind.TALK_ENDED,
        Kind.RECORDING_RESUMED,
        Kind.RECORDING_ENDED,
    ]


def test_a_queue_that_allows_no_recording_is_in_none(paying: World) -> None:
    never = SITE.queues["one"].model_copy(update={"record": False, "record_on_demand": False})
    queues = {**paying.controller.node.site.queues, "one": never}
    configure(paying, queues=queues)
    caller, recording = comes_to_the_card(paying)
    leg = talking(paying, caller)
    eventually(lambda: paying.pbx.paused == {recording}, "silent while its agent talks")
    assert refused(paying, caller, "record", action="resume") == "not_allowed"
    paying.pbx.leave(leg)
    comes(paying, caller, Kind.ENDED)
    assert [e.data["by"] for e in story(paying, caller) if e.kind is Kind.RECORDING_PAUSED] == ["flow", "queue"]
    assert not paying.pbx.paused
