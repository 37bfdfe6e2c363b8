"""Rings reserved agents for a contact and joins it with the first who answers. Every way an offer can end is a named
result with a defined effect.

Mostly one agent rings; where the queue's strategy says so, several do. The reservation is confirmed (`Verb.ACCEPT`)
when the two hear each other, not before: nobody waits for Redis in silence, and an agent who hangs up while being
connected has let an offer pass like any other.
"""

from collections.abc import Container, Mapping
from functools import partial

import structlog

from contactcentre.controller.confirming import Confirming
from contactcentre.controller.contact import CallerGone, Contact, Granted, Message, Suspended
from contactcentre.controller.conversing import Joined
from contactcentre.controller.router import BRIEFING, facts
from contactcentre.domain.agents import AgentState, AgentStatus, Verb
from contactcentre.domain.events import Kind, OfferResult, Outcome
from contactcentre.domain.flows.actions import Piece, Sort
from contactcentre.pbx.errors import Deadline, Gone, LinkDown, PbxError, Refused
from contactcentre.pbx.events import Answered, Cause, Digit, Ended, PlaybackEnded, Ringing
from contactcentre.pbx.protocol import REQUEST_DEADLINE, Channel
from contactcentre.prompts.speech import SpeechError

log = structlog.get_logger(__name__)

_RESULTS = {
    Cause.BUSY: OfferResult.BUSY,
    Cause.REJECTED: OfferResult.REJECTED,
    Cause.NO_ANSWER: OfferResult.MISSED,
    Cause.NO_RESPONSE: OfferResult.MISSED,
    Cause.NORMAL: OfferResult.REJECTED,  # ended by the phone before it answered
}
"""How a leg that never answered ended -> the offer's result; any other cause is UNREACHABLE."""

WORTH_WHILE = 1.0
"""Seconds that a phone must still have for it to be left ringing."""
SURE = 2.0
"""Seconds before its deadline at which a reservation is certainly still ours."""

NOBODYS_FAULT = (OfferResult.CALLER_GONE, OfferResult.EXPIRED, OfferResult.ANSWERED_ELSEWHERE)


class Offer:
    """One agent's phone rings for a contact."""

    def __init__(self, contact: Contact, agent: AgentStatus, queue: str, leg_id: str, ring_seconds: float) -> None:
        self.agent = agent
        self.queue = queue
        self.ring_seconds = ring_seconds
        self.until = min(agent.deadline, agent.since + ring_seconds)
        self.leg_id = leg_id
        self.leg: Channel | None = None
        self.device = contact.node.device(agent.name)
        self.confirming: Confirming | None = None  # answered, and the key is waited for
        self.facts = {"agent": self.agent.name, "token": self.agent.token, "leg": self.leg_id}


