"""An agent sends the caller on: the walk goes on from there, and what comes to nothing leads back to the queue."""

import pytest

from contactcentre.domain.events import LeftQueue
from contactcentre.domain.flows.actions import Enqueue, Hangup, Left, Resume, Sent, Transfer, TransferFailed, Voicemail
from contactcentre.domain.flows.walk import Walker
from contactcentre.domain.site import Queue
from tests.domain.flows.build import AT, SITE, Call

FLOW = "w: {type: queue, queue: sales}"


def sent(to: str, back: str = "sales") -> tuple[Call, object]:
    call, _ = Call.of(FLOW)
    return call, call.step(Sent(to, back))


def test_to_an_agent_and_back_into_the_queue_when_nobody_answers() -> None:
    call, action = sent("agent:ada")
    assert isinstance(action, Transfer)
    assert (action.kind, action.target, action.told) == ("agent", "ada", True)
    again = call.step(TransferFailed("missed"))
    assert isinstance(again, Enqueue)
    assert again.queue == "sales"


def test_who_is_sent_on_twice_comes_back_into_the_queue_all_the_same() -> None:
    call, first = sent("agent:ada")
    assert isinstance(first, Transfer)
    assert first.queue == "sales"
    second = call.step(Sent("agent:bob", "sales"))
    assert isinstance(second, Transfer)
    assert (second.target, second.queue) == ("bob", "sales")
    again = call.step(TransferFailed("busy"))
    assert isinstance(again, Enqueue)
    assert again.queue == "sales"


def test_who_never_was_in_a_queue_comes_back_to_where_the_flow_had_them() -> None:
    call, _ = Call.of("w: {type: transfer, to: 'agent:ada', on_failed: box}\nbox: {type: voicemail, box: sales}")
    for name in ("bob", "carla"):
        action = call.step(Sent(f"agent:{name}"))
        assert isinstance(action, Transfer)
        assert (action.target, action.queue) == (name, "")
    again = call.step(TransferFailed("busy"))
    assert isinstance(again, Transfer)
    assert again.target == "ada"
    assert isinstance(call.step(TransferFailed("busy")), Voicemail)


def test_to_another_queue_and_back_when_nobody_is_there() -> None:
    call, action = sent("queue:busy")
    assert isinstance(action, Enqueue)
    assert action.queue == "busy"
    answered = call.step(Left(LeftQueue.ANSWERED))
    assert isinstance(answered, Hangup)


def test_who_has_talked_already_gains_what_the_queue_gives_them_once() -> None:
    queues = {**SITE.queues, "support": Queue(priority=5, transfer_priority=4), "sales": Queue(transfer_priority=2)}
    call, first = Call.of(FLOW, site=SITE.model_copy(update={"queues": queues}))
    assert isinstance(first, Enqueue)
    assert first.priority == 0, "nobody has talked with them yet"
    for _ in range(2):
        transferred = call.step(Sent("queue:support", "sales"))
        assert isinstance(transferred, Enqueue)
        assert (transferred.queue, transferred.priority) == ("support", 4)
    call.step(Sent("agent:ada", "sales"))
    back = call.step(TransferFailed("missed"))
    assert isinstance(back, Enqueue)
    assert (back.queue, back.priority) == ("sales", 2)
    restored = Walker.restore(call.walker.save(), call.walker.site, {"test": call.walker.flow})
    assert restored.step(Resume(), AT) == back


def test_to_a_box_and_to_another_flow() -> None:
    _, action = sent("voicemail:sales")
    assert isinstance(action, Voicemail)
    call, _ = sent("flow:other")
    assert call.walker.flow.name == "other"
    assert not [note for note in call.notes if note[0] == "contact.transferred"], "who did it has said so"


@pytest.mark.parametrize("to", ["agent:ada", "queue:busy"])
def test_where_the_caller_was_sent_outlives_a_restart(to: str) -> None:
    call, _ = sent(to)
    saved = call.walker.save()
    restored = Walker.restore(saved, call.walker.site, {"test": call.walker.flow})
    assert restored.node == f"to/{to}"
    assert restored.save()["back"] == "to/queue:sales"
