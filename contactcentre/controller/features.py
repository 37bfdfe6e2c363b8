"""Feature codes: an agent dials `*45` on the phone and is logged in. Who calls is known from the SIP account."""

import re
from typing import Any

import structlog
from gevent.lock import BoundedSemaphore
from gevent.queue import Empty, Queue

from contactcentre.controller.node import Node
from contactcentre.controller.parties import parked_in
from contactcentre.domain.agents import EXTENSION, AgentState, NotAllowed, Verb
from contactcentre.domain.devices import Kind, device_of, web_account
from contactcentre.domain.site import Site
from contactcentre.live import CommandFailed, LiveError
from contactcentre.pbx.errors import PbxError
from contactcentre.pbx.events import Arrived, Cause, ChannelEvent, Ended, PlaybackEnded
from contactcentre.pbx.protocol import Channel, Inbox, Medium

log = structlog.get_logger(__name__)

AT_ONCE = 50
"""Feature calls that are answered at the same time; whoever floods us with more hears that the line is busy."""

HEARING_AT_ONCE = 100
"""Agents who hear their messages at the same time; that takes longer, and must keep nobody from logging in."""

PLAY_DEADLINE = 15.0
"""Seconds that a spoken confirmation may take at most."""

_SPOKEN: dict[Verb, Medium] = {
    Verb.LOGIN: "sound:agent-loginok",
    Verb.LOGOUT: "sound:agent-loggedoff",
    Verb.PAUSE: "sound:vm-isunavail",
    Verb.UNPAUSE: "sound:agent-loginok",
    Verb.EXTEND: "sound:activated",
}
_REFUSED: Medium = "sound:beeperr"
_turns, _hearings = BoundedSemaphore(AT_ONCE), BoundedSemaphore(HEARING_AT_ONCE)


def understand(site: Site, code: str) -> tuple[Verb, dict[str, Any]] | None:
    """The verb that a dialled code means and its arguments (of `domain.agents.step`), None for an unknown one.

    The digit after the pause code is the reason's place in `settings.pause_reasons`, counted from 1; without a digit it
    is the first reason.
    """
    codes = site.features
    simple = {codes.login: Verb.LOGIN, codes.logout: Verb.LOGOUT, codes.unpause: Verb.UNPAUSE}
    if code in simple:
        return simple[code], {}
    if code == codes.extend:
        return Verb.EXTEND, {"seconds": EXTENSION}
    if not code.startswith(codes.pause):
        return None
    reasons = site.settings.pause_reasons
    digits = code[len(codes.pause) :] or "1"
    if not digits.isascii() or not digits.isdigit() or not 1 <= int(digits) <= len(reasons):
        return None
    return Verb.PAUSE, {"reason": reasons[int(digits) - 1]}


def run(node: Node, arrived: Arrived) -> None:
    """One feature call, from its arrival to our hanging up."""
    code, endpoint = (*arrived.args[1:], "", "")[:2]
    inbox: Queue[ChannelEvent] = Queue(maxsize=100)
    hears = code == node.site.features.voicemail and endpoint in node.configuration.agent_of_endpoint
    turns = _hearings if hears else _turns
    if not turns.acquire(blocking=False):
        log.warning("too many feature calls at once", code=code, endpoint=endpoint)
        return _end(node, arrived.channel_id, Cause.CONGESTION)
    try:
        channel = node.pbx.adopt(arrived.channel_id, _bounded(inbox))
        channel.answer()
        if hears:
            return _hear(node, endpoint, channel, inbox)
        slot = retrieves(node.site, code)
        answer = _retrieve(node, slot, endpoint, channel.id) if slot else _act(node, code, endpoint)
        if not answer:
            return None
        try:
            channel.play(f"{arrived.channel_id}.p", ["silence:1", answer], node.site.settings.language)
            _await_end(node, inbox)
        finally:
            channel.hangup()
    except PbxError as error:
        log.info("feature call ended early", code=code, endpoint=endpoint, error=str(error))
    finally:
        turns.release()


def _hear(node: Node, endpoint: str, channel: Channel, inbox: "Queue[ChannelEvent]") -> None:
    agent, ours = node.configuration.agent_of_endpoint[endpoint], True
    log.info("an agent hears messages", agent=agent)
    try:
        ours = node.mailbox.hear(node, agent, endpoint, channel, inbox)
    finally:
        if ours:
            channel.hangup()


def retrieves(site: Site, code: str) -> str:
    """The slot whose customer a dialled code asks for; "" = it is another code."""
    slot = code.removeprefix(site.features.retrieve)
    return slot if slot != code and re.fullmatch("[1-9][0-9]{0,2}", slot) else ""


def _retrieve(node: Node, slot: str, endpoint: str, channel_id: str) -> Medium:
    """ "" when the phone talks with the customer from now on: it is a leg of that contact."""
    agent, contact = node.configuration.agent_of_endpoint.get(endpoint), parked_in(node, slot)
    if agent is None or contact is None:
        log.info("nobody to retrieve", slot=slot, endpoint=endpoint)
        return _REFUSED
    try:
        contact.ask("retrieve", {"agent": agent, "leg": channel_id}, "phone")
    except CommandFailed as error:
        log.info("not retrieved", slot=slot, agent=agent, why=str(error))
        return _REFUSED
    return ""


def _end(node: Node, channel_id: str, cause: Cause) -> None:
    try:
        node.hang_up(channel_id, cause)
    except PbxError as error:  # ended when we look the next time
        log.info("feature call not ended", channel=channel_id, error=str(error))


def _await_end(node: Node, inbox: "Queue[ChannelEvent]") -> None:
    """Of the confirmation, or of the call."""
    until = node.now() + PLAY_DEADLINE
    while (left := until - node.now()) > 0:
        try:
            event = inbox.get(timeout=left)
        except Empty:
            return
        if isinstance(event, PlaybackEnded | Ended):
            return


def _act(node: Node, code: str, endpoint: str) -> Medium:
    agent = node.configuration.agent_of_endpoint.get(endpoint)
    meant = understand(node.site, code)
    if agent is None or meant is None:
        log.warning("feature code refused", code=code, endpoint=endpoint, why="unknown agent or code")
        return _REFUSED
    verb, arguments = meant
    if verb is Verb.LOGIN:
        arguments = {"device": _device(node, agent, endpoint)}
    try:
        status = node.live.change(agent, verb, node.now(), **arguments)
    except (NotAllowed, LiveError) as error:
        current = node.replica.agents.get(agent)
        if verb is Verb.LOGIN and current is not None and current.state is not AgentState.LOGGED_OUT:
            # logged in already: what the agent wanted is so, but perhaps not with this phone
            if current.device != arguments["device"]:
                node.agents.change(agent, Verb.SWITCH, **arguments)
            return _SPOKEN[Verb.LOGIN]
        log.info("feature code refused", code=code, agent=agent, why=str(error))
        return _REFUSED
    node.replica.put_agent(status)
    node.router.wake()
    log.info("feature code", agent=agent, verb=verb.value, **arguments)
    return _SPOKEN[verb]


def _device(node: Node, agent: str, endpoint: str) -> str:
    """The phone or softphone that the agent has called from; "" where it is the one that is called anyway."""
    if device_of(node.site, agent, "").endpoint == endpoint:
        return ""
    return Kind.WEBRTC if endpoint == web_account(agent) else Kind.PHONE


def _bounded(inbox: "Queue[ChannelEvent]") -> Inbox:
    def put(event: ChannelEvent) -> None:
        if not inbox.full():
            inbox.put_nowait(event)

    return put