class Offers:
    """The agents whose phones ring for one contact: none, one or several."""

    def __init__(self, contact: Contact) -> None:
        self.contact = contact
        self.moved = False
        """The caller was taken out of the waiting room, although it came to nothing."""
        self.unanswered: list[str] = []
        """The agents who did not answer, in that order, until somebody takes note of it."""
        self._ringing: dict[str, Offer] = {}  # by leg

    def __len__(self) -> int:
        return len(self._ringing)

    @property
    def agents(self) -> list[str]:
        """The one who rings longest comes first."""
        return [offer.agent.name for offer in self._ringing.values()]

    @property
    def until(self) -> float | None:
        """When the next one has rung long enough (epoch seconds)."""
        return min((offer.until for offer in self._ringing.values()), default=None)

    def add(self, granted: Granted, ring_seconds: float | None = None) -> None:
        """Calls the agent's phone, also when it comes to nothing at once. `ring_seconds`: instead of the queue's own.
        Raises LinkDown, Deadline."""
        contact, node = self.contact, self.contact.node
        offered = granted.agent
        queue = node.queue(granted.decision.queue)
        seconds = queue.ring_seconds if ring_seconds is None else ring_seconds
        offer = Offer(contact, offered, granted.decision.queue, contact.new_id("a"), seconds)
        if node.now() > (offered.since + offer.until) / 2:  # we were busy; it is no fault of the agent's
            node.agents.change(offered.name, Verb.RELEASE, token=offered.token)
            return
        contact.emit(Kind.DECISION, **facts(granted.decision))
        contact.emit(Kind.OFFERED, queue=offer.queue, deadline=offered.deadline, **offer.facts)
        endpoint = offer.device.endpoint
        contact.emit(Kind.LEG_STARTED, leg=offer.leg_id, role="agent", endpoint=endpoint, agent=offered.name)
        self._ringing[offer.leg_id] = offer
        self._save()  # before it rings: should the link be cut now, whoever comes next knows what to take back
        try:
            offer.leg = node.pbx.call(
                endpoint,
                channel_id=offer.leg_id,
                inbox=contact.post,
                contact_id=contact.id,
                caller=node.shown(offer.device, contact.party),
                ring_seconds=offer.ring_seconds,
                auto_answer=queue.auto_answer,
                beside=contact.caller_id,
            )
        except (LinkDown, Deadline):
            raise
        except PbxError:
            self._refuse(offer, OfferResult.UNREACHABLE, Cause.UNREACHABLE)
        else:
            contact.bridge()  # ready before the answer

    def take_over(self, ringing: Mapping[str, AgentStatus]) -> None:
        """Offers that an earlier controller made: these phones ring on (`ring_on`). Raises LinkDown, Deadline."""
        contact, node = self.contact, self.contact.node
        for leg, agent in ringing.items():
            offer = Offer(contact, agent, agent.queue, leg, node.queue(agent.queue).ring_seconds)
            self._ringing[leg] = offer
            try:
                offer.leg = node.pbx.adopt(leg, contact.post, rings_until=offer.until)
            except Gone:
                self._refuse(offer, OfferResult.EXPIRED, Cause.UNKNOWN)

    def take(self, message: Message | None) -> Offer | None:
        """What happens on the phones, or that time has passed. The offer that was answered: `join` it."""
        match message:
            case Ringing(channel_id=leg) if leg in self._ringing:
                self.contact.emit(Kind.RINGING, **self._ringing[leg].facts)
            case Answered(channel_id=leg) if leg in self._ringing:
                self.contact.emit(Kind.LEG_ANSWERED, leg=leg)
                return self._answered(self._ringing[leg])
            case Digit(channel_id=leg) | PlaybackEnded(channel_id=leg) if leg in self._ringing:
                confirming = self._ringing[leg].confirming
                return self._ringing[leg] if confirming is not None and confirming.takes(message) else None
            case Ended(channel_id=leg, cause=cause) if leg in self._ringing:
                self._refuse(self._ringing[leg], _RESULTS.get(cause, OfferResult.UNREACHABLE), cause)
            case None:
                now = self.contact.node.now()
                for offer in [offer for offer in self._ringing.values() if offer.until <= now]:
                    self._end(offer, OfferResult.MISSED, Cause.NO_ANSWER)
        return None

    def _answered(self, offer: Offer) -> Offer | None:
        """The offer, if the answer is enough."""
        if not offer.device.key:
            return offer
        assert offer.leg is not None
        contact = self.contact
        new_id = partial(contact.new_id, "p")
        offer.confirming = Confirming(contact.node.now(), new_id, offer.leg, offer.device.key)
        offer.until = offer.confirming.until
        return None

    def join(self, offer: Offer) -> Joined | None:
        """The two hear each other from now on; None: it came to nothing. Others ring on, take them back. Raises
        CallerGone, Suspended."""
        contact = self.contact
        assert offer.leg is not None
        try:
            contact.bridge().add(contact.caller, offer.leg, absorb=contact.reads_keys)
        except (Gone, Refused):  # refused is what is just about to be gone
            self._refuse(offer, OfferResult.REJECTED, who_left(contact, offer.leg_id))
            return None
        self.moved = True
        agents = contact.node.agents
        # Well before its deadline nobody ends a reservation but we.
        accept = agents.soon if contact.node.now() + SURE < offer.agent.deadline else agents.change
        if not accept(offer.agent.name, Verb.ACCEPT, token=offer.agent.token):
            # the reservation had run out meanwhile, and the agent may be somebody else's
            self._end(offer, OfferResult.EXPIRED, Cause.NORMAL)
            return None
        contact.emit(Kind.ACCEPTED, **offer.facts)
        del self._ringing[offer.leg_id]
        return Joined(offer.agent.name, offer.agent.token, offer.queue, offer.leg_id)

    def brief(self, offer: Offer, prompt: str) -> bool:
        """Plays the prompt, in the site's language, to the agent who has answered, at most `BRIEFING` seconds; the
        caller hears music. False: the agent has left. Raises CallerGone, Suspended."""
        contact, leg = self.contact, offer.leg
        assert leg is not None
        playback = contact.new_id("p")
        language = contact.node.site.settings.language
        until = contact.node.now() + BRIEFING
        try:
            media = contact.node.configuration.prompts.media((Piece(Sort.PROMPT, prompt),), language)
            leg.play(playback, media, language)
        except (SpeechError, Refused) as error:
            log.warning("agent not briefed", contact_id=contact.id, agent=offer.agent.name, error=str(error))
            return True
        except Gone:
            pass  # its end is on its way
        meanwhile: list[Message] = []
        try:
            while (message := contact.next(until)) is not None:
                match message:
                    case PlaybackEnded(playback_id=ended) if ended == playback:
                        return True
                    case Ended(channel_id=ended, cause=cause) if ended == offer.leg_id:
                        self._refuse(offer, OfferResult.REJECTED, cause)
                        return False
                meanwhile.append(message)
        finally:
            contact.put_back(meanwhile)
        leg.stop_playing(playback)
        return True

    def withdraw(self, result: OfferResult, but: Offer | None = None) -> None:
        """Takes back all (`but` one) that ring, through no fault of theirs."""
        elsewhere = result is OfferResult.ANSWERED_ELSEWHERE
        for offer in [offer for offer in self._ringing.values() if offer is not but]:
            self._end(offer, result, Cause.ANSWERED_ELSEWHERE if elsewhere else Cause.NORMAL)

    def failed(self, error: Exception) -> None:
        """Takes all back because of this error."""
        gone = isinstance(error, CallerGone | Gone)
        if gone and self:
            self.contact.outcome = Outcome.ABANDONED
        self.withdraw(OfferResult.CALLER_GONE if gone else OfferResult.EXPIRED)

    def _end(self, offer: Offer, result: OfferResult, cause: Cause) -> None:
        if offer.leg is not None:
            offer.leg.hangup(cause)
        else:
            self.contact.node.hang_up(offer.leg_id, cause)
        self._refuse(offer, result, cause)

    def _refuse(self, offer: Offer, result: OfferResult, cause: Cause) -> None:
        contact, agents = self.contact, self.contact.node.agents
        del self._ringing[offer.leg_id]
        contact.emit(Kind.LEG_ENDED, leg=offer.leg_id, cause=int(cause))
        contact.emit(Kind.REFUSED, result=result.value, **offer.facts)
        self._save()
        name, token = offer.agent.name, offer.agent.token
        if result in NOBODYS_FAULT:
            agents.change(name, Verb.RELEASE, token=token)
            return
        self.unanswered.append(name)
        queue = contact.node.queue(offer.queue)
        delays = {OfferResult.REJECTED: queue.reject_delay, OfferResult.BUSY: queue.busy_delay}
        delay = delays.get(result)
        agents.change(
            name,
            Verb.MISS,
            token=token,
            misses_allowed=queue.misses_allowed,
            delay=queue.retry_delay if delay is None else delay,
            counts=result is not OfferResult.BUSY,
        )

    def _save(self) -> None:
        contact = self.contact
        known = {leg: {"agent": offer.agent.name, "token": offer.agent.token} for leg, offer in self._ringing.items()}
        detail = {**contact.now.detail, "offers": known}
        if contact.now.state == "talking":  # with another, who has answered
            return contact.save(detail=detail)
        legs = {f"agent-{number}": leg for number, leg in enumerate(self._ringing, 1)}
        channels = {"caller": contact.caller_id, **legs}
        if not self._ringing:
            return contact.save(agent="", channels=channels, detail=detail)
        first = next(iter(self._ringing.values()))
        name, queue = first.agent.name, first.queue
        return contact.save(state="ringing", queue=queue, agent=name, channels=channels, detail=detail)


