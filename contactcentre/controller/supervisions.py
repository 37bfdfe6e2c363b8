"""All supervisions of a node, and what can be asked for them. See `controller.supervision`."""

from collections.abc import Callable, Iterator
from typing import Any

from contactcentre.controller.node import Node
from contactcentre.controller.parties import check_number
from contactcentre.controller.supervision import Aim, Ear, Supervision
from contactcentre.domain.conversation import Refusal
from contactcentre.domain.devices import CONFIRM
from contactcentre.live import CommandFailed
from contactcentre.pbx.protocol import Mode

MOST = 100
"""Supervisors who listen at a node at the same time."""


class Supervisions:
    def __init__(self, node: Node, spawn: Callable[[str, Callable[[], None]], object]) -> None:
        self._node, self._spawn = node, spawn
        self._running: dict[str, Supervision] = {}

    def __contains__(self, id: str) -> bool:
        return id in self._running

    def __iter__(self) -> Iterator[Supervision]:
        return iter(list(self._running.values()))

    def command(self, args: dict[str, Any]) -> dict[str, Any]:
        """What the command `supervise` asks for. Raises CommandFailed."""
        action = str(args.get("action", ""))
        if action == "list":
            return {"supervisions": [one.told() for one in self]}
        if action == "start":
            return self._asked(args).told()
        one = self._running.get(str(args.get("id", "")))
        if one is None:
            raise CommandFailed("not_found", "no such supervision at this node")
        one.wish(action, _mode(args) if action == "mode" else Mode.LISTEN)
        return one.told()

    def start(self, supervisor: str, ear: Ear, aim: Aim, mode: Mode, follow: bool, tell: bool = False) -> Supervision:
        """Lets the supervisor's phone ring. Raises CommandFailed."""
        if len(self._running) >= MOST:
            raise CommandFailed("too_many", f"{MOST} supervisors listen already")
        for other in self:
            if other.ear.endpoint == ear.endpoint:
                raise CommandFailed("listens_already", f"the phone {ear.name} listens to {other.aim} already")
        one = Supervision(self._node, supervisor, ear, aim, mode, follow, tell)
        if not follow and not one.has_call:
            raise CommandFailed("no_call", f"{aim} has no call now; follow waits for the next one")
        one.call()
        self._running[one.id] = one
        self._spawn(f"supervision {one.id}", lambda: self._run(one))
        return one

    def _asked(self, args: dict[str, Any]) -> Supervision:
        node = self._node
        aim = Aim(**{name: str(args.get(name, "")) for name in ("agent", "contact", "endpoint", "channel")})
        if sum(map(bool, (aim.agent, aim.contact, aim.endpoint, aim.channel))) != 1:
            raise CommandFailed(
                "wrong_target", "an agent, a contact, or an endpoint or channel of the PBX: one of them"
            )
        if aim.agent and aim.agent not in node.site.agents:
            raise CommandFailed("no_such_target", f"the site has no agent {aim.agent[:40]!r}")
        if aim.contact and aim.contact not in node.contacts:
            raise CommandFailed("not_found", "no such live contact on this node")
        ear = ear_of(node, str(args.get("phone", "")))
        contact = node.contacts.get(aim.contact)
        whose = contact.now.agent if contact is not None else aim.agent
        if ear.agent and ear.agent == whose:
            raise CommandFailed("oneself", f"{ear.agent}'s own phone is in this call: another phone is needed")
        follow = bool(args.get("follow"))
        if follow and aim.contact:
            aim = Aim(agent=whose)
        return self.start(str(args.get("supervisor", "")), ear, aim, _mode(args), follow)

    def _run(self, one: Supervision) -> None:
        try:
            one.run()
        finally:
            del self._running[one.id]


def ear_of(node: Node, phone: str) -> Ear:
    """A supervisor's phone: an agent's name, an endpoint of the PBX, or number:N outside, where the site allows that.
    Raises CommandFailed: whoever steals an account must not call at our expense."""
    kind, colon, number = phone.partition(":")
    if kind == "number" and colon:
        try:
            number = check_number(node, number)
        except Refusal as refusal:
            raise CommandFailed(refusal.code, str(refusal)) from None
        return Ear(phone, f"{number}@{node.configuration.outbound_trunk}", key=CONFIRM)
    if phone in node.site.agents:
        device = node.device(phone)
        return Ear(phone, device.endpoint, phone, device.key)
    if not node.router.phones.knows(phone) or phone in node.site.trunks:
        raise CommandFailed("wrong_phone", f"{phone[:40]!r} is no phone: an agent, an endpoint of the PBX, or number:N")
    return Ear(phone, phone, node.configuration.agent_of_endpoint.get(phone, ""))


def _mode(args: dict[str, Any]) -> Mode:
    try:
        return Mode(str(args.get("mode", "listen")))
    except ValueError:
        raise CommandFailed("wrong_mode", f"mode {args.get('mode')!r}: must be listen, whisper or barge") from None
