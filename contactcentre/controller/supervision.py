"""Supervisors who listen to calls, whisper to agents, barge in or take over: from their own phone, called once.

A supervisor's phone is in a room with a *spy* on the call. Another mode is another spy in the same room, so nobody is
called again; and with `follow` the next call of the same agent is another spy, too. Nothing of this is kept over a
restart: the supervisor's phone and the spies are then ended, and the calls go on.
"""

from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import gevent
import structlog
from gevent.event import AsyncResult
from gevent.queue import Empty, Queue

from contactcentre.controller.confirming import Confirming
from contactcentre.controller.contact import Asked, Contact
from contactcentre.controller.node import Node
from contactcentre.domain.events import Kind
from contactcentre.domain.ids import short, uuid7
from contactcentre.live import CommandFailed
from contactcentre.live.listens import LISTENERS
from contactcentre.pbx.errors import Gone, PbxError, Refused
from contactcentre.pbx.events import Answered, ChannelEvent, Ended, Party
from contactcentre.pbx.protocol import SPY, Bridge, Channel, Mode

log = structlog.get_logger(__name__)

RING_SECONDS = 30.0
"""For so long a supervisor's phone rings."""
LOOK = 0.5
"""Seconds after which a supervisor who waits for an agent's next call hears it at the latest."""
BEEP = "tone:beep"


@dataclass(slots=True)
class _Wish:
    """What the supervisor asks for: another mode, to take over, or the end."""

    what: str  # mode | takeover | stop
    mode: Mode = Mode.LISTEN
    answer: "AsyncResult[None]" = field(default_factory=lambda: AsyncResult())


@dataclass(frozen=True, slots=True)
class Aim:
    """What is listened to, exactly one of these: an agent's calls, a contact with whichever agent it talks, or a call
    that is not ours, by an endpoint or a channel of the PBX."""

    agent: str = ""
    contact: str = ""  # id
    endpoint: str = ""
    channel: str = ""  # id or name

    def __str__(self) -> str:
        return self.agent or (f"contact {short(self.contact)}" if self.contact else self.endpoint or self.channel)


@dataclass(frozen=True, slots=True)
class Ear:
    """A supervisor's phone."""

    name: str  # as it was asked for
    endpoint: str
    agent: str = ""  # whose it is
    key: str = ""  # that lets it listen after the answer: no answering machine ever hears a customer


@dataclass(frozen=True, slots=True)
class _Target:
    """The call that is listened to."""

    channel: str  # of the one who is whispered to
    contact: Contact | None  # None: no call of ours
    agent: str = ""  # who talks with the contact


