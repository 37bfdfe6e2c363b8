"""Supervisors who listen to calls, whisper to agents, barge in or take over: from their own phone, called once.

A supervisor's phone is in a room with a *spy* on the call. Another mode is another spy in the same room, so nobody is
called again; and with `follow` the next call of the same agent is another spy, too. Nothing of this is kept over a
restart: the supervisor's phone and the spies are then ended, and the calls go on.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import gevent
import structlog
from gevent.event import AsyncResult
from gevent.queue import Empty, Queue

from contactcentre.controller.contact import Asked, Contact
from contactcentre.controller.node import Node
from contactcentre.domain.events import Kind
from contactcentre.domain.ids import uuid7
from contactcentre.live import CommandFailed
from contactcentre.pbx.errors import Gone, PbxError, Refused
from contactcentre.pbx.events import Answered, ChannelEvent, Ended, Party
from contactcentre.pbx.protocol import SPY, Bridge, Channel, Mode

log = structlog.get_logger(__name__)

RING_SECONDS = 30.0
"""For so long a supervisor's phone rings."""
LOOK = 0.5
"""Seconds after which a supervisor who waits for an agent's next call hears it at the latest."""
MOST = 100
"""Supervisors who listen at a node at the same time."""
BEEP = "tone:beep"


@dataclass(slots=True)
class _Wish:
    """What the supervisor asks for: another mode, to take over, or the end."""

    what: str  # mode | takeover | stop
    mode: Mode = Mode.LISTEN
    answer: "AsyncResult[None]" = field(default_factory=lambda: AsyncResult())


@dataclass(frozen=True, slots=True)
class _Target:
    """The call that is listened to."""

    channel: str  # of the one who is whispered to
    contact: Contact | None  # None: no call of ours


class Supervision:
    """One supervisor at one agent's, or at one endpoint's of the PBX that is no agent's of ours."""

    def __init__(self, node: Node, supervisor: str, phone: str, agent: str, endpoint: str, mode: Mode, follow: bool):
        self.id = uuid7(node.now())
        self.supervisor, self.phone, self.agent, self.endpoint = supervisor, phone, agent, endpoint
        self.mode, self.follow = mode, follow
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
        return {
            "id": self.id,
            "supervisor": self.supervisor,
            "phone": self.phone,
            "agent": self.agent,
            "endpoint": self.endpoint,
            "mode": self.mode.value,
            "follow": self.follow,
            "state": self.state,
            "contact": contact.id if contact is not None else "",
        }

    def wish(self, what: str, mode: Mode = Mode.LISTEN) -> None:
        """Returns when it is done. Raises CommandFailed."""
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
        try:
            self._channel = node.pbx.call(
                self.phone,
                channel_id=self._leg,
                inbox=self._inbox.put_nowait,
                contact_id=self.id,
                caller=Party("", f"{self.mode.value} {self.agent or self.endpoint}"),
                ring_seconds=RING_SECONDS,
            )
        except PbxError as error:
            node.channels.discard(self._leg)
            raise CommandFailed("unreachable", f"the phone {self.phone} cannot be called: {error}") from error

    def run(self) -> None:
        """To the supervisor's hanging up, or the end of the call."""
        reason = "left"
        try:
            if not self._answered():
                reason = "not answered"
                return
            reason = self._listen()
        except (Gone, Refused) as error:
            log.info("supervision ended early", supervisor=self.supervisor, error=str(error))
            reason = "failed"
        finally:
            self._end(reason)

    def _answered(self) -> bool:
        until = self._node.now() + RING_SECONDS + 1
        while (left := until - self._node.now()) > 0:
            try:
                message = self._inbox.get(timeout=left)
            except Empty:
                return False
            match message:
                case Answered():
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
            if self._spy is None and not self.follow:
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
        if self.agent:
            for contact in self._node.contacts.values():
                if contact.now.agent == self.agent and contact.now.state == "talking" and contact.in_talk:
                    return _Target(contact.now.channels.get("agent", ""), contact)
            return None
        for info in self._node.pbx.inventory().channels.values():
            if info.endpoint == self.endpoint and info.up:
                return _Target(info.id, None)
        return None

    def _attach(self, target: _Target) -> None:
        assert self._bridge is not None
        try:
            self._spy = self._new_spy(target.channel, self.mode)
            self._bridge.add(self._spy)
        except (Gone, Refused):  # it is just over
            self._spy = None
            gevent.sleep(LOOK / 5)
            return
        self._heard, self.state = target, "listening"
        if target.contact is not None:
            target.contact.emit(
                Kind.SUPERVISED, supervisor=self.supervisor, agent=self.agent, mode=self.mode.value, leg=self._leg
            )
            if self._node.site.settings.supervision_tone:
                with suppress(Gone, Refused):
                    channel = self._node.pbx.adopt(target.channel, target.contact.post)
                    channel.play(target.contact.new_id("p"), [BEEP])

    def _new_spy(self, channel_id: str, mode: Mode) -> Channel:
        self._spies += 1
        name = f"{SPY}{self.id}-{self._spies}"
        self._node.spies.add(name)
        return self._node.pbx.spy(channel_id, spy_id=name, mode=mode, inbox=self._inbox.put_nowait)

    def _detach(self, reason: str) -> None:
        if self._heard is not None and self._heard.contact is not None:
            self._heard.contact.emit(
                Kind.SUPERVISION_ENDED, supervisor=self.supervisor, agent=self.agent, reason=reason
            )
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
            self._heard.contact.emit(
                Kind.SUPERVISION_CHANGED, supervisor=self.supervisor, agent=self.agent, mode=mode.value
            )

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
        self._detach(reason)
        self.state = "over"
        if self._channel is not None and not self._gave_away:
            with suppress(PbxError):
                self._channel.hangup()
        if self._bridge is not None:
            with suppress(PbxError):
                self._bridge.destroy()
        self._node.channels.discard(self._leg)
        while True:
            try:
                left = self._inbox.get_nowait()
            except Empty:
                return
            if isinstance(left, _Wish):
                left.answer.set_exception(CommandFailed("over", "the supervision is over"))


