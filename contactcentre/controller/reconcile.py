"""Holds three pictures against each other: the PBX's channels and bridges, our contacts, and what Redis has of them.

After a start, after the link was away, after a request whose outcome is unknown, and now and then. A contact that
nobody conducts is taken up, with what is still there of it: its own greenlet then goes on where it was, or closes it,
by the same rules as if it had watched (`conduct`). A leg or bridge that belongs to nobody is ended; a caller who
belongs to nobody is greeted like a new one, and one who waits in the PBX's own queue is fetched from there: with us
calling its agents as soon as they are free, that queue would hardly ever find one. Of a contact that is conducted, a
leg that is gone without a word is told to have ended.
"""

from collections.abc import Container, Mapping
from dataclasses import dataclass

import structlog

from contactcentre.controller.conduct import Found
from contactcentre.controller.contact import Contact
from contactcentre.controller.engaged import find_engaged
from contactcentre.controller.node import Node
from contactcentre.controller.recordings import recording_ended
from contactcentre.controller.told import corrected, record
from contactcentre.domain.agents import AgentState, AgentStatus
from contactcentre.live import ContactNow
from contactcentre.live.calls import DIALLING
from contactcentre.pbx.events import Arrived, Cause, Ended
from contactcentre.pbx.protocol import ChannelInfo, Inventory

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Findings:
    contacts: list[tuple[Contact, Found]]  # to take up
    callers: list[Arrived]  # to greet
    orphans: list[str]  # channels to end
    elsewhere: list[str]  # callers in the PBX's own queue, who came while there was no controller; the first one first


def reconcile(node: Node, first: bool) -> Findings:
    """`first`: since the start of this process. Raises PbxError, LiveError; then nothing was done. Nobody may make a
    contact meanwhile."""
    ours = dict(node.contacts)
    before = {contact.id: contact.now for contact in ours.values() if not contact.parked}
    known = _known(node)
    talking = [status for status in node.replica.agents.values() if status.state is AgentState.TALKING]
    node.saver.flush()  # who has ended before this moment is no longer in Redis after it
    live = node.live.contacts()
    inventory = node.pbx.inventory()
    mine = {key: now for key, now in live.items() if now.node == node.name and key not in ours}
    left_behind = _left_behind(node, mine, {*ours, *node.early}, first) if mine or first else []
    for contact in ours.values():
        if contact.now is before.get(contact.id):
            _tell_what_is_gone(contact, inventory)
    contacts = [contact for contact in ours.values() if contact.id not in before] + left_behind
    for contact in left_behind:
        node.contacts[contact.id] = contact
    node.router.clear(node.contacts)
    _free_agents(node, talking, {*live, *node.contacts})
    strays = node.lines.found(inventory)
    known |= _known(node)  # also what has ended while we looked: the inventory may still have it
    for spy in inventory.spies.keys() - node.spies:
        log.warning("stray spy ended", spy=spy)
        node.hang_up(spy)
    to_take_up = [(contact, _found(contact.now, inventory)) for contact in contacts]
    for contact, there in to_take_up:  # all of them, before the first one asks for an agent
        find_engaged(contact, there.joined, there.there)
    node.reconciled = True
    node.early.clear()
    found = Findings(
        to_take_up,
        _strangers(node, inventory, known | strays),
        [*strays, *_orphans(node, inventory, known | strays)],
        [info.id for info in sorted(inventory.channels.values(), key=lambda one: one.created_at) if info.waits],
    )
    log.info(
        "reconciled",
        taken_up=len(found.contacts),
        callers=len(found.callers),
        orphans=len(found.orphans),
        elsewhere=len(found.elsewhere),
        channels=len(inventory.channels),
    )
    return found


def _known(node: Node) -> set[str]:
    """Every channel that has somebody of ours."""
    legs = {channel for contact in node.contacts.values() for channel in contact.now.channels.values()}
    return legs | node.channels | node.lines.channels


