"""Takes back what lives on the PBX: after a restart of the controller, and after the link was away.

Three pictures are held against each other: the PBX's channels and bridges, the live contacts in Redis, and the events.
A contact whose caller is still there goes on where it was; one whose caller has gone is closed; a channel or bridge
that belongs to nobody is ended, unless it is a caller, who is greeted like a new one.
"""

from dataclasses import replace

import structlog

from contactcentre.controller import talk
from contactcentre.controller.conduct import Conductor, Earlier
from contactcentre.controller.contact import Contact
from contactcentre.controller.node import Node
from contactcentre.controller.offers import withdraw
from contactcentre.domain.events import Kind, LeftQueue, OfferResult, Outcome
from contactcentre.live import ContactNow
from contactcentre.pbx.events import Arrived, Cause
from contactcentre.pbx.protocol import Inventory

log = structlog.get_logger(__name__)

_OUTCOMES = {"queue": Outcome.ABANDONED, "ringing": Outcome.ABANDONED, "talking": Outcome.ANSWERED}
"""How a contact ended whose caller left while we were away, by where it was."""


def reconcile(node: Node) -> tuple[list[Conductor], list[Arrived]]:
    """The contacts to go on with, and the callers to greet anew. Raises PbxError, LiveError."""
    inventory = node.pbx.inventory()
    taken_up: list[Conductor] = []
    known: set[str] = set()
    for now in node.live.contacts().values():
        if now.node != node.name:
            continue
        known.update(now.channels.values())
        if now.contact_id in node.contacts:
            continue
        contact = Contact(node, replace(now, seq=max(now.seq, node.last_seq(now.contact_id))))
        caller = inventory.channels.get(now.channels.get("caller", ""))
        if caller is None or not caller.ours:
            _close(contact, now)
        else:
            taken_up.append(_take_up(contact, now, inventory))
    strangers = _strangers(node, inventory, known)
    log.info("reconciled", taken_up=len(taken_up), strangers=len(strangers), channels=len(inventory.channels))
    return taken_up, strangers


def _take_up(contact: Contact, now: ContactNow, inventory: Inventory) -> Conductor:
    node = contact.node
    info = inventory.channels[now.channels["caller"]]
    contact.caller = node.pbx.adopt(info.id, contact.post)
    contact.language = str(now.flow_state.get("language", contact.language))
    walker = node.configuration.restore_walker(now.flow_state)
    return Conductor(contact, walker, answered=info.up, earlier=Earlier(now, _other_leg(now, inventory)))


def _other_leg(now: ContactNow, inventory: Inventory) -> str:
    """The agent's or target's leg, if it is still there."""
    leg = now.channels.get("agent") or now.channels.get("target", "")
    return leg if leg in inventory.channels else ""


def _close(contact: Contact, now: ContactNow) -> None:
    """Writes the end of a contact whose caller left while nobody of ours looked."""
    node = contact.node
    outcome = _OUTCOMES.get(now.state, Outcome.SELF_SERVED)
    if now.state == "talking":
        talk.end(contact, talk.Conversation.of(now), None, "caller", Cause.UNKNOWN)
    if now.state == "ringing":
        withdraw(contact, now, OfferResult.CALLER_GONE)
    if now.state in ("queue", "ringing"):
        entered = float(now.detail.get("entered", now.since))
        waited = round(node.now() - entered, 3)
        contact.emit(Kind.UNQUEUED, queue=now.queue, reason=LeftQueue.ABANDONED.value, waited=waited)
        node.live.leave(contact.id)
        node.replica.drop_waiting(contact.id)
    for role, channel in now.channels.items():
        if role != "caller":
            node.hang_up(channel)
    contact.emit(Kind.LEG_ENDED, leg=now.channels.get("caller", ""), cause=int(Cause.UNKNOWN))
    contact.emit(Kind.ENDED, outcome=outcome.value, by="caller", cause=int(Cause.UNKNOWN))
    contact.drop_bridge()
    node.saver.put(contact.id, None)


def _strangers(node: Node, inventory: Inventory, known: set[str]) -> list[Arrived]:
    """Ends legs and bridges that belong to no contact; returns the callers among them."""
    callers: list[Arrived] = []
    for info in inventory.channels.values():
        if not info.ours or info.id in known or info.id in node.channels:
            continue
        if info.contact_id:
            log.warning("orphaned leg ended", channel=info.id, contact=info.contact_id)
            node.hang_up(info.id)
            continue
        did = info.dialled
        callers.append(
            Arrived(
                info.id,
                info.created_at,
                ("did", did),
                info.caller,
                did,
                info.endpoint,
                language="",
                up=info.up,
            )
        )
    running = {f"{contact_id}.b" for contact_id in node.contacts}
    for bridge in inventory.bridges.values():
        if bridge.kind == "mixing" and not bridge.channels and bridge.id not in running:
            node.pbx.bridge(bridge.id).destroy()
    return callers
