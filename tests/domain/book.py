"""The rules of routing a second time, as they read and without any haste: what the tests hold `domain.routing` against.

Nothing here uses the modules it is a check of, but for the records and the language of requirements.
"""

from dataclasses import dataclass
from fractions import Fraction
from hashlib import blake2b

from contactcentre.domain.agents import AgentState, AgentStatus
from contactcentre.domain.requirements import combine, parse
from contactcentre.domain.site import Queue, RelaxStep, Site
from contactcentre.domain.waiting import Waiting


@dataclass
class Book:
    """Everything that a decision depends on."""

    site: Site
    agents: dict[str, AgentStatus]
    waiting: dict[str, Waiting]
    now: float
    reachable: dict[str, bool]

    def right_of_way(self) -> list[Waiting]:
        return sorted(self.waiting.values(), key=lambda c: (-self.score(c), c.arrived, c.contact_id))

    def score(self, contact: Waiting) -> Fraction:
        """In points, exactly."""
        queue = self.site.queues.get(contact.queue)
        if queue is None:
            return Fraction(contact.priority)
        points = contact.priority + queue.groups.get(contact.group, 0)
        seconds = Fraction(self.now) - Fraction(contact.arrived)
        if self.site.settings.order == "service-level":
            return points + 100 * seconds / Fraction(queue.service_level)
        return points + Fraction(queue.ageing) * seconds / 60

    def first_offers(self) -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = []
        for contact in self.right_of_way():
            names = [name for name in self.candidates(contact) if name not in [agent for _, agent in found]]
            if names and not contact.offered:
                # the order may depend on who is left: lots are drawn among those
                names = self.candidates(contact, {agent for _, agent in found})
                found.append((contact.contact_id, names[0]))
        return found

    def further_offers(self) -> list[tuple[str, str]]:
        """Who rings as a second, third ... one, after the first offers."""
        first = self.first_offers()
        found: list[tuple[str, str]] = []
        for contact in self.right_of_way():
            ring = [s.name for s in self.agents.values() if s.state is AgentState.OFFERED]
            ring = [name for name in ring if self.agents[name].contact_id == contact.contact_id]
            ring += [agent for contact_id, agent in first if contact_id == contact.contact_id]
            talks = any(
                s.state is AgentState.TALKING and s.contact_id == contact.contact_id for s in self.agents.values()
            )
            if not ring or talks:
                continue
            while len(ring) < self.at_once(contact):
                names = self.candidates(contact, {agent for _, agent in first + found})
                if not names:
                    break
                found.append((contact.contact_id, names[0]))
                ring.append(names[0])
        return found

    def at_once(self, contact: Waiting) -> int:
        queue = self.site.queues.get(contact.queue)
        if queue is None or queue.strategy not in ("ringall", "ring-all", "ring-progressively"):
            return 1
        if queue.strategy == "ring-progressively":
            return min(queue.ring_at_most, 1 + int((self.now - contact.entered) // queue.ring_more_every))
        return queue.ring_at_most

    def candidates(self, contact: Waiting, taken: set[str] = frozenset()) -> list[str]:  # type: ignore[assignment]
        """Those who may serve it, in the order in which they are asked."""
        queue = self.site.queues.get(contact.queue)
        if queue is None:
            return []
        able = [name for name in self.agents if name not in taken and self.may_serve(contact, name)]
        awaited = self.awaited(queue, contact)
        able = self.by_strategy(queue, contact, [name for name in able if not awaited or name in awaited])
        new = [name for name in able if name not in contact.tried]
        return new + [name for name in contact.tried if name in able]

    def by_strategy(self, queue: Queue, contact: Waiting, names: list[str]) -> list[str]:
        place = self.members(queue, contact).index
        fit = {name: self.requirement(queue, contact).score(self.site.agents[name].skills) for name in names}
        idle = sorted(names, key=lambda name: (self.agents[name].idle_since, name))
        match queue.strategy:
            case "longest-idle" | "leastrecent" | "ringall" | "ring-all":
                return idle
            case "round-robin" | "rrmemory" | "rrordered":
                return sorted(names, key=lambda name: (self.agents[name].turn, place(name)))
            case "fewest-calls" | "fewestcalls":
                return sorted(idle, key=lambda name: self.agents[name].calls)
            case "least-talk-time":
                return sorted(idle, key=lambda name: self.agents[name].talked)
            case "best-skill":
                return sorted(idle, key=lambda name: 100 - fit[name])
            case "linear" | "top-down" | "ring-progressively":
                return sorted(names, key=place)
            case "random" | "wrandom":
                wheel = []
                for name in sorted(names):
                    wheel += [name] * (1 if queue.strategy == "random" else 1 + fit[name])
                if not wheel:
                    return []
                text = f"{contact.contact_id}/{len(contact.tried)}".encode()
                stop = int(blake2b(text, digest_size=8).hexdigest(), 16) % len(wheel)
                return list(dict.fromkeys(wheel[stop:] + wheel[:stop]))
        raise AssertionError(queue.strategy)

    def requirement(self, queue: Queue, contact: Waiting):  # type: ignore[no-untyped-def]
        requires = queue.requires
        for relax in self.due(queue, contact):
            requires = requires if relax.requires is None else relax.requires
        return combine(parse(requires), parse(contact.requires))

    def due(self, queue: Queue, contact: Waiting) -> list[RelaxStep]:
        return sorted((s for s in queue.relax if contact.entered + s.after <= self.now), key=lambda s: s.after)

    def members(self, queue: Queue, contact: Waiting) -> list[str]:
        """Whom the queue asks by now, in its own order."""
        if not queue.agents:
            return list(self.site.agents)
        names = [*queue.agents, *(name for relax in self.due(queue, contact) for name in relax.agents)]
        return [name for name in dict.fromkeys(names) if name in self.site.agents]

    def awaited(self, queue: Queue, contact: Waiting) -> list[str]:
        """The preferred agents it is worth to wait for."""
        seconds = queue.prefer_for if contact.prefer_for is None else contact.prefer_for
        if contact.entered + seconds <= self.now:
            return []
        able = []
        for name in contact.preferred:
            at_work = name in self.agents and self.agents[name].state.value in (
                "available",
                "offered",
                "talking",
                "wrap_up",
            )
            fits = name in self.members(queue, contact) and self.requirement(queue, contact).matches(
                self.site.agents[name].skills
            )
            if at_work and fits and self.reachable[name] and name not in (*contact.excluded, *contact.tried):
                able.append(name)
        return able

    def may_serve(self, contact: Waiting, name: str) -> bool:
        queue, status, agent = self.site.queues.get(contact.queue), self.agents[name], self.site.agents.get(name)
        if queue is None or agent is None or name not in self.members(queue, contact):
            return False
        return (
            self.requirement(queue, contact).matches(agent.skills)
            and status.state is AgentState.AVAILABLE
            and status.not_before <= self.now
            and self.reachable[name]
            and name not in contact.excluded
        )
