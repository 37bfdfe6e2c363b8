"""An agent calls somebody: the agent's own phone rings first, then the customer's, and the two talk.

It is a contact like any other, whose *caller* is the customer, though it is us who call that one: once the two hear
each other it goes on as if the customer had called. Until then nothing is taken up: whatever cuts a controller off ends
the attempt, as whoever asked asks again.
"""

import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog
from gevent.event import AsyncResult

from contactcentre.controller import confirming, conversing
from contactcentre.controller.conduct import Conductor, Found
from contactcentre.controller.contact import SUSPENDING, Asked, CallerGone, Contact
from contactcentre.controller.node import Node
from contactcentre.controller.offers import under_way, who_left
from contactcentre.controller.parties import RING_SECONDS, check_number
from contactcentre.controller.places import ears
from contactcentre.controller.talk import Talk
from contactcentre.domain.agents import NotAllowed, Verb
from contactcentre.domain.conversation import Refusal
from contactcentre.domain.devices import Kind as DeviceKind
from contactcentre.domain.events import Direction, Kind, Outcome
from contactcentre.domain.flows import actions as act
from contactcentre.domain.flows.calling import CALLING
from contactcentre.domain.flows.walk import Walker
from contactcentre.live import LiveError
from contactcentre.live.calls import DIALLING
from contactcentre.pbx.errors import Deadline, Gone, LinkDown, PbxError, Refused
from contactcentre.pbx.events import Answered, Cause, Ended, Party, PlaybackEnded
from contactcentre.pbx.protocol import Channel

log = structlog.get_logger(__name__)

CUSTOMER_SECONDS = 60.0
"""For so long a customer's phone rings."""

SLACK = 15.0
"""Seconds more for which the agent is reserved: what the PBX takes, twice, and the tone at the end."""

ERROR, ERROR_SECONDS = "sound:beeperr", 3.0


def call_out(node: Node, args: Mapping[str, Any]) -> "Dialler":
    """What conducts the contact in which an agent calls a number. `args`: agent, number; queue (whose rules count, or
    ""), name (the customer's, if known), about (an earlier contact, or ""). Raises Refusal."""
    agent, queue = str(args.get("agent", "")), str(args.get("queue", ""))
    if agent not in node.site.agents:
        raise Refusal("no_such_target", f"the site has no agent {agent[:40]!r}")
    if queue and queue not in node.site.queues:
        raise Refusal("no_such_target", f"the site has no queue {queue[:40]!r}")
    number, at = check_number(node, str(args.get("number", ""))), node.now()
    customer = Party(number, str(args.get("name", "")))
    contact = Contact.new(node, channel_id="", did="", caller=customer, flow=CALLING.name, at=at, answered=False)
    walker = partial(node.configuration.walker, CALLING.name, {}, contact.language)
    wish = Wish(agent, secrets.token_hex(8), queue, str(args.get("about", ""))[:40])
    return Dialler(contact, walker, answered=False, wish=wish)


@dataclass(frozen=True, slots=True)
class Wish:
    """Who calls, to be reserved by this token; for which queue, and about which earlier contact ("" = none)."""

    agent: str
    token: str
    queue: str
    about: str