def _left_behind(node: Node, records: Mapping[str, ContactNow], ours: Container[str], first: bool) -> list[Contact]:
    """Contacts of a process that is gone. Those whose end it had still written need nothing but to be dropped. Such as
    have no record are only looked for at first: later, facts of our own may be on their way to the journal."""
    contacts = []
    for contact_id, known in node.told(records).items():
        now = records.get(contact_id)
        if (
            now is None
            and first
            and known.complete
            and known.arrived is not None
            and known.arrived.data["node"] == node.name
        ):
            now = record(known.arrived)
        if now is None or contact_id in ours:
            continue
        if known.ended or "caller" not in now.channels:
            node.saver.put(contact_id, None)
            continue
        contact = Contact(node, corrected(now, known))
        contact.told = known.once
        contact.unheard("the controller was restarted")  # their spies are ended
        if lost := known.unended:
            recording_ended(contact, str(lost["recording"]), str(lost["agent"]), str(lost["queue"]))
        contact.parked = True
        contacts.append(contact)
    return contacts


def _found(now: ContactNow, inventory: Inventory) -> Found:
    caller = inventory.channels.get(now.channels["caller"])
    legs = frozenset(channel for role, channel in now.channels.items() if role != "caller")
    bridge = inventory.bridges.get(f"{now.contact_id}.b")
    together = frozenset(bridge.channels if bridge is not None else ())
    ours = caller is not None and caller.ours
    elsewhere = caller is not None and not ours
    return Found(caller if ours else None, legs & inventory.channels.keys(), together, elsewhere)


def _tell_what_is_gone(contact: Contact, inventory: Inventory) -> None:
    """For a contact that nothing has changed while we looked: so its legs were there before. Of a customer who is being
    called nobody knows that; it ends by itself."""
    if contact.now.state == DIALLING:
        return
    established = contact.now.state in ("talking", "parked", "transferred")
    for role, channel in contact.now.channels.items():
        if channel not in inventory.channels and (role == "caller" or established):
            log.warning("a leg is gone without a word", contact_id=contact.id, role=role, channel=channel)
            contact.post(Ended(channel, contact.node.now(), Cause.UNKNOWN))


def _free_agents(node: Node, talking: list[AgentStatus], alive: set[str]) -> None:
    """Who talks with a contact that is nowhere any more. (An offer ends by itself.)"""
    for status in talking:
        if status.contact_id not in alive:
            log.warning("agent talked with a contact that is over", agent=status.name, contact_id=status.contact_id)
            node.agents.release(status.contact_id)


def _strangers(node: Node, inventory: Inventory, known: set[str]) -> list[Arrived]:
    return [
        Arrived(
            info.id, info.created_at, ("did", info.dialled), info.caller, info.dialled, info.endpoint, "", up=info.up
        )
        for info in inventory.channels.values()
        if info.ours and not info.contact_id and info.id not in known and not _is_feature_call(node, info)
    ]


def _orphans(node: Node, inventory: Inventory, known: set[str]) -> list[str]:
    """Legs of ours, also such that still ring, and what is left of feature calls. Empty bridges of contacts that are
    over, and rooms of supervisors whom nobody knows any more, are ended here."""
    for bridge in inventory.bridges.values():
        contact_id, dot, kind = bridge.id.rpartition(".")
        mine = dot and kind in ("b", "s") and len(contact_id) == len("00000000-0000-0000-0000-000000000000")
        used = contact_id in node.contacts or f"{contact_id}.v1" in node.channels
        if mine and not used and (kind == "s" or not bridge.channels):
            node.pbx.bridge(bridge.id).destroy()
    return [
        info.id
        for info in inventory.channels.values()
        if info.id not in known and (info.contact_id or (info.ours and _is_feature_call(node, info)))
    ]


def _is_feature_call(node: Node, info: ChannelInfo) -> bool:
    """An agent's own phone, and no number of ours: whoever dialled a feature code dials it again."""
    return info.endpoint in node.configuration.agent_of_endpoint and info.dialled not in node.site.dids
