"""Calling others into a conversation: agents, who are reserved like for an offer, and numbers outside."""

import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial

import structlog

from contactcentre.controller import confirming
from contactcentre.controller.contact import Contact, Message
from contactcentre.controller.node import Node
from contactcentre.domain.agents import AgentState, AgentStatus
from contactcentre.domain.agents import Verb as Step
from contactcentre.domain.conversation import Conversation, Refusal
from contactcentre.domain.conversation import Party as Talking
from contactcentre.domain.devices import web_account
from contactcentre.domain.events import Kind
from contactcentre.domain.numbers import canonical
from contactcentre.domain.outside import NotAllowed, allowed
from contactcentre.domain.routing import Waiting
from contactcentre.live import LiveError
from contactcentre.pbx.errors import Deadline, Gone, LinkDown, PbxError, Refused
from contactcentre.pbx.events import Cause, Party

log = structlog.get_logger(__name__)

RING_SECONDS = 30.0
"""For so long the phone of somebody who is asked rings."""
AGAIN_SECONDS = 15.0
"""... and the browser of an agent who comes back into the own call, which answers by itself."""

SLOTS = 1000
"""Customers who can be parked at a node at the same time."""

_NUMBER = re.compile(r"\+?[0-9*#]{1,32}").fullmatch


@dataclass(frozen=True, slots=True)
class Call:
    """Somebody's phone rings because an agent asked for it."""

    leg: str
    purpose: str  # consult | add | retrieve
    to: str  # agent:NAME or number:N
    agent: str
    token: str
    until: float  # epoch seconds
    key: str = ""  # that takes the call after the answer


