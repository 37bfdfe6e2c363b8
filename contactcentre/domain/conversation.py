"""A conversation: who takes part in it, who hears whom, and what an agent can make of it.

Everybody is in one of three places: `together` with the others, on `music`, or still `ringing`. Holding, consulting,
toggling and conferences are nothing but moves between these places, so nobody is ever in two of them:

| state | customer | the agent | who is asked |
|---|---|---|---|
| talking | together | together | |
| on hold | music | together | |
| asking, not answered yet | music | together | ringing |
| consulting | music | together | together |
| toggled | together | together | music |
| conference | together | together | together |
| parked | music | | |

What happened are facts (`domain.events`), and the state follows from the facts alone (`after`): so what a controller
believes and what another one reads in the journal after a crash are the same. A verb (`decide`) is answered with the
facts it leads to, or with a named `Refusal`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Self

from contactcentre.domain.events import ConsultResult, Kind

Fact = tuple[Kind, dict[str, Any]]


class Place(StrEnum):
    TOGETHER = "together"
    MUSIC = "music"
    RINGING = "ringing"


class Verb(StrEnum):
    """What can be asked for. `Refusal` says why it cannot be done."""

    HOLD = "hold"
    RESUME = "resume"
    MUTE = "mute"
    UNMUTE = "unmute"
    TRANSFER = "transfer"  # the agent leaves, the customer goes on alone
    CONSULT = "consult"  # somebody is asked, the customer hears music
    TOGGLE = "toggle"
    COMPLETE = "complete"  # who was asked has the customer
    CONFERENCE = "conference"  # who was asked joins
    CANCEL = "cancel"
    ADD = "add"  # somebody is called into the conversation, the customer hears on
    KICK = "kick"
    DROP = "drop"  # the agent leaves, the others talk on
    PARK = "park"


class Refusal(Exception):
    """A verb that is not possible. `code` is stable, the text is for people."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True, slots=True)
