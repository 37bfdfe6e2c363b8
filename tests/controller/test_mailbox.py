"""Agents who call for their messages, on a PBX in memory."""

import time
from collections.abc import Iterator

import gevent
import pytest
import sqlalchemy as sa

from contactcentre.controller import mailbox
from contactcentre.domain.voicemail import MessageState, Step
from contactcentre.store import StoreUnavailable
from tests.controller import fake_pbx
from tests.controller.fake_pbx import Line
from tests.controller.world import World
from tests.store.test_boxes import left
from tests.waiting import eventually


@pytest.fixture
def boxes(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """All boxes are empty; nobody waits long for a key, and messages play until a test has done what it wants."""
    monkeypatch.setattr(mailbox, "KEY_SECONDS", 0.3)
    with world.store._begin() as connection:
        connection.execute(sa.text("TRUNCATE event, contact, recording, voicemail, box_message"))
    yield world
    world.peace()
    assert not list((world.at / "prompts" / "lent").glob("*")), "no copy stays behind"


def leave(world: World, name: str, box: str, ago: float = 300.0, caller: str = "+33142000000") -> None:
    """A stored message whose copy can be told by its length."""
    (world.at / "recordings" / f"{name}.wav").write_bytes(name.encode())
    left(world.store, name, time.time() - ago, box=box, path=f"{name}.wav", caller=caller)


def calls_for_messages(world: World, agent: str) -> Line:
    return world.pbx.arrive("*97", agent)


def heard(world: World, agent: str = "") -> list[str]:
    """The messages that were listened to, as the audit log has it."""
    entries = reversed(world.store.audit_entries(action="recording.listen"))
    ours = [e for e in entries if e.at >= world.began]
    return [e.subject for e in ours if not agent or e.actor == f"phone:{agent}"]


def hears(world: World, agent: str, message: str) -> None:
    eventually(lambda: heard(world, agent)[-1:] == [message], f"{agent} hears {message}, not {heard(world)}")


def lent(line: Line) -> list[str]:
    return [medium for medium, _ in line.heard if "/lent/" in medium]


def over(world: World, line: Line) -> None:
    eventually(lambda: line.id not in world.pbx.lines and not world.controller.node.channels, "the call is over")


def state(world: World, message: str) -> tuple[MessageState, str, str]:
    found = world.store.message(message).message
    return found.state, found.owner, found.box


def test_the_own_messages_come_first_then_those_of_the_queues_and_at_last_what_is_looked_after(boxes: World) -> None:
    for name, box, ago in (("m1", "one", 900), ("m2", "anna", 300), ("m3", "anna", 600), ("m4", "bert", 900)):
        leave(boxes, name, box, ago)
    leave(boxes, "m5", "two", 1200)
    boxes.store.take_step("m5", Step.CLAIM, "anna", time.time())
    line = calls_for_messages(boxes, "anna")
    for message in ("m3", "m2", "m1", "m5"):
        hears(boxes, "anna", message)
        boxes.pbx.press(line, "2")
    over(boxes, line)
    assert heard(boxes) == ["m3", "m2", "m1", "m5"], "and none of bert's"
    numbers = [medium for medium, _ in line.heard if medium.startswith("number:")]
    assert numbers[:2] == ["number:3", "number:1"], "new ones, and one's own"
    assert "digits:33142000000" in [medium for medium, _ in line.heard]
    assert not boxes.events(), "it is no contact"


def test_two_agents_never_hear_the_same_message_as_theirs(boxes: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fake_pbx, "SAID", 0.2)
    for number in range(4):
        leave(boxes, f"s{number}", "one", 900 - number)
    lines = [calls_for_messages(boxes, agent) for agent in ("anna", "bert")]

    pressed = dict.fromkeys((line.id for line in lines), 0)

    def all_heard() -> bool:
        for line in lines:
            if len(lent(line)) > pressed[line.id]:
                pressed[line.id] += 1
                boxes.pbx.press(line, "2")
        return not boxes.pbx.lines

    eventually(all_heard, "both calls are over")
    by = {agent: set(heard(boxes, agent)) for agent in ("anna", "bert")}
    assert by["anna"] | by["bert"] == {"s0", "s1", "s2", "s3"}
    claims = [e for e in boxes.store.audit_entries(action="voicemail.claim") if e.at >= boxes.began]
    releases = [e for e in boxes.store.audit_entries(action="voicemail.release") if e.at >= boxes.began]
    for message in ("s0", "s1", "s2", "s3"):
        steps = sorted((e for e in [*claims, *releases] if e.subject == message), key=lambda e: e.id)
        names = [e.action.removeprefix("voicemail.") for e in steps]
        assert names[::2] == ["claim"] * len(names[::2]), "claimed only when nobody had it"


def test_what_was_not_heard_to_its_end_is_new_again(boxes: World, monkeypatch: pytest.MonkeyPatch) -> None:
    leave(boxes, "h1", "one")
    monkeypatch.setattr(fake_pbx, "SAID", 1.0)
    line = calls_for_messages(boxes, "anna")
    hears(boxes, "anna", "h1")
    eventually(lambda: lent(line), "it plays")
    assert state(boxes, "h1") == (MessageState.CLAIMED, "anna", "one"), "nobody else's meanwhile"
    boxes.pbx.leave(line)
    over(boxes, line)
    assert state(boxes, "h1") == (MessageState.NEW, "", "one")


def test_what_was_heard_to_its_end_stays_the_agents(boxes: World) -> None:
    leave(boxes, "h2", "one")
    line = calls_for_messages(boxes, "anna")
    hears(boxes, "anna", "h2")
    over(boxes, line)  # hung up by us: nobody presses a key
    assert state(boxes, "h2") == (MessageState.CLAIMED, "anna", "one")
    assert len(lent(line)) == 1


def test_keys_play_it_again_and_say_that_it_is_done(boxes: World) -> None:
    leave(boxes, "k1", "anna")
    line = calls_for_messages(boxes, "anna")
    eventually(lambda: len(lent(line)) == 1, "heard")
    boxes.pbx.press(line, "8")  # means nothing
    boxes.pbx.press(line, "1")
    eventually(lambda: len(lent(line)) == 2, "heard again")
    boxes.pbx.press(line, "3")
    over(boxes, line)
    assert state(boxes, "k1") == (MessageState.DONE, "anna", "anna")
    (done,) = boxes.store.audit_entries(subject="k1", action="voicemail.done")
    assert (done.actor, done.detail["by"]) == ("phone:anna", "anna")


def test_the_own_message_is_given_to_one_of_the_queues_and_a_queues_is_given_back(boxes: World) -> None:
    leave(boxes, "g1", "anna")
    leave(boxes, "g2", "one")
    line = calls_for_messages(boxes, "anna")
    hears(boxes, "anna", "g1")
    boxes.pbx.press(line, "5")
    eventually(lambda: "number:3" in [medium for medium, _ in line.heard], "asked which: all, one, two")
    boxes.pbx.press(line, "3")
    hears(boxes, "anna", "g2")
    assert state(boxes, "g1") == (MessageState.NEW, "", "two")
    boxes.pbx.press(line, "5")
    eventually(lambda: heard(boxes, "anna") == ["g1", "g2"] and state(boxes, "g2")[0] is MessageState.NEW, "back")
    boxes.pbx.leave(line)
    over(boxes, line)


def test_the_caller_is_called_back_by_the_pbxs_own_dialplan(boxes: World) -> None:
    leave(boxes, "b1", "one", caller="+33142000001")
    line = calls_for_messages(boxes, "anna")
    hears(boxes, "anna", "b1")
    boxes.pbx.press(line, "4")
    eventually(lambda: line.went_to, "gone")
    eventually(lambda: not boxes.controller.node.channels, "it is not ours any more")
    assert line.went_to == "contactcentre-out,+33142000001"
    assert line.id in boxes.pbx.lines, "and goes on"
    assert state(boxes, "b1") == (MessageState.CLAIMED, "anna", "one")
    (entry,) = boxes.store.audit_entries(subject="b1", action="voicemail.call_back")
    assert (entry.actor, entry.detail["number"]) == ("phone:anna", "+33142000001")
    boxes.pbx.leave(line)


@pytest.mark.parametrize("caller", ["+882991234", "", "anonymous"])
def test_a_number_that_the_site_does_not_list_is_not_called_back(boxes: World, caller: str) -> None:
    leave(boxes, "b2", "one", caller=caller)
    line = calls_for_messages(boxes, "anna")
    hears(boxes, "anna", "b2")
    boxes.pbx.press(line, "4")
    eventually(lambda: ("sound:beeperr", "en") in line.heard, "refused")
    over(boxes, line)
    assert not line.went_to


def test_a_message_that_was_just_fetched_from_the_pbx_is_looked_for_again(
    boxes: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailbox, "LOOK_AGAIN", 0.05)
    leave(boxes, "f1", "one")
    with boxes.store._begin() as connection:
        connection.execute(sa.text('UPDATE recording SET stored_at = NULL, files = \'{"left": "f1"}\''))
    boxes.pbx.missing.add("recording:f1")
    line = calls_for_messages(boxes, "anna")
    eventually(lambda: ("recording:f1", "en") in line.heard, "the PBX's own file is tried")
    with boxes.store._begin() as connection:
        connection.execute(sa.text("UPDATE recording SET stored_at = now()"))
    eventually(lambda: lent(line), "then ours")
    boxes.pbx.leave(line)
    over(boxes, line)


def test_without_its_sound_a_message_stays_new(boxes: World) -> None:
    leave(boxes, "n1", "anna")
    (boxes.at / "recordings" / "n1.wav").unlink()
    line = calls_for_messages(boxes, "anna")
    over(boxes, line)
    assert state(boxes, "n1") == (MessageState.NEW, "", "anna")


def test_with_history_away_the_call_ends(boxes: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object, **__: object) -> None:
        raise StoreUnavailable("away")

    monkeypatch.setattr(boxes.store, "messages", away)
    over(boxes, calls_for_messages(boxes, "anna"))


def test_a_stranger_hears_no_messages(boxes: World) -> None:
    leave(boxes, "x1", "one")
    line = calls_for_messages(boxes, "carrier")
    over(boxes, line)
    assert [medium for medium, _ in line.heard] == ["silence:1", "sound:beeperr"]


def test_those_who_hear_messages_keep_nobody_from_logging_in(boxes: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fake_pbx, "SAID", 30)
    lines = [calls_for_messages(boxes, "anna") for _ in range(60)]
    eventually(lambda: all(line.heard for line in lines), "all of them are told something")
    monkeypatch.setattr(fake_pbx, "SAID", 0.03)
    login = boxes.pbx.arrive("*45", "bert")
    eventually(lambda: ("sound:agent-loginok", "en") in login.heard, "logged in")
    for line in lines:
        boxes.pbx.leave(line)
    gevent.sleep(0)