class Calls:
    """The calls of one conversation that have not been answered yet."""

    def __init__(self, contact: Contact, save: Callable[[], None]) -> None:
        """`save` writes down whose phones ring, before they do: whoever comes after a crash knows what to take back."""
        self._contact, self._save = contact, save
        self._calls: dict[str, Call] = {}
        self._confirming: dict[str, confirming.Confirming] = {}  # by leg

    def __iter__(self) -> Iterator[Call]:
        return iter(self._calls.values())

    def __contains__(self, leg: str) -> bool:
        return leg in self._calls

    @property
    def legs(self) -> tuple[str, ...]:
        return tuple(self._calls)

    def pop(self, leg: str) -> Call:
        self._confirming.pop(leg, None)
        return self._calls.pop(leg)

    def answered(self, leg: str) -> Call | None:
        """The call, if the answer is enough to connect it."""
        call = self._calls[leg]
        if not call.key:
            return self.pop(leg)
        contact = self._contact
        new_id = partial(contact.new_id, "p")
        asked = confirming.Confirming(contact.node.now(), new_id, contact.channel(leg), call.key)
        self._confirming[leg] = asked
        self._calls[leg] = replace(call, until=asked.until)
        return None

    def confirmed(self, message: Message | None) -> Call | None:
        """The call that this key takes, if it is one."""
        taken = [leg for leg, one in self._confirming.items() if one.takes(message)]
        return self.pop(taken[0]) if taken else None

    def call(self, purpose: str, to: str, talk: Conversation) -> Call:
        """Lets the phone ring; what comes of it arrives in the contact's inbox. Raises Refusal, LinkDown, Deadline."""
        contact, node = self._contact, self._contact.node
        to = destination(node, to, free=False)
        kind, _, target = to.partition(":")
        if kind == "queue":
            status = _free_agent(node, target, contact)
            kind, target, to = "agent", status.name, f"agent:{status.name}"
        if kind not in ("agent", "number"):
            raise Refusal("wrong_target", f"{to} cannot be called: an agent, a queue or a number can")
        until, token, key, leg = node.now() + RING_SECONDS, "", "", contact.new_id("c")
        if kind == "agent":
            key = node.device(target).key
            token = _reserve(node, target, contact.id, until + (confirming.SECONDS if key else 0.0))
        endpoint, agent, role, shown = _endpoint(node, kind, target, contact)
        call = Call(leg, purpose, to, agent, token, until, key)
        self._ring(call, endpoint, role, agent, shown)
        return call

    def again(self, purpose: str, party: Talking) -> Call:
        """The browser of an agent who takes part already rings for another leg, and is asked to answer by itself. One
        that rings so already does not any more. Raises Refusal, LinkDown, Deadline."""
        contact, node = self._contact, self._contact.node
        to = f"leg:{party.leg}"
        for earlier in [call for call in self if (call.purpose, call.to) == (purpose, to)]:
            self.withdraw(earlier)
        call = Call(contact.new_id("c"), purpose, to, "", "", node.now() + AGAIN_SECONDS)
        self._ring(call, web_account(party.agent), "agent", party.agent, contact.party, auto_answer=True)
        return call

    def _ring(
        self, call: Call, endpoint: str, role: str, agent: str, shown: Party, *, auto_answer: bool = False
    ) -> None:
        """Raises Refusal, LinkDown, Deadline."""
        contact, node = self._contact, self._contact.node
        contact.emit(Kind.LEG_STARTED, leg=call.leg, role=role, endpoint=endpoint, agent=agent)
        self._calls[call.leg] = call
        self._save()
        try:
            node.pbx.call(
                endpoint, channel_id=call.leg, inbox=contact.post, contact_id=contact.id, caller=shown,
                ring_seconds=RING_SECONDS, auto_answer=auto_answer, beside=contact.caller_id,
            )  # fmt: skip
        except (LinkDown, Deadline):
            raise
        except PbxError as error:
            self.let_go(self.pop(call.leg), Cause.UNREACHABLE)
            raise Refusal("unreachable", f"{call.to} cannot be reached") from error

    def came(self, purpose: str, agent: str, leg: str) -> Call:
        """The agent's phone has called us, or talks with whoever gives us the customer: it need not ring. Raises
        Refusal, LinkDown, Deadline."""
        contact, node = self._contact, self._contact.node
        until = node.now() + RING_SECONDS
        call = Call(leg, purpose, f"agent:{agent}", agent, _reserve(node, agent, contact.id, until), until)
        endpoint = node.device(agent).endpoint
        contact.emit(Kind.LEG_STARTED, leg=leg, role="agent", endpoint=endpoint, agent=agent)
        self._calls[leg] = call
        self._save()
        try:
            node.pbx.take(leg, contact.post)
        except (Gone, Refused) as error:
            self.let_go(self.pop(leg), Cause.NORMAL)
            raise Refusal("gone", "the phone has hung up, or its call cannot be taken") from error
        return call

    def let_go(self, call: Call, cause: Cause) -> None:
        """Its phone does not ring any more, or whoever answered was not connected."""
        agents = self._contact.node.agents
        self._contact.emit(Kind.LEG_ENDED, leg=call.leg, cause=int(cause))
        if call.agent and not agents.change(call.agent, Step.RELEASE, token=call.token):
            agents.change(call.agent, Step.FINISH, token=call.token, wrap_up=0.0)  # had answered

    def withdraw(self, *calls: Call) -> None:
        """Takes these calls back, or all that ring."""
        for call in calls or tuple(self._calls.values()):
            self._calls.pop(call.leg, None)
            self._confirming.pop(call.leg, None)
            self._contact.node.hang_up(call.leg)
            self.let_go(call, Cause.NORMAL)

    def slot(self, wanted: str) -> str:
        """A place to park, the wanted one or the first that is free. Raises Refusal."""
        taken = {contact.now.detail.get("talk", {}).get("slot", "") for contact in self._contact.node.contacts.values()}
        if wanted:
            if not re.fullmatch("[1-9][0-9]{0,2}", wanted):
                raise Refusal("no_such_slot", f"slot {wanted!r}: must be a number from 1 to {SLOTS - 1}")
            if wanted in taken:
                raise Refusal("slot_taken", f"somebody is parked in {wanted} already")
            return wanted
        free = next((str(number) for number in range(1, SLOTS) if str(number) not in taken), "")
        if not free:
            raise Refusal("slots_full", "no place to park is free")
        return free


def parked_in(node: Node, slot: str) -> Contact | None:
    """Who is parked there."""
    parked = (contact for contact in node.contacts.values() if contact.now.state == "parked")
    return next((contact for contact in parked if contact.now.detail["talk"]["slot"] == slot), None)


def ends_wrap_up(node: Node, agent: str) -> None:
    """Whoever asks for a customer is done with the last one, who is perhaps this very one."""
    status = node.replica.agents.get(agent)
    if status is not None and status.state is AgentState.WRAP_UP:
        node.agents.change(agent, Step.WRAPPED)


