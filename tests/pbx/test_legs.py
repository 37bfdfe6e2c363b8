"""A channel ends once, whatever the order in which the PBX tells it."""

from hypothesis import given
from hypothesis import strategies as st

from contactcentre.pbx.events import Answered, Cause, ChannelEvent, Digit, Ended, Left, Ringing
from contactcentre.pbx.legs import KEEP, SETTLE, Leg, Legs


def bound(*, called: bool = False) -> tuple[Legs, list[ChannelEvent]]:
    legs = Legs(lambda text: None)
    heard: list[ChannelEvent] = []
    legs.bind("c", heard.append, called=called)
    return legs, heard


happenings = st.lists(
    st.sampled_from(["ringing", "answer", "hang_up", "release", "end", "leaving", "digit", "overdue"]), max_size=12
)


@given(happenings, st.booleans())
def test_after_its_end_nothing_comes_and_nothing_is_kept(order: list[str], called: bool) -> None:
    legs, heard = bound(called=called)
    for now, what in enumerate(order):
        at = float(now)
        if what == "ringing":
            legs.ringing("c", at)
        elif what == "answer":
            legs.answer("c", at)
        elif what == "hang_up":
            legs.hang_up("c", Cause.NORMAL)
        elif what == "release":
            legs.release("c", at, at)
        elif what == "end":
            legs.end("c", at, Cause.NORMAL)
        elif what == "leaving":
            legs.set_leaving("c", True)
        elif what == "digit":
            legs.tell(Digit("c", at, "1"))
        else:
            for leg in legs.overdue(at):
                legs.end(leg.id, at, leg.cause)
    last = [number for number, event in enumerate(heard) if isinstance(event, Ended | Left)]
    assert last in ([], [len(heard) - 1])
    assert len(legs) == (0 if last else 1)
    assert sum(isinstance(event, Answered) for event in heard) <= 1
    assert sum(isinstance(event, Ringing) for event in heard) <= 1


def test_a_hangup_that_is_followed_by_the_stasis_end_is_the_end_of_a_caller() -> None:
    legs, heard = bound()
    legs.hang_up("c", Cause.UNKNOWN)
    legs.release("c", 1.0, 1.0)
    assert heard == [Ended("c", 1.0, Cause.NORMAL)]


def test_a_stasis_end_without_a_hangup_is_looked_into_after_a_while() -> None:
    legs, heard = bound()
    legs.release("c", 1.0, 100.0)
    assert heard == []
    assert list(legs.overdue(100.0 + SETTLE / 2)) == []
    assert [leg.id for leg in legs.overdue(100.1 + SETTLE)] == ["c"]


def test_what_nobody_adopts_is_forgotten_in_the_end() -> None:
    legs = Legs(lambda text: None)
    legs.arrive("c", 100.0, answered=False)
    legs.tell(Digit("c", 101.0, "1"))
    assert legs.expire(100.0 + KEEP) == []
    assert [leg.id for leg in legs.expire(100.1 + KEEP)] == ["c"]
    assert len(legs) == 0


def test_kept_events_are_delivered_in_order_and_an_end_among_them_frees_the_leg() -> None:
    legs = Legs(lambda text: None)
    legs.arrive("c", 100.0, answered=False)
    legs.tell(Digit("c", 101.0, "1"))
    legs.end("c", 102.0, Cause.NORMAL)
    legs.end("c", 103.0, Cause.NORMAL)
    heard: list[ChannelEvent] = []
    legs.bind("c", heard.append)
    assert heard == [Digit("c", 101.0, "1"), Ended("c", 102.0, Cause.NORMAL)]
    assert len(legs) == 0


def test_an_unanswered_leg_that_ends_at_its_deadline_was_not_answered() -> None:
    leg = Leg("c", called=True, deadline=10.0)
    assert leg.reason(Cause.UNKNOWN, 10.0) is Cause.NO_ANSWER
    assert leg.reason(Cause.NORMAL, 11.0) is Cause.NO_ANSWER
    assert leg.reason(Cause.UNKNOWN, 5.0) is Cause.UNKNOWN
    assert leg.reason(Cause.BUSY, 11.0) is Cause.BUSY


def test_we_remember_why_we_hung_up() -> None:
    legs, _ = bound(called=True)
    legs.note_cause("c", Cause.ANSWERED_ELSEWHERE)
    leg = legs.get("c")
    assert leg is not None
    assert leg.reason(Cause.UNKNOWN, 1.0) is Cause.ANSWERED_ELSEWHERE