class Supervision:
    """One supervisor's phone, and the call that it is in."""

    def __init__(
        self, node: Node, supervisor: str, ear: Ear, aim: Aim, mode: Mode, follow: bool, tell: bool = False
    ) -> None:
        """`tell`: the agent hears a beep when the supervisor comes, also where the site asks for none."""
        self.id = uuid7(node.now())
        self.tell = tell
        self.supervisor, self.ear, self.aim, self.mode, self.follow = supervisor, ear, aim, mode, follow
        self.state = "ringing"
        self._node = node
        self._inbox: Queue[ChannelEvent | _Wish] = Queue()
        self._leg = f"{self.id}.v1"
        self._channel: Channel | None = None
        self._bridge: Bridge | None = None
        self._spy: Channel | None = None
        self._spies = 0
        self._heard: _Target | None = None
        self._gave_away = False  # the supervisor's phone is a party of the contact now

    def told(self) -> dict[str, Any]:
        contact = self._heard.contact if self._heard is not None else None
        agent = self._heard.agent if self._heard is not None else ""
        return {
            "id": self.id,
            "supervisor": self.supervisor,
            "phone": self.ear.name,
            "agent": self.aim.agent or agent,
            "endpoint": self.aim.endpoint or self.aim.channel,
            "mode": self.mode.value,
            "follow": self.follow,
            "state": self.state,
            "contact": contact.id if contact is not None else self.aim.contact,
        }

    def wish(self, what: str, mode: Mode = Mode.LISTEN) -> None:
        """Returns when it is done. Raises CommandFailed."""
        if self._gave_away:
            raise CommandFailed("over", "the supervisor has the caller")
        wish = _Wish(what, mode)
        self._inbox.put_nowait(wish)
        try:
            wish.answer.get(timeout=10)
        except gevent.Timeout:
            raise CommandFailed("busy", "the supervision did not answer in time") from None

    # -- its greenlet -------------------------------------------------------------------------------------------------

    def call(self) -> None:
        """Lets the supervisor's phone ring. Raises CommandFailed."""
        node = self._node
        node.channels.add(self._leg)
        node.router.phones.listens(self.ear.agent, True)
        trunk = node.site.trunks.get(self.ear.endpoint.partition("@")[2])
        try:
            self._channel = node.pbx.call(
                self.ear.endpoint,
                channel_id=self._leg,
                inbox=self._inbox.put_nowait,
                contact_id=self.id,
                caller=Party(trunk.caller_id if trunk is not None else "", f"{self.mode.value} {self.aim}"),
                ring_seconds=RING_SECONDS,
            )
        except PbxError as error:
            node.channels.discard(self._leg)
            node.router.phones.listens(self.ear.agent, False)
            raise CommandFailed("unreachable", f"the phone {self.ear.name} cannot be called: {error}") from error

    def run(self) -> None:
        """To the supervisor's hanging up, or the end of the call."""
        reason = "left"
        try:
            if not self._answered():
                reason = "not answered"
                return
            reason = self._listen()
        except PbxError as error:
            log.info("supervision ended early", supervisor=self.supervisor, error=str(error))
            reason = "failed"
        finally:
            self._end(reason)

    def _answered(self) -> bool:
        until, confirming = self._node.now() + RING_SECONDS + 1, None
        while (left := until - self._node.now()) > 0:
            try:
                message = self._inbox.get(timeout=left)
            except Empty:
                return False
            match message:
                case Answered() if self._channel is not None and self.ear.key:
                    confirming = Confirming(self._node.now(), self._new_id, self._channel, self.ear.key)
                    until = confirming.until
                case Answered():
                    self.state = "waiting"
                    return True
                case _ if confirming is not None and confirming.takes(message):
                    self.state = "waiting"
                    return True
                case Ended():
                    return False
                case _Wish(what="stop"):
                    message.answer.set(None)
                    return False
                case _Wish():
                    message.answer.set_exception(CommandFailed("not_answered", "the supervisor's phone rings still"))
        return False

    def _listen(self) -> str:
        """Why it ended."""
        assert self._channel is not None
        self._bridge = self._node.pbx.bridge(f"{self.id}.s")
        self._bridge.add(self._channel)
        while True:
            if self._spy is None and (target := self._target()) is not None:
                self._attach(target)
            if self._spy is None and not self.follow and self.aim.contact not in self._node.contacts:
                return "the call is over"
            try:
                message = self._inbox.get(timeout=LOOK if self._spy is None else None)
            except Empty:
                continue
            match message:
                case Ended(channel_id=self._leg):
                    return "left"
                case Ended(channel_id=spy) if self._spy is not None and spy == self._spy.id:
                    self._detach("the call is over")
                case _Wish(what="stop"):
                    message.answer.set(None)
                    return "left"
                case _Wish():
                    try:
                        self._do(message)
                    except CommandFailed as failed:
                        message.answer.set_exception(failed)
                    except PbxError as error:
                        message.answer.set_exception(CommandFailed("pbx", str(error)))
                    else:
                        message.answer.set(None)
                    if self._gave_away:
                        return "took over"

    def _target(self) -> _Target | None:
        """The call to listen to, if there is one now."""
        aim, contacts = self.aim, self._node.contacts
        if aim.agent or aim.contact:
            for contact in contacts.values() if aim.agent else [contacts[c] for c in (aim.contact,) if c in contacts]:
                now = contact.now
                if (not aim.agent or now.agent == aim.agent) and now.state == "talking" and contact.in_talk:
                    return _Target(now.channels.get("agent", ""), contact, now.agent) if now.agent else None
            return None
        for info in self._node.pbx.inventory().channels.values():
            meant = info.endpoint == aim.endpoint if aim.endpoint else aim.channel in (info.id, info.name)
            if info.up and meant:
                ours = next((one for one in contacts.values() if info.id in one.now.channels.values()), None)
                return _Target(info.id, ours, ours.now.agent if ours is not None else "")
        return None

    @property
    def has_call(self) -> bool:
        """Is there something to hear now? Raises PbxError."""
        return self._target() is not None

    def _attach(self, target: _Target) -> None:
        assert self._bridge is not None
        try:
            self._spy = self._new_spy(target.channel, self.mode)
            self._bridge.add(self._spy)
        except Gone:  # it is just over
            self._spy = None
            gevent.sleep(LOOK / 5)
            return
        self._heard, self.state = target, "listening"
        if (contact := target.contact) is not None:
            told = {"supervisor": self.supervisor, "agent": target.agent, "mode": self.mode.value}
            contact.emit(Kind.SUPERVISED, **told, leg=self._leg)
            self._show(contact)
            if self.tell or self._node.site.settings.supervision_tone:
                with suppress(Gone, Refused):
                    channel = self._node.pbx.adopt(target.channel, contact.post)
                    channel.play(contact.new_id("p"), [BEEP])

    def _show(self, contact: Contact, there: bool = True) -> None:
        """The contact's record says who listens."""
        others = [one for one in contact.now.detail.get(LISTENERS, []) if one["id"] != self.id]
        agent = self._heard.agent if self._heard is not None else ""
        mine = {"id": self.id, "supervisor": self.supervisor, "agent": agent, "mode": self.mode.value}
        contact.note(**{LISTENERS: [*others, mine] if there else others})

    def _new_id(self) -> str:
        self._spies += 1
        return f"{self.id}.p{self._spies}"

    def _new_spy(self, channel_id: str, mode: Mode) -> Channel:
        self._spies += 1
        name = f"{SPY}{self.id}-{self._spies}"
        self._node.spies.add(name)
        return self._node.pbx.spy(channel_id, spy_id=name, mode=mode, inbox=self._inbox.put_nowait)

    def _detach(self, reason: str) -> None:
        if self._heard is not None and (contact := self._heard.contact) is not None and not contact.over:
            told = {"supervisor": self.supervisor, "agent": self._heard.agent, "reason": reason}
            contact.emit(Kind.SUPERVISION_ENDED, **told)
            self._show(contact, there=False)
        if self._spy is not None:
            self._node.spies.discard(self._spy.id)
            with suppress(PbxError):
                self._spy.hangup()
        self._heard, self._spy, self.state = None, None, "waiting"

    def _do(self, wish: _Wish) -> None:
        if wish.what == "mode":
            self._change(wish.mode)
        elif wish.what == "takeover":
            self._take_over()
        else:
            raise CommandFailed("unknown_verb", f"{wish.what!r} is nothing that a supervisor can ask for")

    def _change(self, mode: Mode) -> None:
        if self._heard is None or self._spy is None or self._bridge is None:
            self.mode = mode
            return
        other = self._new_spy(self._heard.channel, mode)
        self._bridge.add(other)
        old, self._spy, self.mode = self._spy, other, mode
        self._node.spies.discard(old.id)
        old.hangup()
        if self._heard.contact is not None:
            told = {"supervisor": self.supervisor, "agent": self._heard.agent, "mode": mode.value}
            self._heard.contact.emit(Kind.SUPERVISION_CHANGED, **told)
            self._show(self._heard.contact)

    def _take_over(self) -> None:
        """The supervisor has the customer, the agent is out."""
        if self._heard is None or self._heard.contact is None:
            raise CommandFailed("no_call", "there is no call of ours to take over")
        contact = self._heard.contact
        asked = Asked("takeover", {"leg": self._leg, "supervisor": self.supervisor}, "supervisor")
        contact.post(asked)
        try:
            asked.answer.get(timeout=10)
        except gevent.Timeout:
            raise CommandFailed("busy", "the call did not answer in time") from None
        self._gave_away = True

    def _end(self, reason: str) -> None:
        contact = self._heard.contact if self._heard is not None else None
        self._detach(reason)
        self.state = "over"
        if self._channel is not None and not self._gave_away:
            with suppress(PbxError):
                self._channel.hangup()
        if self._bridge is not None:
            with suppress(PbxError):
                self._bridge.destroy()
        while self._gave_away and contact is not None and not contact.over:
            if self._leg not in contact.now.channels.values():
                break
            gevent.sleep(LOOK)  # no contact is offered to a supervisor who talks with this one
        self._node.router.phones.listens(self.ear.agent, False)
        self._node.channels.discard(self._leg)
        while True:
            try:
                left = self._inbox.get_nowait()
            except Empty:
                return
            if isinstance(left, _Wish):
                left.answer.set_exception(CommandFailed("over", "the supervision is over"))
