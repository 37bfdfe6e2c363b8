"""The conversation of a caller with agents: who hears whom on the PBX, recording, and the agents' wrap-up.

What is possible, and what follows, say `domain.verbs` and `domain.conversation`; here it is done. First people are
moved on the PBX, then the facts are noted: a controller killed in between finds everybody where the facts do not say,
and moves them back.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType
from typing import Any

import gevent
import structlog

from contactcentre.controller.contact import Asked, CallerGone, Contact, Sound
from contactcentre.controller.handset import BEEP, ERROR, Handset
from contactcentre.controller.parties import Call, Calls, destination, ends_wrap_up
from contactcentre.controller.places import move
from contactcentre.controller.recording_notice import Notice
from contactcentre.controller.rejoining import REJOIN, Rejoining
from contactcentre.domain.agents import Verb as Step
from contactcentre.domain.conversation import Conversation, Fact, Party, Place, Refusal, after
from contactcentre.domain.events import ConsultResult, Kind
from contactcentre.domain.flows.actions import Sent
from contactcentre.domain.verbs import Verb, consult_ended, customer_leaves, decide, handed_over, leaves, retrieved
from contactcentre.pbx.errors import Deadline, Gone, LinkDown, Refused
from contactcentre.pbx.events import Answered, Cause, ChannelEvent, Digit, Ended, PlaybackEnded

log = structlog.get_logger(__name__)

NEXT_FIRST = 0.003
"""Seconds after the end of a conversation in which the agent's next caller comes before what is left to do for this."""

_GONE: Mapping[str, Cause] = MappingProxyType({})

_RESULTS = {
    Cause.BUSY: ConsultResult.BUSY,
    Cause.NO_ANSWER: ConsultResult.MISSED,
    Cause.NO_RESPONSE: ConsultResult.MISSED,
    Cause.REJECTED: ConsultResult.REJECTED,
    Cause.NORMAL: ConsultResult.REJECTED,
}
"""How a call to somebody who was asked ended -> the consult's result; any other cause is UNREACHABLE."""