class Party:
    """Somebody who takes part, but for the customer."""

    leg: str
    role: str  # agent | target (outside)
    place: Place
    agent: str = ""
    token: str = ""  # the proof that the agent is reserved for this contact
    to: str = ""  # as whom somebody was asked: agent:NAME, number:N
    muted: bool = False

    def save(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Conversation:
    """`owner`: the leg of the agent whose customer this is; "" = nobody's (parked, or talks with somebody outside)."""

    queue: str = ""
    owner: str = ""
    customer: Place = Place.TOGETHER
    parties: Mapping[str, Party] = field(default_factory=dict)  # by leg, in the order they joined
    asked: str = ""  # the leg of who is asked
    customer_muted: bool = False
    slot: str = ""  # where the customer is parked
    parked_by: str = ""
    parked_at: float = 0.0
    until: float = 0.0  # when parking ends, epoch seconds
    held_at: float = 0.0  # since when the customer is on hold, epoch seconds; 0 = is not

    @property
    def agent(self) -> Party | None:
        return self.parties.get(self.owner)

    @property
    def state(self) -> str:
        """talking | held | asking | consulting | toggled | conference | parked | outside | over"""
        if self.slot:
            return "parked"
        if self.asked:
            if self.parties[self.asked].place is Place.RINGING:
                return "asking"
            return "toggled" if self.customer is Place.TOGETHER else "consulting"
        if not self.parties:
            return "over"
        if self.customer is Place.MUSIC:
            return "held"
        if not self.owner:
            return "outside"
        return "conference" if len(self.parties) > 1 else "talking"

    @property
    def hears_ringing(self) -> str:
        """The leg of the agent who waits for somebody's answer and hears nothing else; "" = nobody does."""
        return self.owner if self.state == "asking" else ""

    def find(self, name: str) -> Party:
        """The party with this leg, agent's name or number. Raises Refusal."""
        for party in self.parties.values():
            if name in (party.leg, party.agent, party.to, party.to.partition(":")[2]):
                return party
        raise Refusal("no_such_party", f"{name or 'nobody'} does not take part")

    def save(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return {**{name: getattr(self, name) for name in _PLAIN}, "parties": [p.save() for p in self.parties.values()]}

    @classmethod
    def restore(cls, saved: Mapping[str, Any]) -> Self:
        """What `save` gave, also an earlier version's."""
        plain = {name: saved[name] for name in _PLAIN if name in saved}
        known = [Party(**{**party, "place": Place(party["place"])}) for party in saved.get("parties", ())]
        customer = Place(plain.pop("customer", Place.TOGETHER))
        return cls(**plain, customer=customer, parties={party.leg: party for party in known})

    def _with(self, party: Party) -> Self:
        return replace(self, parties={**self.parties, party.leg: party})

    def _without(self, leg: str) -> Self:
        parties = {name: party for name, party in self.parties.items() if name != leg}
        return replace(
            self,
            parties=parties,
            owner=self.owner if leg != self.owner else "",
            asked=self.asked if leg != self.asked else "",
        )


_PLAIN = (
    "queue",
    "owner",
    "customer",
    "asked",
    "customer_muted",
    "slot",
    "parked_by",
    "parked_at",
    "until",
    "held_at",
)


# -- the facts -------------------------------------------------------------------------------------------------------


def after(now: Conversation, kind: Kind, data: Mapping[str, Any], at: float) -> Conversation:
    """The conversation after a fact at `at` (epoch seconds). Facts that are none of a conversation change nothing."""
    leg = str(data.get("leg", ""))
    match kind:
        case Kind.TALK_STARTED:
            known = now.parties.get(leg)
            party = replace(known, place=Place.TOGETHER) if known else Party(leg, "agent", Place.TOGETHER)
            token = str(data.get("token", "")) or party.token
            owner = replace(party, role="agent", agent=str(data["agent"]), token=token)
            taken = replace(now, owner=leg, queue=str(data["queue"]), customer=Place.TOGETHER, held_at=0.0)
            return taken._with(owner)
        case Kind.TALK_ENDED:
            left = now._without(leg)
            return replace(left, customer=Place.TOGETHER, held_at=0.0) if left.parties else left
        case Kind.PARTY_LEFT:
            return now._without(leg)
        case Kind.TALK_HELD:
            return replace(now, customer=Place.MUSIC, held_at=at)
        case Kind.TALK_RESUMED:
            return replace(now, customer=Place.TOGETHER, held_at=0.0)
        case Kind.CONSULT_STARTED:
            asked = _asked(leg, data, Place.RINGING)
            return replace(now, asked=leg, customer=Place.MUSIC, held_at=0.0)._with(asked)
        case Kind.CONSULT_ANSWERED if leg in now.parties:
            return now._with(replace(now.parties[leg], place=Place.TOGETHER))
        case Kind.CONSULT_TOGGLED if leg in now.parties:
            customer, other = (Place.TOGETHER, Place.MUSIC) if data["customer"] else (Place.MUSIC, Place.TOGETHER)
            return replace(now, customer=customer)._with(replace(now.parties[leg], place=other))
        case Kind.CONSULT_ENDED if leg in now.parties:
            together = replace(now, asked="", customer=Place.TOGETHER)
            if data["result"] in (ConsultResult.TRANSFERRED, ConsultResult.CONFERENCE):
                return together._with(replace(now.parties[leg], place=Place.TOGETHER))
            return together._without(leg)
        case Kind.PARTY_JOINED if leg not in now.parties:
            return now._with(_asked(leg, data, Place.TOGETHER))
        case Kind.MUTED | Kind.UNMUTED if leg in now.parties:
            return now._with(replace(now.parties[leg], muted=kind is Kind.MUTED))
        case Kind.MUTED | Kind.UNMUTED:
            return replace(now, customer_muted=kind is Kind.MUTED)
        case Kind.PARKED:
            parked = replace(now, slot=str(data["slot"]), parked_by=str(data["by"]), until=float(data["until"]))
            return replace(parked, parked_at=at, customer=Place.MUSIC, held_at=0.0)
        case Kind.RETRIEVED:
            return replace(now, slot="", parked_by="", parked_at=0.0, until=0.0)
    return now


def _asked(leg: str, data: Mapping[str, Any], place: Place) -> Party:
    to = str(data.get("to", ""))
    agent = to.removeprefix("agent:") if to.startswith("agent:") else ""
    return Party(leg, "agent" if agent else "target", place, agent, str(data.get("token", "")), to)


# -- the verbs -------------------------------------------------------------------------------------------------------


def decide(now: Conversation, verb: Verb, at: float, **args: Any) -> list[Fact]:
    """The facts that a verb leads to. Raises Refusal.

    `by` says who asks: agent, phone, supervisor or program. MUTE, UNMUTE and KICK take `party` (leg, agent or number;
    to mute, "" is the agent and "customer" the customer); CONSULT takes `to`, `leg` and `token` of who is called
    already; ADD the same, once that one has answered; PARK takes `slot` and `until` (epoch seconds); TRANSFER `to`.
    """
    if now.slot:
        raise Refusal("parked", f"the customer is parked in {now.slot}: retrieve it first")
    owner = now.agent
    if owner is None:
        raise Refusal("not_talking", "no agent talks with this customer")
    return _DECIDE[verb](now, owner, at, args)


def _hold(now: Conversation, owner: Party, at: float, args: Mapping[str, Any]) -> list[Fact]:
    _not_while_asking(now)
    if now.customer is Place.MUSIC:
        raise Refusal("held_already", "the customer is on hold already")
    return [(Kind.TALK_HELD, {"agent": owner.agent, "by": args.get("by", "agent")})]


def _resume(now: Conversation, owner: Party, at: float, args: Mapping[str, Any]) -> list[Fact]:
    _not_while_asking(now)
    if now.customer is not Place.MUSIC:
        raise Refusal("not_held", "the customer is not on hold")
    return [_resumed(now, owner, at, str(args.get("by", "agent")))]


def _resumed(now: Conversation, owner: Party, at: float, by: str) -> Fact:
    return (Kind.TALK_RESUMED, {"agent": owner.agent, "by": by, "held": round(max(0.0, at - now.held_at), 3)})


def _mute(now: Conversation, owner: Party, at: float, args: Mapping[str, Any]) -> list[Fact]:
    return _muted(now, owner, Kind.MUTED, str(args.get("party", "")))


def _unmute(now: Conversation, owner: Party, at: float, args: Mapping[str, Any]) -> list[Fact]:
    return _muted(now, owner, Kind.UNMUTED, str(args.get("party", "")))


def _muted(now: Conversation, owner: Party, kind: Kind, name: str) -> list[Fact]:
    if name == "customer":
        leg, agent, is_so = "", "", now.customer_muted
    else:
        party = now.find(name) if name else owner
        leg, agent, is_so = party.leg, party.agent, party.muted
    if is_so is (kind is Kind.MUTED):
        raise Refusal("muted_already" if is_so else "not_muted", f"{agent or name} is {'' if is_so else 'not '}muted")
    return [(kind, {"leg": leg, "agent": agent})]


def _transfer(now: Conversation, owner: Party, at: float, args: Mapping[str, Any]) -> list[Fact]:
    if now.asked:
        raise Refusal("consulting", "somebody is being asked: complete or cancel that first")
    if len(now.parties) > 1:
        raise Refusal("conference", "others talk with the customer, too: drop leaves it with them")
    moved = {"to": str(args["to"]), "by": owner.agent, "how": "blind"}
    return [(Kind.TRANSFERRED, moved), _ended(now, owner)]


def _ended(now: Conversation, owner: Party) -> Fact:
    return (Kind.TALK_ENDED, {"agent": owner.agent, "queue": now.queue, "leg": owner.leg})


def _started(now: Conversation, party: Party) -> Fact:
    return (Kind.TALK_STARTED, {"agent": party.agent, "queue": now.queue, "leg": party.leg, "token": party.token})


def _consult(now: Conversation, owner: Party, at: float, args: Mapping[str, Any]) -> list[Fact]:
    if now.asked:
        raise Refusal("consulting", "somebody is being asked already")
    if len(now.parties) > 1:
        raise Refusal("conference", "this is a conference: add calls somebody more into it")
    facts: list[Fact] = [_resumed(now, owner, at, "agent")] if now.held_at else []
    asked = {"agent": owner.agent, "to": str(args["to"]), "leg": str(args["leg"]), "token": str(args.get("token", ""))}
    return [*facts, (Kind.CONSULT_STARTED, asked)]


def _answered(now: Conversation) -> Party:
    if not now.asked:
        raise Refusal("not_consulting", "nobody is being asked")
    asked = now.parties[now.asked]
    if asked.place is Place.RINGING:
        raise Refusal("not_answered", f"{asked.to} has not answered yet")
    return asked


def consult_ended(now: Conversation, result: ConsultResult) -> Fact:
    """Of who is asked."""
    asked, owner = now.parties[now.asked], now.agent
    agent = owner.agent if owner is not None else ""
    return (Kind.CONSULT_ENDED, {"agent": agent, "to": asked.to, "leg": asked.leg, "result": result.value})


def _toggle(now: Conversation, owner: Party, at: float, args: Mapping[str, Any]) -> list[Fact]:
    asked = _answered(now)
    customer = now.customer is Place.MUSIC
    return [(Kind.CONSULT_TOGGLED, {"agent": owner.agent, "leg": asked.leg, "customer": customer})]


def _complete(now: Conversation, owner: Party, at: float, args: Mapping[str, Any]) -> list[Fact]:
    asked = _answered(now)
    moved = {"to": asked.to, "by": owner.agent, "how": "consult"}
    facts = [consult_ended(now, ConsultResult.TRANSFERRED), (Kind.TRANSFERRED, moved), _ended(now, owner)]
    return [*facts, _started(now, asked)] if asked.role == "agent" else facts


def _conference(now: Conversation, owner: Party, at: float, args: Mapping[str, Any]) -> list[Fact]:
    asked = _answered(now)
    joined = {"leg": asked.leg, "role": asked.role, "agent": asked.agent, "to": asked.to, "token": asked.token}
    return [consult_ended(now, ConsultResult.CONFERENCE), (Kind.PARTY_JOINED, joined)]


def _cancel(now: Conversation, owner: Party, at: float, args: Mapping[str, Any]) -> list[Fact]:
    if not now.asked:
        raise Refusal("not_consulting", "nobody is being asked")
    return [consult_ended(now, ConsultResult.CANCELLED)]


def _add(now: Conversation, owner: Party, at: float, args: Mapping[str, Any]) -> list[Fact]:
    _not_while_asking(now)
    to, leg = str(args["to"]), str(args["leg"])
    agent = to.removeprefix("agent:") if to.startswith("agent:") else ""
    role = "agent" if agent else "target"
    joined = {"leg": leg, "role": role, "agent": agent, "to": to, "token": str(args.get("token", ""))}
    return [(Kind.PARTY_JOINED, joined)]


def _kick(now: Conversation, owner: Party, at: float, args: Mapping[str, Any]) -> list[Fact]:
    party = now.find(str(args.get("party", "")))
    if party.leg == owner.leg:
        raise Refusal("not_oneself", "that is the agent who talks with the customer: drop leaves the others alone")
    if party.leg == now.asked:
        return [consult_ended(now, ConsultResult.CANCELLED)]
    return [(Kind.PARTY_LEFT, {"leg": party.leg, "agent": party.agent})]


def _drop(now: Conversation, owner: Party, at: float, args: Mapping[str, Any]) -> list[Fact]:
    _not_while_asking(now)
    others = [party for party in now.parties.values() if party.leg != owner.leg]
    if not others:
        raise Refusal("alone", "nobody else talks with the customer: hang up, or transfer it")
    facts: list[Fact] = [_resumed(now, owner, at, "agent")] if now.held_at else []
    return [*facts, *leaves(now, owner)]


def _park(now: Conversation, owner: Party, at: float, args: Mapping[str, Any]) -> list[Fact]:
    _not_while_asking(now)
    if len(now.parties) > 1:
        raise Refusal("conference", "others talk with the customer, too")
    parked = {"slot": str(args["slot"]), "by": owner.agent, "until": float(args["until"])}
    return [(Kind.PARKED, parked), _ended(now, owner)]


def _not_while_asking(now: Conversation) -> None:
    if now.asked:
        raise Refusal("consulting", "somebody is being asked: toggle, complete, conference or cancel")


_DECIDE: Mapping[Verb, Callable[[Conversation, Party, float, Mapping[str, Any]], list[Fact]]] = {
    Verb.HOLD: _hold,
    Verb.RESUME: _resume,
    Verb.MUTE: _mute,
    Verb.UNMUTE: _unmute,
    Verb.TRANSFER: _transfer,
    Verb.CONSULT: _consult,
    Verb.TOGGLE: _toggle,
    Verb.COMPLETE: _complete,
    Verb.CONFERENCE: _conference,
    Verb.CANCEL: _cancel,
    Verb.ADD: _add,
    Verb.KICK: _kick,
    Verb.DROP: _drop,
    Verb.PARK: _park,
}


# -- what happens by itself ------------------------------------------------------------------------------------------


def leaves(now: Conversation, party: Party) -> list[Fact]:
    """The facts of a party's hanging up, the customer being there.

    An agent who hangs up while talking with who was asked leaves the customer to that one, as on other switches; who
    was asked and hangs up leaves the customer to the agent; when the agent of a conference hangs up, the agent who
    joined first has the customer. Who hangs up before anybody has answered transfers the customer blindly.
    """
    if party.leg == now.asked:
        left = ConsultResult.LEFT if party.place is not Place.RINGING else ConsultResult.MISSED
        return [consult_ended(now, left)]
    if party.leg != now.owner:
        return [(Kind.PARTY_LEFT, {"leg": party.leg, "agent": party.agent})]
    if now.asked:
        if now.parties[now.asked].place is not Place.RINGING:
            return _complete(now, party, 0.0, {})
        moved = {"to": now.parties[now.asked].to, "by": party.agent, "how": "blind"}
        return [consult_ended(now, ConsultResult.AGENT_GONE), (Kind.TRANSFERRED, moved), _ended(now, party)]
    heir = next((p for p in now.parties.values() if p.leg != party.leg and p.role == "agent"), None)
    return [_ended(now, party)] if heir is None else [_ended(now, party), _started(now, heir)]


def handed_over(now: Conversation, agent: str, leg: str, token: str) -> list[Fact]:
    """The facts of a phone's own attended transfer: a colleague, with whom the agent talked on a second line, has the
    customer now."""
    owner, to = now.parties[now.owner], f"agent:{agent}"
    joined = {"leg": leg, "role": "agent", "agent": agent, "to": to, "token": token}
    moved = (Kind.TRANSFERRED, {"to": to, "by": owner.agent, "how": "consult"})
    heir = Party(leg, "agent", Place.TOGETHER, agent, token)
    return [moved, (Kind.PARTY_JOINED, joined), _ended(now, owner), _started(now, heir)]


def retrieved(now: Conversation, at: float, by: str, leg: str = "", token: str = "") -> list[Fact]:
    """The facts of the end of parking: agent `by` has the customer now; "" = nobody took it in time."""
    seconds = round(max(0.0, at - now.parked_at), 3)
    fact: Fact = (Kind.RETRIEVED, {"slot": now.slot, "by": by, "parked": seconds})
    if not by:
        return [fact]
    return [fact, (Kind.TALK_STARTED, {"agent": by, "queue": now.queue, "leg": leg, "token": token})]


def customer_leaves(now: Conversation) -> list[Fact]:
    """The facts of the customer's hanging up: all is over for everybody."""
    facts = [consult_ended(now, ConsultResult.CUSTOMER_GONE)] if now.asked else []
    for party in now.parties.values():
        if party.leg not in (now.owner, now.asked):
            facts.append((Kind.PARTY_LEFT, {"leg": party.leg, "agent": party.agent}))
    owner = now.agent
    return [*facts, _ended(now, owner)] if owner is not None else facts
