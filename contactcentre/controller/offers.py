"""Rings a reserved agent for a contact and joins the two. Every way it can end is a named result with a defined effect.

The reservation is confirmed (`Verb.ACCEPT`) when the two hear each other, not before: nobody waits for Redis in
silence, and an agent who hangs up while being connected has let an offer pass like any other.
"""

from collections.abc import Callable

from contactcentre.controller.contact import SUSPENDING, CallerGone, Contact, Granted, Suspended
from contactcentre.controller.router import facts
from contactcentre.controller.talk import Conversation
from contactcentre.domain.agents import Verb
from contactcentre.domain.events import Kind, OfferResult, Outcome
from contactcentre.pbx.errors import Deadline, Gone, LinkDown, PbxError, Refused
from contactcentre.pbx.events import Answered, Cause, Ended, Ringing
from contactcentre.pbx.protocol import REQUEST_DEADLINE, Channel

_RESULTS = {
    Cause.BUSY: OfferResult.BUSY,
    Cause.REJECTED: OfferResult.REJECTED,
    Cause.NO_ANSWER: OfferResult.MISSED,
    Cause.NO_RESPONSE: OfferResult.MISSED,
    Cause.NORMAL: OfferResult.REJECTED,  # ended by the phone before it answered
}
"""How a leg that never answered ended -> the offer's result; any other cause is UNREACHABLE."""

_NOBODYS_FAULT = (OfferResult.CALLER_GONE, OfferResult.EXPIRED)


class Offer:
    """One agent rings for one contact."""

    def __init__(self, contact: Contact, granted: Granted, ring_seconds: float | None = None) -> None:
        self.contact = contact
        self.agent = granted.agent
        self.decision = granted.decision
        self.leg_id = contact.new_id("a")
        self.moved = False
        """The caller was taken out of the waiting room, although it came to nothing."""
        self._queue = contact.node.queue(granted.decision.queue)
        self._ring_seconds = self._queue.ring_seconds if ring_seconds is None else ring_seconds
        self._facts = {"agent": self.agent.name, "token": self.agent.token, "leg": self.leg_id}

    def ring(self, on_call: Callable[[], None] = lambda: None) -> Conversation | None:
        """The agent answered and the two hear each other. None: it came to nothing. Raises CallerGone, Suspended.

        `on_call` is run as soon as the agent's phone is called."""
        contact = self.contact
        contact.emit(Kind.DECISION, **facts(self.decision))
        contact.emit(Kind.OFFERED, queue=self.decision.queue, deadline=self.agent.deadline, **self._facts)
        try:
            leg = self._call()
            on_call()
            if leg is None or not self._await_answer(leg):
                return None
            return self._join(leg)
        except SUSPENDING:
            raise
        except Exception as error:
            contact.node.hang_up(self.leg_id)
            gone = isinstance(error, CallerGone | Gone)
            if gone:
                contact.outcome = Outcome.ABANDONED
            self._refuse(OfferResult.CALLER_GONE if gone else OfferResult.EXPIRED, Cause.NORMAL)
            raise

    def _call(self) -> Channel | None:
        contact = self.contact
        endpoint = contact.node.configuration.endpoint_of(self.agent.name)
        contact.emit(Kind.LEG_STARTED, leg=self.leg_id, role="agent", endpoint=endpoint, agent=self.agent.name)
        contact.save(  # before it rings: should the link be cut now, whoever comes next knows what to take back
            state="ringing",
            queue=self.decision.queue,
            agent=self.agent.name,
            channels={"caller": contact.caller_id, "agent": self.leg_id},
            detail={**contact.now.detail, "token": self.agent.token},
        )
        try:
            return contact.node.pbx.call(
                endpoint,
                channel_id=self.leg_id,
                inbox=contact.post,
                contact_id=contact.id,
                caller=contact.party,
                ring_seconds=self._ring_seconds,
            )
        except (LinkDown, Deadline):
            raise
        except PbxError:
            self._refuse(OfferResult.UNREACHABLE, Cause.UNREACHABLE)
            return None

    def _await_answer(self, leg: Channel) -> bool:
        contact = self.contact
        contact.bridge()  # ready before the answer
        while contact.node.now() < self.agent.deadline:
            match contact.next(self.agent.deadline):
                case Ringing(channel_id=self.leg_id):
                    contact.emit(Kind.RINGING, **self._facts)
                case Answered(channel_id=self.leg_id):
                    contact.emit(Kind.LEG_ANSWERED, leg=self.leg_id)
                    return True
                case Ended(channel_id=self.leg_id, cause=cause):
                    self._refuse(_RESULTS.get(cause, OfferResult.UNREACHABLE), cause)
                    return False
        leg.hangup(Cause.NO_ANSWER)
        self._refuse(OfferResult.MISSED, Cause.NO_ANSWER)
        return False

    def _join(self, leg: Channel) -> Conversation | None:
        contact = self.contact
        try:
            contact.bridge().add(contact.caller, leg)
        except (Gone, Refused):  # refused is what is just about to be gone
            cause = who_left(contact, leg.id)
            self._refuse(OfferResult.REJECTED, cause)
            return None
        self.moved = True
        if not contact.node.agents.change(self.agent.name, Verb.ACCEPT, token=self.agent.token):
            leg.hangup()  # the reservation had run out meanwhile, and the agent may be somebody else's
            self._refuse(OfferResult.EXPIRED, Cause.NORMAL)
            return None
        contact.emit(Kind.ACCEPTED, **self._facts)
        return Conversation(self.agent.name, self.agent.token, self.decision.queue, leg.id)

    def _refuse(self, result: OfferResult, cause: Cause) -> None:
        contact = self.contact
        contact.emit(Kind.LEG_ENDED, leg=self.leg_id, cause=int(cause))
        contact.emit(Kind.REFUSED, result=result.value, **self._facts)
        contact.save(agent="", channels={"caller": contact.caller_id})
        if result in _NOBODYS_FAULT:
            contact.node.agents.change(self.agent.name, Verb.RELEASE, token=self.agent.token)
            return
        contact.node.agents.change(
            self.agent.name,
            Verb.MISS,
            token=self.agent.token,
            misses_allowed=self._queue.misses_allowed,
            delay=self._queue.retry_delay,
        )


