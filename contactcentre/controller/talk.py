"""The conversation of a caller with an agent: recorded, ended, and the agent's wrap-up."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from types import MappingProxyType
from typing import Any, Self

import gevent
import structlog

from contactcentre.controller.contact import CallerGone, Contact
from contactcentre.domain.agents import Verb
from contactcentre.domain.events import Kind, Outcome
from contactcentre.domain.ids import uuid7
from contactcentre.live import ContactNow
from contactcentre.pbx.errors import Gone, LinkDown, PbxError
from contactcentre.pbx.events import Cause, Ended
from contactcentre.pbx.protocol import Tap

log = structlog.get_logger(__name__)

NEXT_FIRST = 0.003
"""Seconds after the end of a conversation in which the agent's next caller comes before what is left to do for this."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """What must be known to end a conversation rightly, also by a controller that did not begin it."""

    agent: str
    token: str
    queue: str
    leg: str
    recording: str = ""  # "" = none

    @classmethod
    def of(cls, now: ContactNow) -> Self:
        """As it was saved with the contact."""
        known: Mapping[str, Any] = now.detail.get("talk", {})
        return cls(**{key: str(known.get(key, "")) for key in cls.__slots__})

    def save(self, contact: Contact) -> None:
        channels = {"caller": contact.caller_id, "agent": self.leg}
        others = {leg: offer for leg, offer in contact.now.detail.get("offers", {}).items() if leg != self.leg}
        detail = {**contact.now.detail, "talk": asdict(self), "offers": others}
        contact.save(state="talking", agent=self.agent, channels=channels, detail=detail)


def begin(contact: Contact, talk: Conversation) -> None:
    """The two have just begun to hear each other."""
    contact.outcome = Outcome.ANSWERED
    contact.emit(Kind.TALK_STARTED, agent=talk.agent, queue=talk.queue, leg=talk.leg)
    talk.save(contact)


def converse(contact: Contact, talk: Conversation) -> None:
    """A conversation that has begun, to its end. Returns when the agent has left and the caller is still there. Raises
    CallerGone when the caller has, and Suspended."""
    tap: Tap | None = None
    if contact.node.queue(talk.queue).record:
        talk, tap = _record(contact, talk)
    _watch(contact, talk, tap)


def _record(contact: Contact, talk: Conversation) -> tuple[Conversation, Tap | None]:
    recording = uuid7(contact.node.now())
    try:
        tap = contact.caller.tap(recording)
    except Gone:  # the conversation is over already, there is nothing to record
        return talk, None
    except PbxError as error:  # the call goes on; that it is not recorded is a fact
        contact.emit(Kind.RECORDING_FAILED, recording=recording, error=str(error))
        return talk, None
    recorded = replace(talk, recording=recording)
    contact.emit(Kind.RECORDING_STARTED, recording=recording, agent=talk.agent, queue=talk.queue)
    recorded.save(contact)
    return recorded, tap


def resume(contact: Contact, leg_there: bool) -> None:
    """Takes up the conversation that the contact was in when it was suspended. Returns when the agent has left. Raises
    CallerGone, Suspended."""
    talk = Conversation.of(contact.now)
    contact.outcome = Outcome.ANSWERED
    tap: Tap | None = None
    if contact.caller_there:
        # Should its confirmation never have been written, the agent would be offered other contacts.
        contact.node.agents.change(talk.agent, Verb.ACCEPT, token=talk.token)
        if leg_there:
            try:
                contact.node.pbx.adopt(talk.leg, contact.post)
            except Gone:
                leg_there = False
        if talk.recording:
            tap = _take_over(contact, talk)
        if not leg_there:
            return end(contact, talk, tap, "agent", Cause.UNKNOWN)
    return _watch(contact, talk, tap)


def _take_over(contact: Contact, talk: Conversation) -> Tap | None:
    """The recording that an earlier controller began, or that ran on while the link was away."""
    try:
        return contact.caller.tap(talk.recording)
    except LinkDown:
        raise
    except PbxError as error:  # the call goes on; its files end with it, under the names a tap gives them
        log.warning("recording not taken over", contact=contact.id, recording=talk.recording, error=str(error))
        return None


def _watch(contact: Contact, talk: Conversation, tap: Tap | None) -> None:
    """To the conversation's end."""
    try:
        while True:
            match contact.next():
                case Ended(channel_id=talk.leg, cause=cause):
                    return end(contact, talk, tap, "agent", cause)
    except CallerGone:
        contact.node.hang_up(talk.leg)
        end(contact, talk, tap, "caller", Cause.NORMAL)
        raise


def end(contact: Contact, talk: Conversation, tap: Tap | None, by: str, cause: Cause) -> None:
    """The conversation is over: facts, the agent's next state, recording. `by`: caller, agent or system. Without a tap
    (the caller's channel is gone) the recording's files are complete, under the names a tap gives them."""
    node = contact.node
    contact.ended_by = by
    contact.emit(Kind.TALK_ENDED, agent=talk.agent, queue=talk.queue, leg=talk.leg)
    contact.emit(Kind.LEG_ENDED, leg=talk.leg, cause=int(cause))
    wrap_up = node.queue(talk.queue).wrap_up
    finished = node.agents.soon(talk.agent, Verb.FINISH, token=talk.token, wrap_up=wrap_up)
    gevent.sleep(NEXT_FIRST)
    if finished and wrap_up:
        contact.emit(Kind.WRAP_UP_STARTED, agent=talk.agent, queue=talk.queue, seconds=wrap_up)
        node.wrap_ups.watch(contact, talk.agent, talk.queue)
    if talk.recording:
        if tap is not None:
            tap.stop()
        recording_ended(contact, talk.recording, talk.agent, talk.queue, tap.started if tap else {})
    contact.save(state="ivr", agent="", channels={"caller": contact.caller_id})


def recording_ended(
    contact: Contact, recording: str, agent: str, queue: str, started: Mapping[str, float] = MappingProxyType({})
) -> None:
    """Its files are complete, under the names that a tap gives them. `started`: epoch seconds of each side."""
    first = min(started.values(), default=0.0)
    contact.emit(
        Kind.RECORDING_ENDED,
        recording=recording,
        agent=agent,
        queue=queue,
        files={side: f"{recording}-{side}" for side in ("left", "right")},
        offsets={side: round(at - first, 3) for side, at in started.items()},
    )
