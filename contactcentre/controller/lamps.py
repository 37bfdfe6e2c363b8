"""The message lamps of agents' phones: how many messages they would hear by phone (`mailbox`)."""

from collections import Counter
from collections.abc import Mapping

import gevent
import structlog
from gevent.event import Event as Flag

from contactcentre.controller.node import Node
from contactcentre.domain.devices import account_of
from contactcentre.domain.members import members_of
from contactcentre.pbx.errors import PbxError

log = structlog.get_logger(__name__)

AT_ONCE, PAUSE = 100, 0.1
"""Agents whose phones are told at once, and seconds until the next ones: a packet to each of a thousand phones is a
burst that their network need not have."""

RETRY = 1.0
"""Seconds after which a PBX that could not be told is told again."""

LOOK = 300.0
"""Seconds after which it is looked whether something was missed (every wait has a deadline)."""


class Lamps:
    def __init__(self, node: Node) -> None:
        self._node = node
        self._wanted_flag = Flag()
        self._linked = False
        self._shown: dict[str, tuple[int, int]] = {}  # agent -> (new, looked after), as the PBX was told
        self._members: dict[str, frozenset[str]] = {}  # of queues, by the site's version
        self._version = -1

    def changed(self) -> None:
        """A box or the site has changed."""
        self._wanted_flag.set()

    def linked(self) -> None:
        """The PBX is there (again). It may have forgotten all, or remember what was before our time."""
        self._linked = True
        self._shown.clear()
        self._wanted_flag.set()

    def lost(self) -> None:
        """The link is away; until it is there again nobody is told."""
        self._linked = False

    def run(self) -> None:
        while True:
            self._wanted_flag.wait(LOOK)
            self._wanted_flag.clear()
            if not self._linked:
                continue
            try:
                self._show()
            except PbxError as error:
                log.info("message lamps not shown", error=str(error))
                gevent.sleep(RETRY)
                self._wanted_flag.set()

    def wanted(self) -> Mapping[str, tuple[int, int]]:
        """Agent -> (new, looked after by somebody), of the boxes that the agent's lamp is for."""
        site, new, old = self._node.site, Counter[str](), Counter[str]()
        lamp = site.settings.message_lamp
        if lamp == "off":
            return {}
        for box, count in self._node.replica.boxes.items():
            agents = {box} if box in site.agents else self._members_of(box) if lamp == "all" else ()
            for agent in agents:
                new[agent] += count.new
                old[agent] += count.claimed
        return {agent: (new[agent], old[agent]) for agent in site.agents}

    def _show(self) -> None:
        """Raises PbxError; then what was not shown is shown the next time."""
        wanted = self.wanted()
        differ = [agent for agent, counts in wanted.items() if self._shown.get(agent) != counts]
        for begin in range(0, len(differ), AT_ONCE):
            part = {agent: wanted[agent] for agent in differ[begin : begin + AT_ONCE]}
            self._node.pbx.show_messages(part, {agent: account_of(self._node.site, agent) for agent in part})
            self._shown |= part
            gevent.sleep(PAUSE)

    def _members_of(self, queue: str) -> frozenset[str]:
        if self._version != self._node.configuration.version:
            self._version, self._members = self._node.configuration.version, {}
        if queue not in self._members and queue in self._node.site.queues:
            self._members[queue] = members_of(self._node.site, queue)
        return self._members.get(queue, frozenset())
