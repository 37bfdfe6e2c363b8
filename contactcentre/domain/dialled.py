"""What came of an agent's calling a customer."""

from collections.abc import Iterable
from enum import StrEnum

from contactcentre.domain.events import Event, Kind, Outcome


class Came(StrEnum):
    ANSWERED = "answered"
    BUSY = "busy"
    NO_ANSWER = "no_answer"
    REJECTED = "rejected"
    UNREACHABLE = "unreachable"  # no such number, or the network could not
    OWN_PHONE = "own_phone"  # the agent's was not answered, or hung up before the customer answered
    CUT_OFF = "cut_off"  # by us: the controller or its link to the PBX was away


_BY_CAUSE = {
    16: Came.REJECTED,  # normal clearing, before the answer
    17: Came.BUSY,
    18: Came.NO_ANSWER,  # no user responding
    19: Came.NO_ANSWER,
    21: Came.REJECTED,
}
"""Q.850 cause of the customer's leg; any other is UNREACHABLE."""


def came(facts: Iterable[Event]) -> Came | None:
    """Of the facts of one contact that an agent began; None: it has not ended."""
    ended = next((fact.data for fact in facts if fact.kind is Kind.ENDED), None)
    if ended is None:
        return None
    if ended.get("outcome") != Outcome.NOT_REACHED:
        return Came.ANSWERED if ended.get("outcome") != Outcome.LOST else Came.CUT_OFF
    by = {"agent": Came.OWN_PHONE, "system": Came.CUT_OFF}.get(str(ended.get("by")))
    return by or _BY_CAUSE.get(int(ended.get("cause", 0)), Came.UNREACHABLE)
