"""Agents who are in a conversation of ours: they are never offered another one, whatever Redis says of them.

What it says can be wrong. That an agent has accepted is written some moments after the two hear each other; whoever is
killed in between leaves an offer behind, which is ended when its time is over, by another node or the next controller.
The PBX, and the facts in the journal, know better.
"""

from collections.abc import Container, Iterator, Mapping

from contactcentre.controller.contact import Contact
from contactcentre.controller.node import Node
from contactcentre.controller.offers import under_way
from contactcentre.domain.agents import AgentState, AgentStatus
from contactcentre.domain.conversation import Conversation, Party, Place
from contactcentre.live.calls import DIALLING


def find_engaged(contact: Contact, joined: str, there: Container[str]) -> None:
    """Of a contact that is about to be taken up. `joined`: the leg that is in its bridge together with the caller;
    `there`: legs that are."""
    agents, now = contact.node.agents, contact.now
    offer: Mapping[str, str] = under_way(contact).get(joined, {}) if now.state in ("ringing", DIALLING) else {}
    if offer:
        agents.found(offer["agent"], contact.id, now.queue, offer["token"])
    for party in _talking(contact):
        known = contact.node.replica.agents.get(party.agent)
        if party.leg in there or known is None or not _anothers(known, party.token):
            agents.found(party.agent, contact.id, _queue(contact), party.token)


def keep_engaged(node: Node, told: AgentStatus) -> None:
    """Somebody else has written this: not so, if that agent is in one of our conversations."""
    if told.state is AgentState.TALKING:
        return
    for contact in list(node.contacts.values()):
        now = contact.now
        if now.state != "talking" or (now.agent != told.name and len(now.channels) == 2):
            continue
        if not contact.parked and contact.seq == now.seq:  # a newer fact may be that they have just left
            for party in _talking(contact):
                if party.agent == told.name:
                    node.agents.found(told.name, contact.id, _queue(contact), party.token)


def _talking(contact: Contact) -> Iterator[Party]:
    """The agents in its conversation."""
    if contact.now.state in ("talking", "parked"):
        for party in Conversation.restore(contact.now.detail.get("talk", {})).parties.values():
            if party.token and party.place is not Place.RINGING:
                yield party


def _queue(contact: Contact) -> str:
    return str(contact.now.detail["talk"].get("queue", ""))


def _anothers(status: AgentStatus, token: str) -> bool:
    """That agent is rung for, or talks with, another contact by now."""
    return status.state in (AgentState.OFFERED, AgentState.TALKING) and status.token != token
