"""Agents whose phone is away for long are paused, so that reports and colleagues see it, and come back with the phone.

They get no offers from the first moment (`Router.reach`); the pause is what a person sees of it. An agent's phone is
away when no controller can ring it.
"""

import gevent
import structlog

from contactcentre.controller.node import Node
from contactcentre.domain.agents import UNREACHABLE, AgentState, Verb
from contactcentre.live import LiveError, signs_of_life, unreachable

log = structlog.get_logger(__name__)

LOOK = 5.0
"""Seconds between two looks. What controllers say of phones is two seconds old at most."""


class Absent:
    def __init__(self, node: Node) -> None:
        self._node = node
        self._since: dict[str, float] = {}  # agent -> since when the phone is away

    def run(self) -> None:
        while True:
            gevent.sleep(LOOK)
            try:
                self.look(unreachable(signs_of_life(self._node.live.redis)))
            except LiveError as error:
                log.info("phones not looked at", error=str(error))

    def look(self, away: frozenset[str]) -> None:
        """Pauses who is away for long enough, and takes the pause back of who is not."""
        node, now = self._node, self._node.now()
        limit = node.site.settings.unreachable_pause
        self._since = {name: self._since.get(name, now) for name in away}
        for name, status in list(node.replica.agents.items()):
            if name in away:
                if limit and now - self._since[name] >= limit and status.state is AgentState.AVAILABLE:
                    log.warning("agent paused: the phone is away", agent=name, seconds=round(now - self._since[name]))
                    node.agents.change(name, Verb.PAUSE, reason=UNREACHABLE)
            elif status.state is AgentState.PAUSED and status.reason == UNREACHABLE:
                node.agents.change(name, Verb.UNPAUSE)
