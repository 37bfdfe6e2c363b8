"""Calls that go on: which are there, which one a person means, and asking its controller for something.

The dashboard, the API and the CLI ask through `ask`; what is possible says `domain.verbs`, in the controller.
"""

from collections.abc import Collection, Mapping
from typing import Any

from contactcentre.domain.conversation import Conversation
from contactcentre.domain.verbs import Verb
from contactcentre.live.commands import Commands
from contactcentre.live.errors import NoSuchCall
from contactcentre.live.records import ContactNow
from contactcentre.live.state import Live

DIALLING = "dialling"
"""State of a contact in which an agent's phone, or then the customer's, rings because the agent calls."""

ANSWER_SECONDS = 12.0
"""So long a controller may take: it waits itself for whoever conducts the call, and for the PBX."""

VERBS: Mapping[str, Mapping[str, bool]] = {
    **{verb.value: {} for verb in Verb},
    Verb.TRANSFER.value: {"to": True},
    Verb.CONSULT.value: {"to": True},
    Verb.ADD.value: {"to": True},
    Verb.MUTE.value: {"party": False},
    Verb.UNMUTE.value: {"party": False},
    Verb.KICK.value: {"party": True},
    Verb.PARK.value: {"slot": False},
    "retrieve": {"agent": True},
    "pickup": {"agent": True},
    "dtmf": {"digits": True},
    "record": {"action": True},
    "hangup": {},
    "move": {"to": True},
    "front": {},
    "priority": {"priority": True},
}
"""What people can ask for, and what belongs to it: name -> whether it must be there."""


def under_way(contact: ContactNow) -> tuple[str, Conversation] | None:
    """The state (`Conversation.state`), and who talks with whom; None of a contact that waits or is in a menu."""
    if contact.state == "transferred":  # to somebody outside; what agents said before is over
        return "outside", Conversation(queue=contact.queue)
    if contact.state not in ("talking", "parked"):
        return None
    talk = Conversation.restore(contact.detail.get("talk", {}))
    return talk.state, talk


def find(live: Live, name: str, only: Collection[str] | None = None) -> ContactNow:
    """The contact with this id, this beginning of an id, this agent, or parked in this slot. `only`: one that is in
    one of these queues. Raises NoSuchCall."""
    exact = live.contact(name)
    if exact is not None and (only is None or exact.queue in only):
        return exact
    contacts = [contact for contact in live.contacts().values() if only is None or contact.queue in only]
    found = [contact for contact in contacts if contact.contact_id.startswith(name.lower()) and len(name) > 3]
    found = found or [contact for contact in contacts if name and name in (contact.agent, *_taking_part(contact))]
    if not found:
        raise NoSuchCall(f"{name[:60]}: no call that goes on has this id, agent or slot")
    if len(found) > 1:
        ids = ", ".join(sorted(contact.contact_id for contact in found)[:5])
        raise NoSuchCall(f"{name[:60]}: several calls fit: {ids}")
    return found[0]


def _taking_part(contact: ContactNow) -> list[str]:
    """Agents, or the slot it is parked in."""
    found = under_way(contact)
    return [] if found is None else [*(party.agent for party in found[1].parties.values()), found[1].slot]


def ask(live: Live, contact: ContactNow, verb: str, args: Mapping[str, Any], by: str = "supervisor") -> dict[str, Any]:
    """Asks the controller that drives the contact for one of VERBS; answers the state after it. `by`: who asks, as
    `domain.verbs.decide` knows it.

    Raises CommandFailed with the refusal's stable code, NoReply, and other LiveErrors."""
    node, id = contact.node, contact.contact_id
    if verb == "hangup":
        return Commands(live.redis).send(node, "hangup", {"contact": id}, timeout=ANSWER_SECONDS)
    wanted = {"contact": id, "verb": verb, "args": dict(args), "by": by}
    return Commands(live.redis).send(node, "call", wanted, timeout=ANSWER_SECONDS)


def noted(args: Mapping[str, Any]) -> dict[str, str]:
    """What the audit log says of a verb's args: all but the keys themselves, which may be a card's number or a PIN."""
    return {name: f"{len(value)} keys" if name == "digits" else str(value) for name, value in args.items()}
