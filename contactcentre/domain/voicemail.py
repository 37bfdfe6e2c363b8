"""A message in a box: who looks after it, from its arrival to its being done.

A box has the name of its queue or of its agent. A message is *new* until somebody claims it, so that two never call the
same caller back; whoever claimed it releases it, hands it over to another box, or says that it is done. A claim that
nobody came back to runs out after `CLAIM_SECONDS`.
"""

from dataclasses import dataclass, replace
from enum import IntEnum, StrEnum

from contactcentre.domain.members import members_of
from contactcentre.domain.site import Site

CLAIM_SECONDS = 1800.0
"""Seconds after which a claim has run out, and others may claim the message."""

NOTE_LIMIT = 500


class MessageState(StrEnum):
    NEW = "new"
    CLAIMED = "claimed"
    DONE = "done"


class Step(StrEnum):
    CLAIM = "claim"
    RELEASE = "release"
    DONE = "done"
    REOPEN = "reopen"
    HAND_OVER = "hand_over"


def boxes_of(site: Site, agent: str) -> frozenset[str]:
    """The boxes that are an agent's business: their own, and those of the queues they answer. Empty for one whom the
    site does not know (any more)."""
    if agent not in site.agents:
        return frozenset()
    return frozenset({agent, *(queue for queue in site.queues if agent in members_of(site, queue))})


@dataclass(frozen=True, slots=True)
class BoxCount:
    """What waits in a box."""

    new: int = 0  # messages that nobody looks after
    claimed: int = 0
    oldest: float | None = None  # when the oldest came that nobody looks after (epoch seconds)


class Turn(IntEnum):
    """When a message is heard by an agent who calls for them."""

    OWN = 1
    SHARED = 2  # of a queue
    MINE = 3  # looked after already


class NotPossible(Exception):
    """The step makes no sense as the message is. Says so for a person."""


@dataclass(frozen=True, slots=True)
class Message:
    """`version` grows by one with every step and is the key of compare-and-set. Times are epoch seconds."""

    recording: str
    box: str
    state: MessageState = MessageState.NEW
    owner: str = ""  # who claimed it, or said that it is done
    since: float = 0.0  # when it came into this state
    note: str = ""  # the last one
    version: int = 0

    def is_free(self, at: float) -> bool:
        """Nobody looks after it: new, or claimed and forgotten."""
        return self.state is MessageState.NEW or (
            self.state is MessageState.CLAIMED and at - self.since >= CLAIM_SECONDS
        )


def turn(message: Message, agent: str, at: float) -> Turn | None:
    """When the agent hears it at `at` (epoch seconds), of the messages in the agent's boxes; None: others look after
    it, or nobody needs to."""
    if message.is_free(at):
        return Turn.OWN if message.box == agent else Turn.SHARED
    mine = message.state is MessageState.CLAIMED and message.owner == agent
    return Turn.MINE if mine else None


def step(
    message: Message, verb: Step, by: str, at: float, *, to: str = "", note: str = "", over_others: bool = False
) -> Message:
    """The message after `verb` by somebody at `at` (epoch seconds). HAND_OVER takes the box `to`. `over_others`: a
    supervisor may do it although another has claimed the message. Raises NotPossible, ValueError (note too long)."""
    if len(note) > NOTE_LIMIT or not note.isprintable():
        raise ValueError(f"a note has at most {NOTE_LIMIT} characters, in one line")
    known = message.state
    free = message.is_free(at) or message.owner == by or over_others
    if known is not MessageState.DONE and not free:
        raise NotPossible(f"{message.owner} looks after this message")
    if known is MessageState.DONE and verb is not Step.REOPEN:
        raise NotPossible(f"{message.owner} has done with this message: reopen it first")
    moved = replace(message, since=at, note=note or message.note, version=message.version + 1)
    match verb:
        case Step.CLAIM if known is MessageState.CLAIMED and message.owner == by:
            raise NotPossible("it is yours already")
        case Step.CLAIM:
            return replace(moved, state=MessageState.CLAIMED, owner=by)
        case Step.RELEASE if known is MessageState.NEW:
            raise NotPossible("nobody has claimed this message")
        case Step.RELEASE:
            return replace(moved, state=MessageState.NEW, owner="")
        case Step.DONE:
            return replace(moved, state=MessageState.DONE, owner=by)
        case Step.HAND_OVER if not to or to == message.box:
            raise NotPossible("it is handed over to another box")
        case Step.HAND_OVER:
            return replace(moved, state=MessageState.NEW, owner="", box=to)
        case Step.REOPEN if known is not MessageState.DONE:
            raise NotPossible("it is not done")
        case _:
            return replace(moved, state=MessageState.NEW, owner="")
