"""The agents at work as sets of bits, one bit for each agent of the site: how many of them two kinds of contacts share,
and what they are busy with, is then counted in well under a microsecond, however many they are."""

from collections.abc import Iterable, Mapping
from typing import Self

from contactcentre.domain.agents import AgentState, AgentStatus
from contactcentre.domain.terms import RoutingConfig, Terms

_SERVING = (AgentState.AVAILABLE, AgentState.OFFERED, AgentState.TALKING, AgentState.WRAP_UP)
_KEPT = 10_000
"""Terms whose agents are kept as bits; they come from flows, which are few; this is a fence."""


class Crew:
    """Those who are logged in, not paused and reachable. Tell it every change of an agent."""

    def __init__(self, config: RoutingConfig) -> None:
        self.serving = 0
        self.by_queue: dict[str, int] = {}  # queue -> who is busy with its contacts
        self._bits = config.bits
        self._available = 0
        self._delayed: dict[str, float] = {}  # available agent -> when an offer may be made again (epoch seconds)
        self._queue_of: dict[str, str] = {}
        self._of_terms: dict[int, tuple[Terms, int]] = {}  # kept with the terms, so that no other gets their id

    @classmethod
    def of(cls, agents: Iterable[AgentStatus], config: RoutingConfig, reachable: Mapping[str, bool]) -> Self:
        crew = cls(config)
        for agent in agents:
            crew.put(agent, reachable.get(agent.name, True))
        return crew

    def put(self, agent: AgentStatus, reachable: bool = True) -> None:
        """The agent, or whether the phone can ring, has changed."""
        bit = self._bits.get(agent.name, 0)
        if queue := self._queue_of.pop(agent.name, ""):
            self.by_queue[queue] &= ~bit
        self._delayed.pop(agent.name, None)
        if not (bit and reachable and agent.state in _SERVING):
            self.serving &= ~bit
            self._available &= ~bit
            return
        self.serving |= bit
        if agent.queue:
            self._queue_of[agent.name] = agent.queue
            self.by_queue[agent.queue] = self.by_queue.get(agent.queue, 0) | bit
        if agent.state is not AgentState.AVAILABLE:
            self._available &= ~bit
            return
        self._available |= bit
        if agent.not_before:
            self._delayed[agent.name] = agent.not_before

    def fitting(self, terms: Terms) -> int:
        """All who ever may serve contacts of these terms, at work or not."""
        if id(terms) not in self._of_terms:
            if len(self._of_terms) >= _KEPT:
                self._of_terms.clear()
            self._of_terms[id(terms)] = terms, self.named(terms.fits)
        return self._of_terms[id(terms)][1]

    def forget_fitting(self) -> None:
        """Somebody has other skills."""
        self._of_terms.clear()

    def named(self, names: Iterable[str]) -> int:
        """These agents; who is not of the site is left out."""
        found = 0
        for name in names:
            found |= self._bits.get(name, 0)
        return found

    def free(self, now: float) -> int:
        """Who may be offered a contact at once."""
        free = self._available
        for name, until in list(self._delayed.items()):
            if until > now:
                free &= ~self._bits[name]
            else:
                del self._delayed[name]
        return free
