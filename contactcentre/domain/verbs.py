"""What an agent can make of a conversation (`domain.conversation`), and what becomes of it when somebody leaves.

A verb (`decide`) is answered with the facts it leads to, or with a named `Refusal`.
"""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any

from contactcentre.domain.conversation import Conversation, Fact, Party, Place, Refusal
from contactcentre.domain.events import ConsultResult, Kind


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


def decide(now: Conversation, verb: Verb, at: float, **args: Any) -> list[Fact]:
    """The facts that a verb leads to. Raises Refusal.

    `by` says who asks: agent, phone, supervisor, program or window (of the agent, lost or back). MUTE, UNMUTE and KICK
    take `party` (leg, agent or number; to mute, "" is the agent and "customer" the customer); CONSULT takes `to`, `leg`
    and `token` of who is called already; ADD the same, once that one has answered; PARK takes `slot` and `until` (epoch
    seconds); TRANSFER `to`.
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