def pick_up(node: Node, contact: Contact, agent: str) -> None:
    """The agent's phone rings for a customer who waits in a queue, perhaps ringing elsewhere: whoever answers first has
    them. Raises Refusal."""
    if contact.now.state not in ("queue", "ringing"):
        raise Refusal("not_waiting", "the customer does not wait in a queue")
    destination(node, f"agent:{agent}", free=False)
    ends_wrap_up(node, agent)
    _available(node, agent)
    try:
        given = node.router.give(contact, agent)
    except LiveError as error:
        raise Refusal("away", "live state is away: nobody can be reserved") from error
    if not given:
        raise Refusal("busy", f"agent {agent}, or the customer, has just been taken by somebody else")


def destination(node: Node, to: str, *, free: bool) -> str:
    """The destination if the site allows it, a number as it is dialled. `free`: an agent must be free. Raises
    Refusal."""
    kind, _, target = to.partition(":")
    site = node.site
    known: dict[str, Mapping[str, object]] = {
        "agent": site.agents,
        "queue": site.queues,
        "flow": site.flows,
        "did": site.dids,
    }
    if kind in known:
        if target not in known[kind]:
            raise Refusal("no_such_target", f"the site has no {kind} {target[:40]!r}")
        if free and kind == "agent":
            _available(node, target)
    elif kind == "voicemail":
        if target not in site.queues and target not in site.agents:
            raise Refusal("no_such_target", f"the site has no box {target[:40]!r}")
    elif kind == "number":
        return f"number:{check_number(node, target)}"
    else:
        raise Refusal(
            "wrong_target", f"{to[:60]!r}: must be agent:NAME, queue:NAME, flow:NAME, voicemail:BOX, did:N or number:N"
        )
    return to


def dialled(node: Node, number: str) -> str:
    """What an agent means who dials this number: an agent's extension, a number of ours, or one outside."""
    for name, agent in node.site.agents.items():
        if number in (agent.number, name):
            return f"agent:{name}"
    country = node.site.settings.country
    own = {canonical(did, country): did for did in node.site.dids}
    if did := own.get(canonical(number, country)):
        return f"did:{did}"
    return f"queue:{number}" if number in node.site.queues else f"number:{number}"


def check_number(node: Node, number: str) -> str:
    """A number outside that agents may call, as it is dialled. Raises Refusal."""
    if not _NUMBER(number):
        raise Refusal("wrong_target", f"{number[:40]!r} is no number")
    try:
        number = allowed(node.site.settings, number)
    except NotAllowed as error:
        raise Refusal(error.code, str(error)) from None
    if node.configuration.outbound_trunk is None:
        raise Refusal("no_trunk", "the site has no trunk to call out")
    return number


def _available(node: Node, agent: str) -> AgentStatus:
    """The agent, who is free. Raises Refusal."""
    try:
        status = node.agents.current(agent)
    except LiveError as error:
        raise Refusal("away", "live state is away: nobody can be reserved") from error
    if status.state is not AgentState.AVAILABLE:
        raise Refusal("busy", f"agent {agent} is {status.state.value.replace('_', ' ')}")
    return status


def _free_agent(node: Node, queue: str, contact: Contact) -> AgentStatus:
    """The agent of a queue who has been idle longest and can be called now. Raises Refusal."""
    index, now = node.replica.index, node.now()
    asked = Waiting(contact.id, queue, node.name, arrived=now, entered=now)
    terms = index.config.terms(asked, now)
    fit = [index.agents[name] for name in (terms.fits if terms is not None else ()) if name in index.agents]
    free = [
        status
        for status in fit
        if status.state is AgentState.AVAILABLE and status.not_before <= now and index.reachable.get(status.name, True)
    ]
    if not free:
        raise Refusal("busy", f"nobody of queue {queue} is free")
    return min(free, key=lambda status: status.idle_since)


def _reserve(node: Node, agent: str, contact_id: str, until: float) -> str:
    """The reservation's token. Raises Refusal."""
    token, known = secrets.token_hex(8), _available(node, agent)
    try:
        status = node.agents.reserve(known, contact_id, "", token, until, waiting=None)
    except LiveError as error:
        raise Refusal("away", "live state is away: nobody can be reserved") from error
    if status is None:
        raise Refusal("busy", f"agent {agent} has just been taken by somebody else")
    return token


def _endpoint(node: Node, kind: str, target: str, contact: Contact) -> tuple[str, str, str, Party]:
    """(endpoint, agent, role, whom the phone shows)"""
    if kind == "agent":
        device = node.device(target)
        return device.endpoint, target, "agent", node.shown(device, contact.party)
    trunk = node.configuration.outbound_trunk or ""
    return f"{target}@{trunk}", "", "target", Party(node.site.trunks[trunk].caller_id)