class Dialler(Conductor):
    """Of one contact that an agent has begun."""

    def __init__(
        self,
        contact: Contact,
        make_walker: Callable[[], Walker],
        *,
        answered: bool,
        found: Found | None = None,
        wish: Wish | None = None,
    ) -> None:
        """`wish`: it begins now."""
        super().__init__(contact, make_walker, answered=answered, found=found)
        self._wish = wish
        self.reserved: AsyncResult[None] = AsyncResult()
        """Set when the agent is, or a Refusal when that one cannot be; then there is no contact."""

    def run(self) -> None:
        if self._reserve():
            super().run()
        else:
            self.contact.node.agents.release(self.contact.id)
            self.contact.node.saver.put(self.contact.id, None)

    def _reserve(self) -> bool:
        """Whether the contact exists. Who sees that the agent is reserved finds the contact, too."""
        contact, wish = self.contact, self._wish
        node = contact.node
        if wish is None:
            return contact.seq > 0  # else an earlier controller was killed before anything had happened
        offers = {contact.new_id("a"): {"agent": wish.agent, "token": wish.token}}
        detail = {**contact.now.detail, "direction": Direction.OUTBOUND.value, "offers": offers}
        contact.save(state=DIALLING, agent=wish.agent, queue=wish.queue, detail=detail)
        seconds = RING_SECONDS + confirming.SECONDS + CUSTOMER_SECONDS + SLACK
        try:
            node.saver.flush()
            node.agents.dial(wish.agent, contact.id, wish.queue, wish.token, node.now() + seconds)
        except NotAllowed as refused:
            state = refused.state.value.replace("_", " ")
            self.reserved.set_exception(Refusal("busy", f"agent {wish.agent} is {state}"))
            return False
        except LiveError:
            self.reserved.set_exception(Refusal("away", "live state is away: nobody can be reserved"))
            return False
        self.reserved.set(None)
        return True

    def _adopt(self) -> None:
        if self._found is not None:
            super()._adopt()

    def _begin(self) -> act.Result:
        contact = self.contact
        contact.outcome = Outcome.NOT_REACHED
        self._arrive()
        self.walker.step(act.Resume(), contact.node.now())  # what follows the call is then the flow's
        contact.in_talk = True  # the agent's wish to hang up is for us
        ((leg, offer),) = under_way(contact).items()
        try:
            phone = self._ring_agent(leg, offer["agent"])
            self._ring_customer(phone)
            self._join(phone)
        except SUSPENDING:
            raise
        except Exception as error:
            self._give_up(error)
            raise
        finally:
            contact.in_talk = False
            contact.refuse_asked("over", "the call has ended")
        return self._converse(leg, offer)

    def _arrive(self) -> None:
        contact, wish = self.contact, self._wish
        assert wish is not None
        contact.emit(
            Kind.ARRIVED,
            node=contact.node.name,
            channel=contact.caller_id,
            did="",
            caller=contact.now.caller,
            caller_name=contact.now.caller_name,
            flow="",
            language=contact.language,
            waited=0.0,
            direction=Direction.OUTBOUND.value,
            agent=wish.agent,
            queue=wish.queue,
            about=wish.about,
        )
        contact.save(flow_state=self.walker.save())

    # -- until the two hear each other --------------------------------------------------------------------------------

    def _ring_agent(self, leg: str, agent: str) -> Channel:
        """The agent's phone, answered. Raises CallerGone, Suspended."""
        contact, node = self.contact, self.contact.node
        device = node.device(agent)
        contact.emit(Kind.LEG_STARTED, leg=leg, role="agent", endpoint=device.endpoint, agent=agent)
        contact.save(channels={"caller": contact.caller_id, "agent": leg})
        shown = node.shown(device, contact.party)
        phone = self._call(
            leg, device.endpoint, shown, RING_SECONDS, by="agent", at_once=device.kind is DeviceKind.WEBRTC
        )
        until, asked = node.now() + RING_SECONDS, None
        while node.now() < until:
            match message := contact.next(until):
                case Answered(channel_id=phone.id):
                    contact.emit(Kind.LEG_ANSWERED, leg=leg)
                    if not device.key:
                        return phone
                    asked = confirming.Confirming(node.now(), partial(contact.new_id, "p"), phone, device.key)
                    until = asked.until
                case Ended(channel_id=phone.id, cause=cause):
                    self._over(leg, cause)
                case Asked() if not message.refused:
                    self._answer_asked(message)
                case _ if asked is not None and asked.takes(message):
                    return phone
        raise CallerGone(Cause.NO_ANSWER, by="agent")

    def _ring_customer(self, phone: Channel) -> None:
        """Until the customer's phone is answered; the agent hears that it rings. Raises CallerGone, Suspended."""
        contact, node = self.contact, self.contact.node
        trunk = node.configuration.outbound_trunk or ""
        endpoint, shown = f"{contact.now.caller}@{trunk}", Party(node.site.trunks[trunk].caller_id)
        contact.emit(Kind.LEG_STARTED, leg=contact.caller_id, role="caller", endpoint=endpoint, agent="")
        contact.note(called=True)
        self._ears(phone, lambda ear: ear.ring())
        contact.caller = self._call(contact.caller_id, endpoint, shown, CUSTOMER_SECONDS, by="caller", beside=phone.id)
        until = node.now() + CUSTOMER_SECONDS
        while node.now() < until:
            match message := contact.next(until):
                case Answered(channel_id=contact.caller_id):
                    contact.emit(Kind.ANSWERED)
                    contact.emit(Kind.LEG_ANSWERED, leg=contact.caller_id)
                    contact.note(answered=True)
                    return self._ears(phone, lambda ear: ear.stop_ringing())
                case Ended(channel_id=phone.id, cause=cause):
                    self._over(phone.id, cause)
                case Asked() if not message.refused:
                    self._answer_asked(message)
        raise CallerGone(Cause.NO_ANSWER)

    def _ears(self, phone: Channel, do: Callable[[Channel], None]) -> None:
        with suppress(Gone, Refused):  # its end is on its way
            do(ears(self.contact, phone.id))

    def _call(
        self,
        leg: str,
        endpoint: str,
        shown: Party,
        seconds: float,
        *,
        by: str,
        at_once: bool = False,
        beside: str = "",
    ) -> Channel:
        contact = self.contact
        try:
            return contact.node.pbx.call(
                endpoint,
                channel_id=leg,
                inbox=contact.post,
                contact_id=contact.id,
                caller=shown,
                ring_seconds=seconds,
                auto_answer=at_once,
                beside=beside,
            )
        except (LinkDown, Deadline):
            raise
        except PbxError as error:
            raise CallerGone(Cause.UNREACHABLE, by) from error

    def _join(self, phone: Channel) -> None:
        contact = self.contact
        try:
            contact.bridge().add(contact.caller, phone, absorb=contact.reads_keys)
        except (Gone, Refused):  # refused is what is just about to be gone
            self._over(phone.id, who_left(contact, phone.id))
        ((_, offer),) = under_way(contact).items()
        if not contact.node.agents.change(offer["agent"], Verb.ACCEPT, token=offer["token"]):
            raise CallerGone(Cause.NORMAL, by="system")  # the reservation is over, and the agent somebody else's

    def _over(self, leg: str, cause: Cause) -> None:
        """The agent's phone has hung up, or was never answered."""
        self.contact.emit(Kind.LEG_ENDED, leg=leg, cause=int(cause))
        raise CallerGone(cause, by="agent")

    def _answer_asked(self, asked: Asked) -> None:
        if asked.verb != "leave":
            return asked.refuse("not_talking", "the customer has not answered yet")
        asked.answer.set({"contact": self.contact.id, "state": "over", "slot": "", "recording": "", "parties": []})
        raise CallerGone(Cause.NORMAL, by="agent")

    def _give_up(self, error: Exception | None = None) -> None:
        """Ends what was begun, and lets the agent go on; who waits at the phone hears that nobody was reached."""
        contact, node = self.contact, self.contact.node
        called = bool(contact.now.detail.get("called"))
        if called:
            node.hang_up(contact.caller_id)
        else:
            contact.told.add((Kind.LEG_ENDED, contact.caller_id))  # which was never there
        for leg, offer in under_way(contact).items():
            if called and isinstance(error, CallerGone) and error.by == "caller":
                self._tell(leg)
            node.hang_up(leg)
            if "agent" in contact.now.channels:
                contact.emit(Kind.LEG_ENDED, leg=leg, cause=int(Cause.NORMAL))
            if not node.agents.change(offer["agent"], Verb.RELEASE, token=offer["token"]):
                node.agents.change(offer["agent"], Verb.FINISH, token=offer["token"], wrap_up=0.0)  # had accepted
        contact.save(agent="", channels={"caller": contact.caller_id}, detail={**contact.now.detail, "offers": {}})

    def _tell(self, leg: str) -> None:
        contact = self.contact
        try:
            hears = ears(contact, leg)
            hears.stop_ringing()
            playback, until = contact.new_id("p"), contact.node.now() + ERROR_SECONDS
            hears.play(playback, [ERROR])
            while contact.node.now() < until:
                match contact.next(until):
                    case PlaybackEnded(playback_id=ended) if ended == playback:
                        return
                    case Ended(channel_id=ended) if ended == leg:
                        return
                    case Asked() as asked:
                        asked.refuse("over", "the call has ended")
        except (Gone, Refused, CallerGone):
            return

    # -- the conversation ---------------------------------------------------------------------------------------------

    def _converse(self, leg: str, offer: Mapping[str, str]) -> act.Result:
        return conversing.converse(self._joined(leg, offer)) or act.Transferred()

    def _joined(self, leg: str, offer: Mapping[str, str]) -> Talk:
        """The agent and the customer hear each other from now on."""
        joined = conversing.Joined(offer["agent"], offer["token"], self.contact.now.queue, leg)
        return conversing.begin(self.contact, joined)

    def _take_up(self, found: Found) -> act.Result | None:
        contact, node = self.contact, self.contact.node
        if contact.now.state != DIALLING:
            return super()._take_up(found)
        contact.outcome = Outcome.NOT_REACHED
        offer = under_way(contact).get(found.joined)
        if offer is None:
            self._give_up()
            node.agents.release(contact.id)
            raise CallerGone(Cause.UNKNOWN, by="system")
        # suspended in the moment when the two were connected
        node.agents.found(offer["agent"], contact.id, contact.now.queue, offer["token"])
        contact.emit(Kind.LEG_ANSWERED, leg=found.joined)
        self._joined(found.joined, offer)
        return conversing.resume(contact, found.there, found.together) or act.Transferred()

    def _repeat(self, action: act.Action, was: Any) -> act.Result:
        if self.walker.flow.name == CALLING.name and self.walker.node == CALLING.start:
            return act.Transferred()  # they have talked
        return super()._repeat(action, was)

    def _fail(self, error: Exception) -> None:
        if self.contact.now.state != DIALLING:
            return super()._fail(error)
        log.error("contact failed", contact_id=self.contact.id, exc_info=error)
        self.contact.outcome = Outcome.LOST
        with suppress(Gone, Refused):
            self._give_up()
        return self._end(Cause.FAILURE, "system")
