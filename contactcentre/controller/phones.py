"""Which agents' phones can ring: what the PBX says of them, open lines, and phones that hear somebody else's call."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from contactcentre.controller.node import Node
from contactcentre.domain.devices import Device, Kind
from contactcentre.pbx.events import Phone


@dataclass(frozen=True, slots=True)
class NotFree:
    phone: Phone
    since: float  # epoch seconds


class Phones:
    """A change is a look at the agents whom it concerns only: a thousand phones register one after the other."""

    def __init__(self, node: Node, moved: Callable[[], None]) -> None:
        """`moved`: somebody may be called now who could not be before, or the other way round."""
        self._node, self._moved = node, moved
        self._said: dict[str, Phone] = {}  # by account; one that is not there is free
        self._devices: dict[str, Device] = {}  # agent -> by what that one is called
        self._called: dict[str, set[str]] = {}  # account -> the agents who are called by it
        self._listening: set[str] = set()  # agents whose phones hear somebody else's call
        self.lines: set[str] = set()
        """Agents who have an open line here."""
        self.not_free: dict[str, NotFree] = {}
        """Agents whose phone is not free, and since when."""

    def of(self, account: str) -> Phone:
        """What the PBX said last of a SIP account."""
        return self._said.get(account, Phone.FREE)

    def knows(self, account: str) -> bool:
        """Whether the PBX has this SIP account."""
        return account in self._said

    def reach(self, phones: Mapping[str, Phone]) -> None:
        """What the PBX says of its accounts: a look at everybody."""
        self._said.update(phones)
        self.configure()

    def told(self, account: str, phone: Phone) -> None:
        """What the PBX says of one account: a look at who is called by it."""
        self._said[account] = phone
        self._look(self._called.get(account, ()))

    def line(self, agent: str, *, open_: bool) -> None:
        """The agent's open line is there, or is not."""
        if open_ is not (agent in self.lines):
            self.lines ^= {agent}
            self._look([agent])

    def listens(self, agent: str, does: bool) -> None:
        """The agent's phone hears somebody else's call, or does not any more. "" = nobody's phone."""
        if agent and does is not (agent in self._listening):
            self._listening ^= {agent}
            self._look([agent])

    def device(self, agent: str) -> None:
        """The agent's record has changed: perhaps also by what that one is called."""
        if agent in self._devices and self._devices[agent] != self._node.device(agent):
            self._look([agent])

    def configure(self) -> None:
        """The node has another version of the site."""
        agents, index = self._node.site.agents, self._node.replica.index
        for name in (self.not_free.keys() | index.reachable.keys() | self._devices.keys()) - agents.keys():
            self.not_free.pop(name, None)
            index.reach(name, can=True)
            if device := self._devices.pop(name, None):
                self._called[device.account].discard(name)
        self._look(agents)

    def _look(self, agents: Iterable[str]) -> None:
        node, now = self._node, self._node.now()
        in_use_too = node.site.settings.offer_while_in_use
        for name in [one for one in agents if one in node.site.agents]:
            device = self._device(name)
            phone = self.of(device.account)
            if device.line and name not in self.lines:
                phone = Phone.AWAY
            elif phone is Phone.IN_USE and device.kind is Kind.EXTERNAL:  # the trunk's other calls
                phone = Phone.FREE
            if phone is Phone.FREE and name in self._listening:
                phone = Phone.IN_USE
            if phone is Phone.FREE:
                self.not_free.pop(name, None)
            elif (before := self.not_free.get(name)) is None or before.phone is not phone:
                self.not_free[name] = NotFree(phone, now)
            can = phone is Phone.FREE or (phone is Phone.IN_USE and in_use_too)
            node.replica.index.reach(name, can=can)
        self._moved()

    def _device(self, agent: str) -> Device:
        """By what the agent is called now; from here on it is known who is called by that account."""
        device, before = self._node.device(agent), self._devices.get(agent)
        if device != before:
            if before is not None:
                self._called[before.account].discard(agent)
            self._devices[agent] = device
            self._called.setdefault(device.account, set()).add(agent)
        return device
