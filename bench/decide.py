"""What one decision costs as the site grows: from a change (an agent becomes free, a contact arrives) to the decision
with its reason, on the index that a controller keeps up to date.

Each agent has 5 of the skills, each queue asks for one skill at a level of 30 and for any level after a minute, a tenth
of the agents is logged out. Two situations, each in its own steady state:

  waiting   everybody talks and the queues are full; an agent becomes free and the next contact gets that agent
  idle      everybody is free; a contact arrives and gets an agent, who is given back afterwards

`anew` is the same decision made from scratch over everything, as `Round(...)` does without an index. `cpu` is processor
time, what the decision itself costs; `wall` has in it whatever else this machine does meanwhile. The budget is held
against cpu.

DECISIONS=2000 of each kind and size, SEED=1.
"""

import gc
import os
import random
import resource
import sys
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from bench.measure import close, percentile
from contactcentre.domain.agents import AgentState, AgentStatus
from contactcentre.domain.index import Index
from contactcentre.domain.routing import Round, RoutingConfig, Waiting
from contactcentre.domain.site import Agent, Queue, RelaxStep, Site

DECISIONS = int(os.environ.get("DECISIONS", "2000"))
SEED = int(os.environ.get("SEED", "1"))
NOW = 1_800_000_000.0
SIZES = (
    (10, 2, 10),
    (100, 20, 100),
    (1_000, 20, 1_000),
    (1_000, 200, 10_000),
    (10_000, 200, 1_000),
    (10_000, 200, 10_000),
)
BUDGET_MS = 1.0


@dataclass
class World:
    config: RoutingConfig
    agents: dict[str, AgentStatus]
    waiting: dict[str, Waiting]
    chance: random.Random


def world(agents: int, skills: int, waiting: int, state: AgentState) -> World:
    chance = random.Random(SEED)  # noqa: S311 (a world to measure, no secret)
    names = [f"s{n:03}" for n in range(skills)]
    site = Site(
        skills=dict.fromkeys(names, ""),
        queues={
            f"q{n:03}": Queue(requires=f"{name} >= 30", relax=(RelaxStep(after=60, requires=name),), ageing=n % 3)
            for n, name in enumerate(names)
        },
        agents={
            f"a{n:05}": Agent(skills={name: chance.randint(1, 100) for name in chance.sample(names, min(5, skills))})
            for n in range(agents)
        },
    )
    people = {}
    for n, name in enumerate(site.agents):
        there = AgentState.LOGGED_OUT if n % 10 == 9 else state
        people[name] = AgentStatus(
            name, there, 1, contact_id=f"t{n}" if there is AgentState.TALKING else "", idle_since=NOW - n % 977
        )
    queues = list(site.queues)
    contacts = {}
    for n in range(waiting):
        arrived = NOW - chance.random() * 300
        contact_id = f"c{n:06}"
        contacts[contact_id] = Waiting(contact_id, chance.choice(queues), "node1", "", n % 2, arrived, arrived)
    return World(RoutingConfig.from_site(site), people, contacts, chance)


@dataclass
class Spent:
    """Seconds that decisions took."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def timed(self, action: Callable[[], Any]) -> Any:
        wall, cpu = time.perf_counter(), time.thread_time()
        found = action()
        self.cpu.append(time.thread_time() - cpu)
        self.wall.append(time.perf_counter() - wall)
        return found


def agent_becomes_free(here: World, index: Index, spent: Spent, queue: str) -> None:
    """The agent's call ends; whom the agent gets leaves the queue, and another one arrives there."""
    name = here.chance.choice([name for name, status in here.agents.items() if status.state is AgentState.TALKING])
    busy = index.agents[name]
    free = replace(busy, state=AgentState.AVAILABLE, contact_id="", version=busy.version + 1)

    def decide() -> Any:
        index.put_agent(free)
        return Round.on(index, NOW).decide()

    for decision in spent.timed(decide):
        gone = index.waiting[decision.contact_id]
        index.drop(gone.contact_id)
        index.put(replace(gone, contact_id=f"n{len(spent.cpu):06}-{name}"))
    index.put_agent(replace(busy, version=busy.version + 2))


