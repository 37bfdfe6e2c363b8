"""A queue as the PBX's own `Queue()` can serve it while no controller is there: the nearest, in Asterisk's words.

What `queues.conf` cannot say is left out: skills and relax steps become penalties (a member with a higher one rings
only when nobody with a lower one can), a priority becomes a weight, groups, ageing and preferred agents are gone.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from contactcentre.domain import requirements
from contactcentre.domain.site import Queue, Site
from contactcentre.domain.strategies import strategy_named

_OWN = frozenset({"ringall", "leastrecent", "fewestcalls", "random", "rrmemory", "rrordered", "linear", "wrandom"})
"""The strategies of app_queue (configs/samples/queues.conf.sample)."""

_NEAREST = {
    "longest-idle": "leastrecent",
    "round-robin": "rrordered",
    "fewest-calls": "fewestcalls",
    "least-talk-time": "leastrecent",
    "best-skill": "leastrecent",  # with the levels as penalties
    "ring-progressively": "linear",
}

_STATUS = {"timeout": ("TIMEOUT",), "full": ("FULL",), "empty": ("JOINEMPTY", "LEAVEEMPTY")}
"""Way out -> QUEUESTATUS after Queue()."""


def strategy(queue: Queue) -> str:
    """app_queue's strategy: the very one where the site uses its name, else the nearest."""
    if queue.strategy in _OWN:
        return queue.strategy
    known = strategy_named(queue.strategy)
    name = known.name if known is not None else ""
    return name if name in _OWN else _NEAREST.get(name, "leastrecent")


def conditions(text: str) -> str:
    """`join_empty` and `leave_when_empty`: their words are Asterisk's, but it allows no spaces between them."""
    return text.replace(" ", "")


def members(site: Site, queue: Queue) -> dict[str, int]:
    """The agents who may serve a queue -> penalty, in the order in which `linear` asks them.

    The penalty is the first of the queue's steps (0 = `requires`, 1.. = `relax`) that lets the agent in. Where the
    strategy looks at levels, the better come before the others of their step: 0 to 100 on top for each step of 101.
    (To `wrandom` a penalty is a weight: the lower, the more often.)"""
    named = strategy_named(queue.strategy)
    by_level = named is not None and named.name in ("best-skill", "wrandom")
    found: dict[str, int] = {}
    chosen = queue.agents or tuple(sorted(site.agents))
    requirement = requirements.parse(queue.requires)
    for index, step in enumerate((None, *queue.relax)):
        if step is not None:
            requirement = requirement if step.requires is None else requirements.parse(step.requires)
            chosen += step.agents if queue.agents else ()
        for name in chosen:
            if name in site.agents and name not in found and requirement.matches(site.agents[name].skills):
                worse = 100 - requirement.score(site.agents[name].skills)
                found[name] = 101 * index + worse if by_level else index
    return found


def onward(queue: Queue, outside: bool) -> Iterator[Mapping[str, Any]]:
    """Where callers go from `Queue()`, for each QUEUESTATUS; only what a dialplan alone can do. `outside`: there is a
    trunk for calls out."""
    for way, destination in queue.overflow.items():
        kind, _, target = destination.partition(":")
        context = {"queue": "contactcentre-fallback", "number": "contactcentre-out" if outside else ""}.get(kind, "")
        for status in _STATUS[way] if context else ():
            yield {"status": status, "context": context, "target": target}
