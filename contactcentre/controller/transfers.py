"""Connects a caller with one named agent, or with a number outside."""

import secrets

from contactcentre.controller.contact import CallerGone, Contact, Granted
from contactcentre.controller.offers import Offer
from contactcentre.controller.talk import Talk
from contactcentre.domain.events import Kind, Outcome
from contactcentre.domain.flows.actions import Transfer, TransferFailed, Transferred
from contactcentre.domain.routing import Decision
from contactcentre.pbx.errors import Deadline, LinkDown, PbxError
from contactcentre.pbx.events import Answered, Cause, Ended, Party
from contactcentre.pbx.protocol import Channel

_FAILED = {
    Cause.BUSY: "busy",
    Cause.NO_ANSWER: "missed",
    Cause.NO_RESPONSE: "missed",
    Cause.REJECTED: "rejected",
    Cause.NORMAL: "rejected",
}


def transfer(contact: Contact, action: Transfer) -> Transferred | TransferFailed:
    """Raises CallerGone, Suspended."""
    contact.emit(Kind.TRANSFERRED, to=f"{action.kind}:{action.target}")
    if action.kind == "agent":
        return _to_agent(contact, action)
    return _to_number(contact, action)


def _to_agent(contact: Contact, action: Transfer) -> Transferred | TransferFailed:
    node = contact.node
    agent = node.replica.agents.get(action.target)
    if agent is None or action.target not in node.site.agents:
        return TransferFailed("unreachable")
    now = node.now()
    status = node.live.reserve(agent, contact.id, "", secrets.token_hex(8), now + action.ring_seconds, now)
    if status is None:
        return TransferFailed("busy")
    node.replica.put_agent(status)
    rule = "asked for by name"
    granted = Granted(status, Decision(contact.id, "", status.name, rule, candidates=(), cut=()))
    contact.caller.ring()
    connected = Offer(contact, granted, contact.new_id("a"), ring_seconds=action.ring_seconds).ring()
    if connected is None:
        return TransferFailed("missed")
    talk = Talk(contact, connected, "")
    if not talk.join():
        return TransferFailed("missed")
    talk.converse()
    return Transferred()


def _to_number(contact: Contact, action: Transfer) -> Transferred | TransferFailed:
    node = contact.node
    trunk = node.configuration.outbound_trunk
    if trunk is None:
        return TransferFailed("unreachable")
    leg_id = contact.new_id("t")
    contact.emit(Kind.LEG_STARTED, leg=leg_id, role="target", endpoint=action.target, agent="")
    try:
        leg = node.pbx.call(
            f"{action.target}@{trunk}",
            channel_id=leg_id,
            inbox=contact.post,
            contact_id=contact.id,
            caller=Party(node.site.trunks[trunk].caller_id),
            ring_seconds=action.ring_seconds,
        )
    except (LinkDown, Deadline):
        raise
    except PbxError:
        contact.emit(Kind.LEG_ENDED, leg=leg_id, cause=int(Cause.UNREACHABLE))
        return TransferFailed("unreachable")
    contact.save(state="transfer", channels={**contact.now.channels, "target": leg_id})
    try:
        failed = _await_answer(contact, leg, node.now() + action.ring_seconds)
        if failed is not None:
            return failed
        return _talk(contact, leg)
    except CallerGone:
        leg.hangup()
        contact.emit(Kind.LEG_ENDED, leg=leg_id, cause=int(Cause.NORMAL))
        raise


def _await_answer(contact: Contact, leg: Channel, until: float) -> TransferFailed | None:
    while contact.node.now() < until:
        match contact.next(until):
            case Answered(channel_id=leg.id):
                contact.emit(Kind.LEG_ANSWERED, leg=leg.id)
                return None
            case Ended(channel_id=leg.id, cause=cause):
                contact.emit(Kind.LEG_ENDED, leg=leg.id, cause=int(cause))
                return TransferFailed(_FAILED.get(cause, "unreachable"))
    leg.hangup(Cause.NO_ANSWER)
    contact.emit(Kind.LEG_ENDED, leg=leg.id, cause=int(Cause.NO_ANSWER))
    return TransferFailed("missed")


def _talk(contact: Contact, leg: Channel) -> Transferred:
    contact.outcome = Outcome.TRANSFERRED
    contact.bridge().add(contact.caller, leg)
    while True:
        match contact.next():
            case Ended(channel_id=leg.id, cause=cause):
                contact.emit(Kind.LEG_ENDED, leg=leg.id, cause=int(cause))
                contact.ended_by = "agent"
                return Transferred()