def contact_arrives(here: World, index: Index, spent: Spent, queue: str) -> None:
    contact = Waiting(f"n{len(spent.cpu):06}", queue, arrived=NOW, entered=NOW)

    def decide() -> Any:
        index.put(contact)
        return Round.on(index, NOW).decide()

    spent.timed(decide)
    index.drop(contact.contact_id)


def measure(agents: int, skills: int, waiting: int) -> dict[str, Any]:
    row: dict[str, Any] = {"agents": agents, "skills": skills, "waiting": waiting}
    for situation, state, happens in (
        ("waiting", AgentState.TALKING, agent_becomes_free),
        ("idle", AgentState.AVAILABLE, contact_arrives),
    ):
        here = world(agents, skills, waiting if situation == "waiting" else 0, state)
        index = Index(here.config, NOW)
        start = time.perf_counter()
        for status in here.agents.values():
            index.put_agent(status)
        for contact in here.waiting.values():
            index.put(contact)
        row[f"{situation}_build_ms"] = round((time.perf_counter() - start) * 1000, 1)
        queues = list(here.config.queues)
        for queue in queues:  # each has been used before
            happens(here, index, Spent(), queue)
        spent = Spent()
        gc.collect()
        for _ in range(DECISIONS):
            happens(here, index, spent, here.chance.choice(queues))
        for clock, values in (("cpu", spent.cpu), ("wall", spent.wall)):
            for name, share in (("p50", 0.5), ("p99", 0.99), ("max", 1.0)):
                row[f"{situation}_{clock}_{name}_ms"] = round(1000 * (percentile(values, share) or 0.0), 3)
        if situation == "waiting":
            row["anew_ms"] = decided_anew(here)
    row["memory_mb"] = memory(agents, skills, waiting)
    return row


def decided_anew(here: World) -> float:
    """Milliseconds of processor time for one decision without an index, the best of three."""
    free = replace(next(iter(here.agents.values())), state=AgentState.AVAILABLE, contact_id="")
    people, spent = {**here.agents, free.name: free}, Spent()
    for _ in range(3):
        spent.timed(lambda: Round(here.waiting.values(), people, here.config, NOW, {}).decide())
    return round(1000 * min(spent.cpu), 1)


def memory(agents: int, skills: int, waiting: int) -> float:
    """Of the index alone, everybody waiting and nobody free; the records themselves are the caller's."""
    here = world(agents, skills, waiting, AgentState.TALKING)
    tracemalloc.start()
    index = Index.of(here.waiting.values(), here.agents, here.config, NOW, {})
    used = tracemalloc.get_traced_memory()[0] / 1e6
    tracemalloc.stop()
    assert len(index.waiting) == waiting
    return round(used, 1)


def main() -> None:
    columns = [("cpu", "p50"), ("cpu", "p99"), ("wall", "p99")]
    heads = [f"{word} {clock} {share}" for word in ("free:", "arrives:") for clock, share in columns]
    print("".join(f"{word:>18}" for word in ("agents", "skills", "waiting", *heads, "anew cpu", "index")))
    print("".join(f"{unit:>18}" for unit in ("", "", "", *["ms"] * 7, "MB")))
    rows = []
    for size in SIZES:
        row = measure(*size)
        rows.append(row)
        cells = [row[key] for key in ("agents", "skills", "waiting")]
        cells += [row[f"{one}_{clock}_{share}_ms"] for one in ("waiting", "idle") for clock, share in columns]
        print("".join(f"{cell:>18}" for cell in (*cells, row["anew_ms"], row["memory_mb"])), flush=True)
    largest = rows[-1]
    worst = {clock: max(largest[f"{one}_{clock}_p99_ms"] for one in ("waiting", "idle")) for clock in ("cpu", "wall")}
    held = worst["cpu"] < BUDGET_MS
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    close({"bench": "decide", "budget_ms": BUDGET_MS, "p99_ms": worst, "held": held, "peak_rss_mb": peak, "rows": rows})
    sys.exit(0 if held else 1)


if __name__ == "__main__":
    main()
