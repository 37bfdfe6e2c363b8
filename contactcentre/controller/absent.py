"""Agents whose phone is away for long are paused, so that reports and colleagues see it, and come back with the phone
where the site says so.

They get no offers from the first moment (`Router.reach`); the pause is what a person sees of it. An agent's phone is
away when no controller can ring it.
"""

from collections.abc import Mapping

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

    def run(self) -> None:
        while True:
            gevent.sleep(LOOK)
            try:
                self.look(unreachable(signs_of_life(self._node.live.redis)))
            except LiveError as error:
                log.info("phones not looked at", error=str(error))

    def look(self, away: Mapping[str, float]) -> None:
        """`away`: agent -> since when (epoch seconds). Pauses who is away for long enough, and takes the pause back of
        who is not."""
        node, now = self._node, self._node.now()
        limit, returns = node.site.settings.unreachable_pause, node.site.settings.unreachable_return
        for name, status in list(node.replica.agents.items()):
            if name in away:
                seconds = now - max(away[name], status.since)  # who has just logged in has time to register the phone
                if limit and seconds >= limit and status.state is AgentState.AVAILABLE:
                    log.warning("agent paused: the phone is away", agent=name, seconds=round(seconds))
                    node.agents.change(name, Verb.PAUSE, reason=UNREACHABLE)
            elif returns and status.state is AgentState.PAUSED and status.reason == UNREACHABLE:
                node.agents.change(name, Verb.UNPAUSE)