def who_left(contact: Contact, leg: str) -> Cause:
    """A bridge could not be made of caller and leg because one of them has just gone; the event that tells which is
    on its way. The cause, if it was the leg. Raises CallerGone, and Suspended when nobody says: look what is there."""
    until = contact.node.now() + REQUEST_DEADLINE
    meanwhile: list[Message] = []
    try:
        while (message := contact.next(until)) is not None:
            if isinstance(message, Ended) and message.channel_id == leg:
                return message.cause
            meanwhile.append(message)
    finally:
        contact.put_back(meanwhile)
    raise Suspended


# -- after a suspension -----------------------------------------------------------------------------------------------


def under_way(contact: Contact) -> Mapping[str, Mapping[str, str]]:
    """The offers that were under way when the contact was suspended: leg -> agent, token."""
    known: Mapping[str, Mapping[str, str]] = contact.now.detail.get("offers", {})
    return known


def ring_on(contact: Contact, there: Container[str]) -> dict[str, AgentStatus]:
    """Of the phones that rang for a contact in a queue those that may ring on, by leg: they are `there`, have time
    left, and their agents are still reserved. Who had to press a key after the answer is perhaps just being asked for
    it."""
    node, ringing = contact.node, dict[str, AgentStatus]()
    for leg, offer in under_way(contact).items():
        agent = node.replica.agents.get(offer["agent"])
        if agent is None or leg not in there or node.device(agent.name).key:
            continue
        until = min(agent.deadline, agent.since + node.queue(agent.queue).ring_seconds)
        reserved = agent.state is AgentState.OFFERED and agent.token == offer["token"]
        if reserved and agent.queue == contact.now.queue and until > node.now() + WORTH_WHILE:
            ringing[leg] = agent
    return ringing


