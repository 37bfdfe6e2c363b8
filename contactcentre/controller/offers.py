"""Rings a reserved agent for a waiting contact. Every way it can end is a named result with a defined effect."""

from dataclasses import dataclass

from contactcentre.controller.contact import CallerGone, Contact, Granted
from contactcentre.controller.router import facts
from contactcentre.domain.agents import AgentStatus, Verb
from contactcentre.domain.events import Kind, OfferResult
from contactcentre.live import ContactNow
from contactcentre.pbx.errors import Deadline, LinkDown, PbxError
from contactcentre.pbx.events import Answered, Cause, Ended, Ringing
from contactcentre.pbx.protocol import Bridge, Channel

_RESULTS = {
    Cause.BUSY: OfferResult.BUSY,
    Cause.REJECTED: OfferResult.REJECTED,
    Cause.NO_ANSWER: OfferResult.MISSED,
    Cause.NO_RESPONSE: OfferResult.MISSED,
    Cause.NORMAL: OfferResult.REJECTED,  # ended by the phone before it answered
}
"""How a leg that never answered ended -> the offer's result; any other cause is UNREACHABLE."""


@dataclass(frozen=True, slots=True)
class Connected:
    """An agent answered: the leg and an empty bridge are ready, the caller still hears music."""

    agent: AgentStatus
    leg: Channel
    bridge: Bridge


class Offer:
    """One agent rings for one contact."""

    def __init__(self, contact: Contact, granted: Granted, leg_id: str, ring_seconds: float | None = None) -> None:
        self.contact = contact
        self.agent = granted.agent
        self.decision = granted.decision
        self.leg_id = leg_id
        self._queue = contact.node.queue(granted.decision.queue)
        self._ring_seconds = self._queue.ring_seconds if ring_seconds is None else ring_seconds
        self._facts = {"agent": self.agent.name, "token": self.agent.token, "leg": leg_id}

    def ring(self) -> Connected | None:
        """None: it came to nothing, and the contact keeps its place. Raises CallerGone, Suspended."""
        self._announce()
        leg: Channel | None = None
        try:
            leg = self._call()
            if leg is None:
                self._refuse(OfferResult.UNREACHABLE, Cause.UNREACHABLE)
                return None
            return self._await_answer(leg)
        except CallerGone:
            if leg is not None:
                leg.hangup()
            self._refuse(OfferResult.CALLER_GONE, Cause.NORMAL)
            raise

    def _announce(self) -> None:
        contact, decision = self.contact, self.decision
        contact.emit(Kind.DECISION, **facts(decision))
        contact.emit(Kind.OFFERED, queue=decision.queue, deadline=self.agent.deadline, **self._facts)

    def _call(self) -> Channel | None:
        contact = self.contact
        endpoint = contact.node.configuration.endpoint_of(self.agent.name)
        contact.emit(Kind.LEG_STARTED, leg=self.leg_id, role="agent", endpoint=endpoint, agent=self.agent.name)
        try:
            leg = contact.node.pbx.call(
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
            return None
        contact.save(
            state="ringing",
            queue=self.decision.queue,
            agent=self.agent.name,
            channels={**contact.now.channels, "agent": self.leg_id},
            detail={**contact.now.detail, "token": self.agent.token},
        )
        return leg

    def _await_answer(self, leg: Channel) -> Connected | None:
        contact = self.contact
        bridge = contact.bridge()  # ready before the answer
        while contact.node.now() < self.agent.deadline:
            match contact.next(self.agent.deadline):
                case Ringing(channel_id=self.leg_id):
                    contact.emit(Kind.RINGING, **self._facts)
                case Answered(channel_id=self.leg_id):
                    contact.emit(Kind.LEG_ANSWERED, leg=self.leg_id)
                    contact.emit(Kind.ACCEPTED, **self._facts)
                    contact.node.router.change(self.agent.name, Verb.ACCEPT, token=self.agent.token)
                    return Connected(self.agent, leg, bridge)
                case Ended(channel_id=self.leg_id, cause=cause):
                    self._refuse(_RESULTS.get(cause, OfferResult.UNREACHABLE), cause)
                    return None
        leg.hangup(Cause.NO_ANSWER)
        self._refuse(OfferResult.MISSED, Cause.NO_ANSWER)
        return None

    def _refuse(self, result: OfferResult, cause: Cause) -> None:
        contact = self.contact
        contact.emit(Kind.LEG_ENDED, leg=self.leg_id, cause=int(cause))
        contact.emit(Kind.REFUSED, result=result.value, **self._facts)
        if result is OfferResult.CALLER_GONE:
            contact.node.router.change(self.agent.name, Verb.RELEASE, token=self.agent.token)
            return
        contact.node.router.change(
            self.agent.name,
            Verb.MISS,
            token=self.agent.token,
            misses_allowed=self._queue.misses_allowed,
            delay=self._queue.retry_delay,
        )


def withdraw(contact: Contact, now: ContactNow, result: OfferResult = OfferResult.EXPIRED) -> None:
    """Takes back an offer that was ringing when the contact was suspended; the agent is free again."""
    node = contact.node
    leg, token = now.channels.get("agent", ""), str(now.detail.get("token", ""))
    node.hang_up(leg)
    contact.emit(Kind.LEG_ENDED, leg=leg, cause=int(Cause.NORMAL))
    contact.emit(Kind.REFUSED, result=result.value, agent=now.agent, token=token, leg=leg)
    node.release_agent(contact)