class Supervisions:
    """All supervisions of a node."""

    def __init__(self, node: Node, spawn: Callable[[str, Callable[[], None]], object]) -> None:
        self._node, self._spawn = node, spawn
        self._running: dict[str, Supervision] = {}

    def __contains__(self, id: str) -> bool:
        return id in self._running

    def __iter__(self) -> Iterator[Supervision]:
        return iter(self._running.values())

    def command(self, args: dict[str, Any]) -> dict[str, Any]:
        """What the command `supervise` asks for. Raises CommandFailed."""
        action = str(args.get("action", ""))
        if action == "list":
            return {"supervisions": [one.told() for one in self]}
        if action == "start":
            return self._start(args)
        one = self._running.get(str(args.get("id", "")))
        if one is None:
            raise CommandFailed("not_found", "no such supervision at this node")
        one.wish(action, _mode(args) if action == "mode" else Mode.LISTEN)
        return one.told()

    def _start(self, args: dict[str, Any]) -> dict[str, Any]:
        agent, endpoint = str(args.get("agent", "")), str(args.get("endpoint", ""))
        if bool(agent) is bool(endpoint):
            raise CommandFailed("wrong_target", "either an agent or an endpoint of the PBX is listened to")
        if agent and agent not in self._node.site.agents:
            raise CommandFailed("no_such_target", f"the site has no agent {agent[:40]!r}")
        if len(self._running) >= MOST:
            raise CommandFailed("too_many", f"{MOST} supervisors listen already")
        phone = str(args.get("phone", ""))
        phone = self._node.device(phone).endpoint if phone in self._node.site.agents else phone
        one = Supervision(
            self._node, str(args.get("supervisor", "")), phone, agent, endpoint, _mode(args), bool(args.get("follow"))
        )
        if not one.follow and one._target() is None:
            raise CommandFailed("no_call", f"{agent or endpoint} has no call now; follow waits for the next one")
        one.call()
        self._running[one.id] = one
        self._spawn(f"supervision {one.id}", lambda: self._run(one))
        return one.told()

    def _run(self, one: Supervision) -> None:
        try:
            one.run()
        finally:
            del self._running[one.id]


def _mode(args: dict[str, Any]) -> Mode:
    try:
        return Mode(str(args.get("mode", "listen")))
    except ValueError:
        raise CommandFailed("wrong_mode", f"mode {args.get('mode')!r}: must be listen, whisper or barge") from None