def withdraw(contact: Contact, but: Container[str] = ()) -> None:
    """Takes the offers back that were under way, `but` these legs'. Their agents are free already."""
    talks = contact.now.state in ("talking", "parked")
    result = OfferResult.EXPIRED if contact.caller_there else OfferResult.CALLER_GONE
    kept = {leg: offer for leg, offer in under_way(contact).items() if leg in but}
    for leg, offer in under_way(contact).items():
        if leg in kept:
            continue
        contact.node.hang_up(leg, Cause.ANSWERED_ELSEWHERE if talks else Cause.NORMAL)
        contact.emit(Kind.LEG_ENDED, leg=leg, cause=int(Cause.NORMAL))
        told = OfferResult.ANSWERED_ELSEWHERE if talks else result
        contact.emit(Kind.REFUSED, result=told.value, agent=offer["agent"], token=offer["token"], leg=leg)
    detail = {**contact.now.detail, "offers": kept}
    if talks:
        contact.save(detail=detail)
    elif not kept:
        contact.save(agent="", channels={"caller": contact.caller_id}, detail=detail)
    else:
        legs = {f"agent-{number}": leg for number, leg in enumerate(kept, 1)}
        contact.save(channels={"caller": contact.caller_id, **legs}, detail=detail)


def accepted(contact: Contact, leg: str) -> Joined:
    """The offer on this leg was under way, and the PBX says that the two have been joined."""
    offer = under_way(contact)[leg]
    joined = Joined(offer["agent"], offer["token"], contact.now.queue, leg)
    contact.node.agents.found(joined.agent, contact.id, joined.queue, joined.token)
    contact.emit(Kind.LEG_ANSWERED, leg=leg)
    contact.emit(Kind.ACCEPTED, agent=joined.agent, token=joined.token, leg=leg)
    others = {other: known for other, known in under_way(contact).items() if other != leg}
    contact.save(detail={**contact.now.detail, "offers": others})
    return joined
