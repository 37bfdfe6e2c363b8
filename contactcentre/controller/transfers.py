"""Connects a caller with one named agent, or with a number outside."""

import secrets
from dataclasses import replace

import structlog

from contactcentre.controller import confirming
from contactcentre.controller.contact import SUSPENDING, Contact, Granted
from contactcentre.controller.conversing import Joined, begin, converse
from contactcentre.controller.offers import Offers, who_left
from contactcentre.domain.events import Kind, Outcome
from contactcentre.domain.flows.actions import Sent, Transfer, TransferFailed, Transferred
from contactcentre.domain.routing import Decision
from contactcentre.live import LiveError
from contactcentre.pbx.errors import Deadline, Gone, LinkDown, PbxError, Refused
from contactcentre.pbx.events import Answered, Cause, Ended, Party
from contactcentre.pbx.protocol import Channel

log = structlog.get_logger(__name__)

_FAILED = {
    Cause.BUSY: "busy",
    Cause.NO_ANSWER: "missed",
    Cause.NO_RESPONSE: "missed",
    Cause.REJECTED: "rejected",
    Cause.NORMAL: "rejected",
}


def transfer(contact: Contact, action: Transfer) -> Transferred | TransferFailed | Sent:
    """Raises CallerGone, Suspended."""
    if not action.told:
        contact.emit(Kind.TRANSFERRED, to=f"{action.kind}:{action.target}", by="", how="flow")
    if action.kind == "agent":
        return _to_agent(contact, action)
    return _to_number(contact, action)


def _to_agent(contact: Contact, action: Transfer) -> Transferred | TransferFailed | Sent:
    node, name = contact.node, action.target
    if name not in node.site.agents:
        return TransferFailed("unreachable")
    deadline = node.now() + action.ring_seconds + (confirming.SECONDS if node.device(name).key else 0.0)
    try:
        agent = node.agents.current(name)
        status = node.agents.reserve(agent, contact.id, "", secrets.token_hex(8), deadline, waiting=None)
    except LiveError as error:
        log.warning("agent not reserved", contact_id=contact.id, agent=name, error=str(error))
        return TransferFailed("unreachable")
    if status is None:
        return TransferFailed("busy")
    decision = Decision(contact.id, "", name, "asked for by name", candidates=(), cut=())
    joined = _ring(contact, Granted(status, decision), action.ring_seconds)
    if joined is None:
        return TransferFailed("missed")
    return converse(begin(contact, replace(joined, queue=action.queue))) or Transferred()


def _ring(contact: Contact, granted: Granted, ring_seconds: float) -> Joined | None:
    offers = Offers(contact)
    try:
        offers.add(granted, ring_seconds)
        contact.caller.ring()
        while offers:
            answered = offers.take(contact.next(offers.until))
            if answered is not None and (joined := offers.join(answered)) is not None:
                return joined
    except SUSPENDING:
        raise
    except Exception as error:
        offers.failed(error)
        raise
    return None


def _to_number(contact: Contact, action: Transfer) -> Transferred | TransferFailed:
    node = contact.node
    trunk = node.configuration.outbound_trunk
    if trunk is None:
        return TransferFailed("unreachable")
    leg_id = contact.new_id("t")
    contact.emit(Kind.LEG_STARTED, leg=leg_id, role="target", endpoint=action.target, agent="")
    contact.save(state="transfer", channels={"caller": contact.caller_id, "target": leg_id})
    try:
        leg = node.pbx.call(
            f"{action.target}@{trunk}",
            channel_id=leg_id,
            inbox=contact.post,
            contact_id=contact.id,
            caller=Party(node.site.trunks[trunk].caller_id),
            ring_seconds=action.ring_seconds,
            beside=contact.caller_id,
        )
        return _await_answer(contact, leg, node.now() + action.ring_seconds) or _join(contact, leg)
    except (LinkDown, Deadline):
        raise
    except PbxError:
        return _failed(contact, leg_id, Cause.UNREACHABLE)
    except SUSPENDING:
        raise
    except Exception:
        give_up(contact)
        raise


def _await_answer(contact: Contact, leg: Channel, until: float) -> TransferFailed | None:
    while contact.node.now() < until:
        match contact.next(until):
            case Answered(channel_id=leg.id):
                contact.emit(Kind.LEG_ANSWERED, leg=leg.id)
                return None
            case Ended(channel_id=leg.id, cause=cause):
                return _failed(contact, leg.id, cause)
    leg.hangup(Cause.NO_ANSWER)
    return _failed(contact, leg.id, Cause.NO_ANSWER)


def _join(contact: Contact, leg: Channel) -> Transferred | TransferFailed:
    try:
        contact.bridge().add(contact.caller, leg)
    except (Gone, Refused):  # refused is what is just about to be gone
        return _failed(contact, leg.id, who_left(contact, leg.id))
    connected(contact)
    return _watch(contact, leg.id)


def connected(contact: Contact) -> None:
    """The caller talks to somebody outside from now on."""
    contact.outcome = Outcome.TRANSFERRED
    contact.save(state="transferred")


def _watch(contact: Contact, leg: str) -> Transferred:
    while True:
        match contact.next():
            case Ended(channel_id=ended, cause=cause) if ended == leg:
                _over(contact, leg, cause)
                contact.ended_by = "agent"
                return Transferred()


def resume(contact: Contact, leg_there: bool) -> Transferred:
    """Takes up the conversation with somebody outside. Returns when that one has left. Raises CallerGone, Suspended."""
    leg = contact.now.channels.get("target", "")
    contact.outcome = Outcome.TRANSFERRED
    if leg_there and contact.caller_there:
        try:
            contact.node.pbx.adopt(leg, contact.post)
        except Gone:
            leg_there = False
    if not leg_there and contact.caller_there:
        _over(contact, leg, Cause.UNKNOWN)
        return Transferred()
    try:
        return _watch(contact, leg)
    except SUSPENDING:
        raise
    except Exception:
        give_up(contact)
        raise


def give_up(contact: Contact) -> None:
    """Ends the leg to the outside."""
    if leg := contact.now.channels.get("target", ""):
        contact.node.hang_up(leg)
        _over(contact, leg, Cause.NORMAL)


def _failed(contact: Contact, leg: str, cause: Cause) -> TransferFailed:
    _over(contact, leg, cause)
    return TransferFailed(_FAILED.get(cause, "unreachable"))


def _over(contact: Contact, leg: str, cause: Cause) -> None:
    contact.emit(Kind.LEG_ENDED, leg=leg, cause=int(cause))
    contact.save(state="ivr", channels={"caller": contact.caller_id})
