"""How a contact begins, or goes on after a suspension: with its flow, at the place in it."""

from collections.abc import Callable
from functools import partial

import structlog

from contactcentre.controller.conduct import Conductor, Found
from contactcentre.controller.contact import Contact
from contactcentre.controller.dialling import Dialler
from contactcentre.controller.node import Node
from contactcentre.domain.events import Direction, Kind, Outcome
from contactcentre.domain.flows.walk import Walker
from contactcentre.pbx.events import Arrived, Cause

log = structlog.get_logger(__name__)

BELIEVED = 60.0
"""Seconds that the PBX's clock may be off ours, or a caller have been there unseen."""

BELIEVED_ELSEWHERE = 24 * 3600.0
"""Seconds that a caller may have waited in the PBX's own queue."""


def greet(node: Node, arrived: Arrived) -> tuple[Contact, Callable[[], None]]:
    """A new caller: a contact of its own, and what conducts it through the flow of the number dialled."""
    contact, conductor, known = _begin(node, arrived)
    if not known:
        log.warning("unknown number dialled", contact_id=contact.id, did=contact.now.did)
        return contact, partial(conductor.refuse, Cause.UNALLOCATED)
    return contact, conductor.run


def turn_away(node: Node, arrived: Arrived, *, at_once: bool = False) -> tuple[Contact, Callable[[], None]]:
    """A new caller for whom there is no room: a contact, too, so that it is counted. `at_once`: by the busy
    tone, whatever the site says; but who has been answered would hear nothing."""
    contact, conductor, known = _begin(node, arrived)
    if not known:
        return contact, partial(conductor.refuse, Cause.UNALLOCATED)
    if at_once and not arrived.up:
        return contact, partial(conductor.refuse, Cause.BUSY, Outcome.OVERLOAD)
    return contact, conductor.turn_away


def _begin(node: Node, arrived: Arrived) -> tuple[Contact, Conductor, bool]:
    """... and whether the number is known."""
    did = arrived.args[1] if len(arrived.args) > 1 else arrived.dialled
    waited = _waited(node, arrived)
    found = node.site.dids.get(did)
    contact = Contact.new(
        node,
        channel_id=arrived.channel_id,
        did=did,
        caller=arrived.caller,
        flow=found.flow if found else "",
        at=_arrival(node, arrived) - waited,
        answered=arrived.up,
    )
    if found and found.language:
        contact.language = found.language
    contact.emit(
        Kind.ARRIVED,
        node=node.name,
        channel=arrived.channel_id,
        did=contact.now.did,
        caller=contact.now.caller,
        caller_name=contact.now.caller_name,
        flow=contact.now.flow,
        language=contact.language,
        waited=round(waited, 1),
        direction=Direction.INBOUND.value,
    )
    contact.emit(Kind.LEG_STARTED, leg=arrived.channel_id, role="caller", endpoint=arrived.endpoint, agent="")
    if arrived.up:
        contact.emit(Kind.ANSWERED)
        contact.emit(Kind.LEG_ANSWERED, leg=arrived.channel_id)
    conductor = Conductor(contact, _walker(contact), answered=arrived.up)
    return contact, conductor, found is not None and found.flow in node.site.flows


def _arrival(node: Node, arrived: Arrived) -> float:
    """When the PBX says; by our own clock where its is another: who waits longest is told by that."""
    now = node.now()
    return arrived.at if abs(now - arrived.at) < BELIEVED else now


def _waited(node: Node, arrived: Arrived) -> float:
    """Seconds in the PBX's own queue before; it waits longest who has waited longest there, too."""
    since = arrived.args[2] if len(arrived.args) > 2 else ""
    waited = node.now() - int(since) if since.isdecimal() and len(since) < 12 else 0.0
    return waited if 0.0 < waited < BELIEVED_ELSEWHERE else 0.0


def go_on(contact: Contact, there: Found) -> Callable[[], None]:
    """What conducts a contact that was suspended."""
    contact.unpark()
    walker = _walker(contact)
    contact.language = str(contact.now.flow_state.get("language", contact.language))
    answered = bool(contact.now.detail.get("answered"))
    outbound = contact.now.detail.get("direction") == Direction.OUTBOUND
    conductor = (Dialler if outbound else Conductor)(contact, walker, answered=answered, found=there)
    return conductor.run if contact.now.flow else partial(conductor.refuse, Cause.UNALLOCATED)


def _walker(contact: Contact) -> Callable[[], Walker]:
    """Makes the walker that goes on where the contact is in its flow, or begins."""
    configuration, now, language = contact.node.configuration, contact.now, contact.language
    variables = {"caller": now.caller, "caller_name": now.caller_name, "did": now.did}

    def make() -> Walker:
        if "language" in now.flow_state:
            return configuration.restore_walker(now.flow_state)
        walker = configuration.walker(now.flow, variables, language)
        if not now.flow_state:
            return walker
        known = {**variables, **now.flow_state.get("variables", {})}  # only what was journalled is known
        return configuration.restore_walker({**walker.save(), **now.flow_state, "variables": known})

    return make
