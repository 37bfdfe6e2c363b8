"""Strategies: in which order the free agents who fit are asked.

A strategy is data: a key to sort by, or a weight to draw lots with. All of it is computed from the agents' records and
the contact's id, so every node comes to the same order and any decision can be repeated later.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import accumulate
from typing import Any, TypeVar

from contactcentre.domain.agents import AgentStatus
from contactcentre.domain.sentences import phrase

Named = TypeVar("Named")


@dataclass(frozen=True, slots=True)
class Seen:
    """An agent as one queue sees it."""

    agent: AgentStatus
    fit: int  # how well the skills fulfil what the contact needs, 0-100 (`Requirement.score`)
    place: int  # in the queue's list of agents, from 0

    @property
    def name(self) -> str:
        return self.agent.name


@dataclass(frozen=True, slots=True)
class Strategy:
    """`key` puts agents in order, the smallest first. With `lots` that order is only the wheel to draw from."""

    name: str
    key: Callable[[Seen], tuple[Any, ...]]
    score: Callable[[Seen, float], float]  # what people are shown; it gets the time
    said: str  # the score in words, a pattern with `score` in it
    lots: bool = False
    weight: Callable[[Seen], int] | None = None  # how wide the agent's sector on the wheel is, at least 1; None = equal
    together: bool = False  # several agents ring for one contact
    growing: bool = False  # of those who ring together, one more every `ring_more_every` seconds

    def words(self, score: float) -> str:
        return phrase(self.said, score=f"{score:g}")


def _longest_idle(seen: Seen) -> tuple[Any, ...]:
    return (seen.agent.idle_since, seen.agent.name)


def _idle(seen: Seen, now: float) -> float:
    return round(now - seen.agent.idle_since, 1)


LONGEST_IDLE = Strategy("longest-idle", _longest_idle, _idle, "%(score)s seconds idle")

_ALL = (
    LONGEST_IDLE,
    Strategy(
        "round-robin",
        key=lambda seen: (seen.agent.turn, seen.place, seen.agent.name),
        score=lambda seen, now: round(now - seen.agent.turn, 1),
        said="%(score)s seconds since the last turn",
    ),
    Strategy(
        "fewest-calls",
        key=lambda seen: (seen.agent.calls, *_longest_idle(seen)),
        score=lambda seen, now: seen.agent.calls,
        said="%(score)s calls answered",
    ),
    Strategy(
        "least-talk-time",
        key=lambda seen: (seen.agent.talked, *_longest_idle(seen)),
        score=lambda seen, now: round(seen.agent.talked, 1),
        said="%(score)s seconds talked",
    ),
    Strategy(
        "best-skill",
        key=lambda seen: (-seen.fit, *_longest_idle(seen)),
        score=lambda seen, now: seen.fit,
        said="level %(score)s",
    ),
    Strategy(
        "linear",
        key=lambda seen: (seen.place, seen.agent.name),
        score=lambda seen, now: seen.place + 1,
        said="place %(score)s in the queue",
    ),
    Strategy(
        "random",
        key=lambda seen: (seen.agent.name,),
        score=lambda seen, now: 1,
        said="drawn with weight %(score)s",
        lots=True,
    ),
    Strategy(
        "wrandom",
        key=lambda seen: (seen.agent.name,),
        score=lambda seen, now: 1 + seen.fit,
        said="drawn with weight %(score)s",
        lots=True,
        weight=lambda seen: 1 + seen.fit,
    ),
    Strategy("ringall", _longest_idle, _idle, "%(score)s seconds idle", together=True),
    Strategy(
        "ring-progressively",
        key=lambda seen: (seen.place, seen.agent.name),
        score=lambda seen, now: seen.place + 1,
        said="place %(score)s in the queue",
        together=True,
        growing=True,
    ),
)

STRATEGIES: dict[str, Strategy] = {strategy.name: strategy for strategy in _ALL}

ALIASES: dict[str, str] = {
    # queues.conf
    "leastrecent": "longest-idle",
    "fewestcalls": "fewest-calls",
    "rrmemory": "round-robin",
    "roundrobin": "round-robin",
    "rrordered": "round-robin",
    # mod_callcenter
    "longest-idle-agent": "longest-idle",
    "agent-with-fewest-calls": "fewest-calls",
    "agent-with-least-talk-time": "least-talk-time",
    "top-down": "linear",
    "sequentially-by-agent-order": "linear",
    "ring-all": "ringall",
}
"""Other names of the strategies. Names that Asterisk or FreeSWITCH share with us are not repeated."""


def strategy_named(name: str) -> Strategy | None:
    """The strategy of that name or alias."""
    return STRATEGIES.get(ALIASES.get(name, name))


def drawn(names: Sequence[Named], weights: Sequence[int] | None, seed: str) -> list[Named]:
    """The order that a wheel of fortune gives: each has a sector as wide as its weight (a whole number, at least 1;
    None = all the same), side by side in the order given. The seed stops the wheel at one point; who has the sector
    there comes first, the others follow clockwise. The same seed always gives the same order."""
    if not names:
        return []
    number = int.from_bytes(blake2b(seed.encode(), digest_size=8).digest())
    if weights is None:
        first = number % len(names)
    else:
        ends = list(accumulate(weights))
        first = bisect_right(ends, number % ends[-1])
    return [*names[first:], *names[:first]]
