"""The conversation of a caller with an agent: joined, recorded, ended, and the agent's wrap-up."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

from contactcentre.controller.contact import CallerGone, Contact, Suspended
from contactcentre.controller.offers import Connected
from contactcentre.domain.agents import Verb
from contactcentre.domain.events import Kind, Outcome
from contactcentre.domain.ids import uuid7
from contactcentre.live import ContactNow
from contactcentre.pbx.errors import Gone, PbxError
from contactcentre.pbx.events import Cause, Ended
from contactcentre.pbx.protocol import REQUEST_DEADLINE, Tap


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
        contact.save(state="talking", agent=self.agent, detail={"talk": asdict(self)})


class Talk:
    def __init__(self, contact: Contact, connected: Connected, queue: str) -> None:
        self.contact = contact
        self.connected = connected
        agent = connected.agent
        self.talk = Conversation(agent.name, agent.token, queue, connected.leg.id)
        self._tap: Tap | None = None

    def join(self) -> bool:
        """Lets the two hear each other. False: the agent's leg had ended meanwhile, the contact is to be served again.
        Raises CallerGone (the agent is free again, without wrap-up)."""
        contact, talk = self.contact, self.talk
        try:
            self.connected.bridge.add(contact.caller, self.connected.leg)
        except Gone:  # one of the two has just hung up; its event is on the way and tells which
            return self._find_who_left()
        contact.outcome = Outcome.ANSWERED
        contact.emit(Kind.TALK_STARTED, agent=talk.agent, queue=talk.queue, leg=talk.leg)
        if contact.node.queue(talk.queue).record:
            self._record()
        self.talk.save(contact)
        return True

    def _find_who_left(self) -> bool:
        contact = self.contact
        until = contact.node.now() + REQUEST_DEADLINE
        try:
            while (message := contact.next(until)) is not None:
                match message:
                    case Ended(channel_id=self.talk.leg, cause=cause):
                        self._release(cause)
                        return False
        except CallerGone:
            self.connected.leg.hangup()
            self._release(Cause.NORMAL)
            raise
        raise Suspended  # the PBX says gone, but not who: look at what is there

    def _release(self, cause: Cause) -> None:
        self.contact.emit(Kind.LEG_ENDED, leg=self.talk.leg, cause=int(cause))
        self.contact.node.router.change(self.talk.agent, Verb.FINISH, token=self.talk.token, wrap_up=0.0)

    def _record(self) -> None:
        contact, talk = self.contact, self.talk
        recording = uuid7(contact.node.now())
        try:
            self._tap = contact.caller.tap(recording)
        except Gone:
            return  # the conversation is over already, there is nothing to record
        except PbxError as error:  # the call goes on; that it is not recorded is a fact
            contact.emit(Kind.RECORDING_FAILED, recording=recording, error=str(error))
            return
        self.talk = replace(talk, recording=recording)
        contact.emit(Kind.RECORDING_STARTED, recording=recording, agent=talk.agent, queue=talk.queue)

    def converse(self) -> None:
        """Returns when the agent has left and the caller is still there. Raises CallerGone when the caller has."""
        converse(self.contact, self.talk, self._tap)


def converse(contact: Contact, talk: Conversation, tap: Tap | None) -> None:
    """Watches over a joined conversation to its end. Raises CallerGone, Suspended."""
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
    """The conversation is over: facts, recording, and the agent's next state. `by`: caller or agent."""
    node = contact.node
    contact.ended_by = by
    contact.emit(Kind.TALK_ENDED, agent=talk.agent, queue=talk.queue, leg=talk.leg)
    contact.emit(Kind.LEG_ENDED, leg=talk.leg, cause=int(cause))
    wrap_up = node.queue(talk.queue).wrap_up
    if node.router.change(talk.agent, Verb.FINISH, token=talk.token, wrap_up=wrap_up) and wrap_up:
        contact.emit(Kind.WRAP_UP_STARTED, agent=talk.agent, queue=talk.queue, seconds=wrap_up)
        node.wrap_ups.watch(contact, talk.agent, talk.queue)
    if talk.recording:
        _end_recording(contact, talk, tap)


def _end_recording(contact: Contact, talk: Conversation, tap: Tap | None) -> None:
    """Without a tap (the caller's channel is gone) the files are complete, under the names a tap gives them."""
    files = tap.stop() if tap else {side: f"{talk.recording}-{side}" for side in ("left", "right")}
    started = tap.started if tap else {}
    first = min(started.values(), default=0.0)
    contact.emit(
        Kind.RECORDING_ENDED,
        recording=talk.recording,
        agent=talk.agent,
        queue=talk.queue,
        files=dict(files),
        offsets={side: round(at - first, 3) for side, at in started.items()},
    )


def resume(contact: Contact, now: ContactNow, leg: str) -> None:
    """Takes up the conversation that the contact was in; `leg` is the agent's leg, "" if it has ended. Returns when the
    agent has left. Raises CallerGone, Suspended."""
    talk = Conversation.of(now)
    contact.outcome = Outcome.ANSWERED
    tap = contact.caller.tap(talk.recording) if talk.recording else None
    if not leg:
        return end(contact, talk, tap, "agent", Cause.UNKNOWN)
    contact.node.pbx.adopt(leg, contact.post)
    return converse(contact, talk, tap)