def who_left(contact: Contact, leg: str) -> Cause:
    """A bridge could not be made of caller and leg because one of them has just gone; the event that tells which is
    on its way. The cause, if it was the leg. Raises CallerGone, and Suspended when nobody says: look what is there."""
    until = contact.node.now() + REQUEST_DEADLINE
    while (message := contact.next(until)) is not None:
        if isinstance(message, Ended) and message.channel_id == leg:
            return message.cause
    raise Suspended


def withdraw(contact: Contact) -> None:
    """Takes back an offer that was under way when the contact was suspended; the agent is free again."""
    now = contact.now
    result = OfferResult.EXPIRED if contact.caller_there else OfferResult.CALLER_GONE
    leg, token = now.channels.get("agent", ""), str(now.detail.get("token", ""))
    if leg:
        contact.node.hang_up(leg)
        contact.emit(Kind.LEG_ENDED, leg=leg, cause=int(Cause.NORMAL))
        contact.emit(Kind.REFUSED, result=result.value, agent=now.agent, token=token, leg=leg)
        contact.save(agent="", channels={"caller": contact.caller_id})


def accepted(contact: Contact) -> Conversation:
    """The offer that was under way when the contact was suspended; the PBX says that the two have been joined."""
    now = contact.now
    talk = Conversation(now.agent, str(now.detail.get("token", "")), now.queue, now.channels["agent"])
    contact.node.agents.change(talk.agent, Verb.ACCEPT, token=talk.token)
    contact.emit(Kind.LEG_ANSWERED, leg=talk.leg)
    contact.emit(Kind.ACCEPTED, agent=talk.agent, token=talk.token, leg=talk.leg)
    return talk