class Talk:
    """One contact's conversation. Made in `conversing`."""

    def __init__(self, contact: Contact, now: Conversation | None = None) -> None:
        self.contact = contact
        self.now = now or Conversation()
        self._calls = Calls(contact, self.save)
        self.notice = Notice(self)
        self._sent: Sent | None = None
        self._handset = Handset(self)
        self.rejoining = Rejoining(self)
        self._reminded = 0.0
        self.last = ""
        """The agent who has the customer, or had them last."""

    def note(self, *facts: Fact) -> None:
        """Facts about what is so already."""
        for kind, data in facts:
            self.now = after(self.now, kind, data, self.contact.node.now())
            self.contact.emit(kind, **data)

    # -- from its first word to its end -------------------------------------------------------------------------------

    def converse(self) -> Sent | None:
        """To its end: where an agent has sent the caller, or None when the last agent has left and the caller is still
        there. Raises CallerGone when the caller has, and Suspended."""
        contact = self.contact
        contact.in_talk = True
        try:
            while self.now.state != "over" and self._sent is None:
                self._take(contact.next(self._next_moment()))
        except CallerGone:
            self.give_up(Cause.NORMAL)
            self.finish("caller")
            raise
        finally:
            contact.in_talk = False
            contact.refuse_asked("over", "the conversation is over")
        self._calls.withdraw()
        if self._sent is not None:
            with suppress(Gone, Refused):
                contact.leave_bridge()
        self.finish("agent")
        return self._sent

    def give_up(self, cause: Cause) -> None:
        """Ends the legs of all but the caller, who has left or is to be told that something failed."""
        self._calls.withdraw()
        facts, was = customer_leaves(self.now), self.now
        for leg in was.parties:
            with suppress(Gone, Refused):
                self.contact.node.hang_up(leg)
        self._facts(facts)
        self._freed(was, facts, dict.fromkeys(was.parties, cause))

    def finish(self, by: str) -> None:
        """What is left when nobody talks any more. `by`: caller, agent or system."""
        contact = self.contact
        contact.ended_by = by
        contact.recorder.conversation_over()
        detail = {**contact.now.detail, "to_record": ""}
        contact.save(state="ivr", detail=detail, agent="", channels={"caller": contact.caller_id})

    def save(self) -> None:
        contact, now = self.contact, self.now
        owner = now.agent
        self.last = owner.agent if owner is not None else self.last
        others = [leg for leg in (*now.parties, *self._calls.legs) if leg != now.owner]
        channels = {"caller": contact.caller_id, **({"agent": now.owner} if owner is not None else {})}
        channels |= {f"party-{number}": leg for number, leg in enumerate(dict.fromkeys(others), 1)}
        offers = {leg: one for leg, one in contact.now.detail.get("offers", {}).items() if leg not in now.parties}
        talk, wanted = {**now.save(), "last": self.last}, self.notice.wanted
        detail = {**contact.now.detail, "talk": talk, "offers": offers, "to_record": wanted}
        state = "parked" if now.slot else "talking"
        contact.save(state=state, agent=owner.agent if owner is not None else "", channels=channels, detail=detail)

    # -- what happens -------------------------------------------------------------------------------------------------

    def _take(self, message: object) -> None:
        self.notice.take(message)
        match message:
            case Asked() if not message.refused:
                self._answer(message)
            case Ended(channel_id=leg, cause=cause) if leg in self._calls:
                self._not_answered(self._calls.pop(leg), cause)
            case Ended(channel_id=leg, cause=cause) if leg in self.now.parties:
                self.happens(leaves(self.now, self.now.parties[leg]), {leg: cause})
            case Answered(channel_id=leg) if leg in self._calls:
                self.contact.emit(Kind.LEG_ANSWERED, leg=leg)
                if (call := self._calls.answered(leg)) is not None:
                    self._connect(call)
            case Digit(channel_id=leg) | PlaybackEnded(channel_id=leg) if leg in self._calls:
                if (call := self._calls.confirmed(message)) is not None:
                    self._connect(call)
            case Sound(leg=leg, comes=comes) if leg == self.now.owner:
                self.rejoining.heard(comes)
            case ChannelEvent(channel_id=self.now.owner):
                self._handset.take(message)
        self._look()

    def _next_moment(self) -> float | None:
        now, queue = self.now, self.contact.node.queue(self.now.queue)
        moments = [call.until for call in self._calls]
        moments += [self._handset.until] if self._handset.until is not None else []
        moments += [due for due in (self.notice.moment, self.rejoining.moment) if due is not None]
        if now.slot and not moments:
            moments.append(now.until)
        if now.held_at:
            moments += [max(now.held_at, self._reminded) + queue.hold_reminder] if queue.hold_reminder else []
            moments += [now.held_at + queue.hold_limit] if queue.hold_limit else []
        return min(moments, default=None)

    def _look(self) -> None:
        """What is due."""
        at = self.contact.node.now()
        for call in [call for call in self._calls if call.until <= at]:
            self._calls.pop(call.leg)
            self.contact.node.hang_up(call.leg, Cause.NO_ANSWER)
            self._not_answered(call, Cause.NO_ANSWER)
        self._handset.look()
        self.notice.look(at)
        self.rejoining.look(at)
        now, queue = self.now, self.contact.node.queue(self.now.queue)
        if now.slot and now.until <= at and not self._calls.legs:  # else somebody's phone rings to retrieve them
            self._sent = Sent(f"agent:{now.parked_by}", now.queue)
            self.happens(retrieved(now, at, ""))
        elif now.held_at and queue.hold_limit and now.held_at + queue.hold_limit <= at:
            self._end_hold(at)
        elif now.held_at and queue.hold_reminder and max(now.held_at, self._reminded) + queue.hold_reminder <= at:
            self._reminded = at
            self.play(now.owner, BEEP)

    def _end_hold(self, at: float) -> None:
        """A customer who is forgotten on hold hears the agent again; or the queue, where the agent's phone is deaf."""
        if self._handset.holds and self.now.queue:
            self.happens(decide(self.now, Verb.TRANSFER, at, to=f"queue:{self.now.queue}"))
        else:
            self.happens(decide(self.now, Verb.RESUME, at, by="program"))
            self.play(self.now.owner, BEEP)

    def happens(self, facts: Sequence[Fact], gone: Mapping[str, Cause] = _GONE) -> None:
        """What cannot be refused."""
        was = self.now
        try:
            self._carry_out(facts, gone)
        except (Gone, Refused) as error:  # somebody else has just left, too: that event is on its way
            log.info("conversation not moved", contact_id=self.contact.id, error=str(error))
            self._facts(facts)
            self._freed(was, facts, gone)
            self.save()

    # -- verbs --------------------------------------------------------------------------------------------------------

    def _answer(self, asked: Asked) -> None:
        try:
            self.do(asked.verb, asked.args, asked.by)
        except Refusal as refusal:
            asked.refuse(refusal.code, str(refusal))
        except (Gone, Refused) as error:
            log.info("verb not carried out", contact_id=self.contact.id, verb=asked.verb, error=str(error))
            asked.refuse("gone", "somebody has just hung up, or the PBX refused: look again")
        except (LinkDown, Deadline):
            asked.refuse("suspended", "the link to the PBX was lost: try again")
            raise
        else:
            asked.answer.set(self.told())

    def told(self) -> dict[str, Any]:
        """The state, as a verb's answer."""
        now = self.now
        customer = {"role": "caller", "place": now.customer.value, "muted": now.customer_muted}
        parties = [
            {"leg": p.leg, "role": p.role, "agent": p.agent, "to": p.to, "place": p.place.value, "muted": p.muted}
            for p in now.parties.values()
        ]
        return {
            "contact": self.contact.id,
            "state": "sent" if self._sent is not None else now.state,
            "slot": now.slot,
            "parties": [customer, *parties],
            "recording": self.notice.state,
        }

    def do(self, verb: str, args: Mapping[str, Any], by: str) -> None:
        """Raises Refusal, Gone, Refused."""
        at, named = self.contact.node.now(), str(args.get("party", ""))
        match verb:
            case Verb.CONSULT | Verb.ADD:
                self._call(Verb(verb), str(args.get("to", "")))
            case Verb.TRANSFER:
                to = destination(self.contact.node, str(args.get("to", "")), free=True)
                self._carry_out(decide(self.now, Verb.TRANSFER, at, to=to))
            case Verb.PARK:
                slot = self._calls.slot(str(args.get("slot", "")))
                until = at + self.contact.node.site.settings.park_seconds
                self._carry_out(decide(self.now, Verb.PARK, at, slot=slot, until=until))
            case "retrieve":
                self._retrieve(str(args.get("agent", "")), str(args.get("leg", "")))
            case "dtmf":
                self.contact.caller.send_digits(str(args.get("digits", "")))
            case "takeover":
                self._taken_over(str(args.get("leg", "")), str(args.get("supervisor", "")))
            case "leave":  # the same as hanging the own phone up
                leg = self.now.find(str(args.get("agent", ""))).leg
                with suppress(Gone):  # that it has ended is on its way
                    self.contact.channel(leg).hangup()
            case "away":
                self.rejoining.away(str(args.get("agent", "")))
            case "here":
                self.rejoining.here(str(args.get("agent", "")))
            case "rejoin":
                party = self.rejoining.party(str(args.get("agent", "")))
                self._calls.again(REJOIN, party)
                self.save()
            case "record":
                self.notice.do(str(args.get("action", "")), by)
            case _ if verb in {known.value for known in Verb}:
                self._carry_out(decide(self.now, Verb(verb), at, by=by, party=named))
            case _:
                raise Refusal("unknown_verb", f"{verb!r} is nothing that can be asked for")

    def _call(self, verb: Verb, to: str) -> None:
        at = self.contact.node.now()
        decide(self.now, verb, at, to=to, leg="", token="")  # refused before anybody's phone rings
        call = self._calls.call(verb, to, self.now)
        if verb is Verb.CONSULT:
            facts = decide(self.now, verb, at, to=call.to, leg=call.leg, token=call.token)
            try:
                self._carry_out(facts)
            except (Gone, Refused):
                self._calls.withdraw(call)
                raise
        self.save()

    def _taken_over(self, leg: str, supervisor: str) -> None:
        """The supervisor's phone comes into the conversation, and the agent is out of it."""
        at, to = self.contact.node.now(), f"supervisor:{supervisor}"
        facts = decide(self.now, Verb.ADD, at, to=to, leg=leg)
        joined = self.now
        for kind, data in facts:
            joined = after(joined, kind, data, at)
        assert joined.agent is not None
        self.contact.emit(Kind.LEG_STARTED, leg=leg, role="supervisor", endpoint="", agent="")
        self._carry_out([*facts, *leaves(joined, joined.agent)])

    def _retrieve(self, agent: str, leg: str) -> None:
        """`leg`: of the agent's phone, where it has called us; else it rings."""
        if not self.now.slot:
            raise Refusal("not_parked", "the customer is not parked")
        ends_wrap_up(self.contact.node, agent)
        if leg:
            self._came(self._calls.came("retrieve", agent, leg))
            if self.now.owner != leg:
                raise Refusal("gone", "the phone or the customer has hung up")
        else:
            self._calls.call("retrieve", f"agent:{agent}", self.now)
        self.save()

    def hand_over(self, agent: str, leg: str, tell: Callable[[], None]) -> None:
        """The agent's phone gives the customer to a colleague whom it has called by itself: `leg` is that one's. `tell`
        is called when it is sure. Raises Refusal, Gone."""
        call = self._calls.came("hand over", agent, leg)
        tell()
        self._came(call)

    def _came(self, call: Call) -> None:
        """Somebody whose phone need not ring."""
        self.contact.emit(Kind.LEG_ANSWERED, leg=call.leg)
        self._connect(self._calls.pop(call.leg))

    def _connect(self, call: Call) -> None:
        """Whom somebody called has answered."""
        contact, at = self.contact, self.contact.node.now()
        if call.agent and not contact.node.agents.change(call.agent, Step.ACCEPT, token=call.token):
            return self._drop(call, Cause.NORMAL)
        try:
            match call.purpose:
                case Verb.CONSULT if self.now.asked == call.leg:
                    told = {"agent": self._owner_name(), "to": call.to, "leg": call.leg}
                    self._carry_out([(Kind.CONSULT_ANSWERED, told)])
                case Verb.ADD:
                    self._carry_out(decide(self.now, Verb.ADD, at, to=call.to, leg=call.leg, token=call.token))
                case "retrieve" if self.now.slot:
                    self._carry_out(retrieved(self.now, at, call.agent, call.leg, call.token))
                case "rejoin":
                    self._carry_out(self.rejoining.facts(call))
                case "hand over" if self.now.owner:
                    self._carry_out(handed_over(self.now, call.agent, call.leg, call.token))
                case _:
                    self._drop(call, Cause.NORMAL)
        except (Refusal, Gone, Refused):
            self._drop(call, Cause.NORMAL)

    def _not_answered(self, call: Call, cause: Cause) -> None:
        self._calls.let_go(call, cause)
        if call.purpose is Verb.CONSULT and self.now.asked == call.leg:
            self.happens([consult_ended(self.now, _RESULTS.get(cause, ConsultResult.UNREACHABLE))], {call.leg: cause})
        if self.now.owner:
            self.play(self.now.owner, ERROR)
        self.save()

    def _drop(self, call: Call, cause: Cause) -> None:
        self.contact.node.hang_up(call.leg, cause)
        self._not_answered(call, cause)

    def _owner_name(self) -> str:
        owner = self.now.agent
        return owner.agent if owner is not None else ""

    # -- on the PBX ---------------------------------------------------------------------------------------------------

    def _carry_out(self, facts: Sequence[Fact], gone: Mapping[str, Cause] = _GONE) -> None:
        """Moves people as the facts say, and notes them. `gone`: legs that have ended. Raises Gone, Refused; then
        nothing is noted."""
        was, now, at = self.now, self.now, self.contact.node.now()
        for kind, data in facts:
            now = after(now, kind, data, at)
        move(self.contact, was, now)
        self._facts(facts)
        self._freed(was, facts, gone)
        self.save()

    def _facts(self, facts: Sequence[Fact]) -> None:
        self.note(*facts)
        for kind, data in facts:
            if kind is Kind.TRANSFERRED and data["how"] == "blind":
                self._sent = Sent(data["to"], self.now.queue)

    def _freed(self, was: Conversation, facts: Sequence[Fact], gone: Mapping[str, Cause]) -> None:
        """Ends the legs of those who take part no longer, and lets the agents go on."""
        ended = {data["leg"] for kind, data in facts if kind is Kind.TALK_ENDED}
        still_there = {party.token for party in self.now.parties.values()}  # at another leg
        for leg, party in was.parties.items():
            if leg in self.now.parties:
                continue
            if party.place is Place.RINGING:
                if leg in self._calls:
                    self._calls.withdraw(self._calls.pop(leg))
                continue
            if leg not in gone:
                self.contact.node.hang_up(leg)
            self.contact.emit(Kind.LEG_ENDED, leg=leg, cause=int(gone.get(leg, Cause.NORMAL)))
            if party.token and party.token not in still_there:
                self._free(party, leg in ended)

    def _free(self, party: Party, had_customer: bool) -> None:
        contact, node, queue = self.contact, self.contact.node, self.now.queue
        wrap_up = node.queue(queue).wrap_up if had_customer else 0.0
        finished = node.agents.soon(party.agent, Step.FINISH, token=party.token, wrap_up=wrap_up)
        gevent.sleep(NEXT_FIRST)
        if finished and wrap_up:
            contact.emit(Kind.WRAP_UP_STARTED, agent=party.agent, queue=queue, seconds=wrap_up)
            node.wrap_ups.watch(contact, party.agent, queue)

    def play(self, leg: str, medium: str) -> str:
        """The id of what plays; "" when nothing does."""
        playback = self.contact.new_id("p")
        try:
            self.contact.channel(leg).play(playback, [medium])
        except (Gone, Refused):
            return ""
        return playback

    def slot(self) -> str:
        """A place to park that is free. Raises Refusal."""
        return self._calls.slot("")
