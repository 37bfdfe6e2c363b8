"""Reservations a second on one Redis: several processes race for the same free agents, each as a controller does.

Each process knows all agents as they were at the start, reserves one after the other in an order of its own by the
atomic compare-and-set with token and deadline (`Live.reserve`), and takes a lost race (another process was faster) as
what it is: the agent is gone. Afterwards the journal and the agents' records are compared with what the processes say
they won: every agent was offered at most once, and every reservation is in the record of its agent.

The budget is 5 000 reservations a second. The processes run on the machine that Redis runs on; `redis_cpu` is the share
of one core that Redis used, and `redis_us` what one reservation costs it.

PROCESSES=3 SECONDS=5 AGENTS=80000 SEED=1.
"""

import contextlib
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.measure import close, cpu_seconds
from contactcentre.domain.agents import AgentState, AgentStatus
from contactcentre.embedded.servers import find_redis
from contactcentre.live import AgentFact, JournalReader, Live, LiveError, connect
from contactcentre.live.connection import PREFIX

PROCESSES = int(os.environ.get("PROCESSES", "3"))
SECONDS = float(os.environ.get("SECONDS", "5"))
AGENTS = int(os.environ.get("AGENTS", "80000"))
SEED = int(os.environ.get("SEED", "1"))
BUDGET = 5000
READY_DEADLINE = 10.0
START = 6.0
"""Seconds that the processes have to learn the agents."""


@contextlib.contextmanager
def redis_server() -> Iterator[tuple[str, int]]:
    """A Redis of the bench's own, with an append-only file as ours has: its URL and process id."""
    with tempfile.TemporaryDirectory(prefix="cc-bench-") as directory:
        url = f"unix://{directory}/redis.sock"
        options = ["--port", "0", "--unixsocket", f"{directory}/redis.sock", "--dir", directory, "--appendonly", "yes"]
        with (Path(directory) / "log").open("wb") as log:
            server = subprocess.Popen(["redis-server", *options], executable=find_redis(), stdout=log, stderr=log)
        try:
            await_ready(url)
            yield url, server.pid
        finally:
            server.terminate()
            server.wait(10)


def await_ready(url: str) -> None:
    until = time.monotonic() + READY_DEADLINE
    with connect(url) as client:
        while True:
            try:
                Live(client).agents()
                return
            except LiveError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.05)


def log_in(url: str) -> None:
    """All agents at once; what one step writes for each (`Live.change`), without the steps."""
    now = time.time()
    agents = [AgentStatus(f"a{n:05}", AgentState.AVAILABLE, 1, now, idle_since=now) for n in range(AGENTS)]
    with connect(url) as client:
        for some in batched(agents, 5000):
            client.hset(f"{PREFIX}agents", mapping={status.name: status.to_json() for status in some})
            client.hset(f"{PREFIX}agent_versions", mapping={status.name: status.version for status in some})


def batched(items: list[AgentStatus], size: int) -> Iterator[list[AgentStatus]]:
    for begin in range(0, len(items), size):
        yield items[begin : begin + size]


def race(url: str, number: int, start: float, end: float) -> None:
    """One process: prints how many reservations it won and lost."""
    with connect(url) as client:
        live = Live(client)
        agents = list(live.agents().values())
        random.Random(SEED + number).shuffle(agents)  # noqa: S311 (nothing secret)
        won = lost = 0
        time.sleep(max(0.0, start - time.time()))
        for seen in agents:
            now = time.time()
            if now > end:
                break
            taken = live.reserve(seen, f"c{number}-{won}", "q", f"{number}-{won}", now + 600, now)
            won, lost = won + (taken is not None), lost + (taken is None)
        else:
            raise SystemExit("no agents are left: start with more AGENTS")
    print(won, lost)


def check(url: str, won: list[int]) -> None:
    """Raises AssertionError unless every reservation is told once and stands in its agent's record."""
    told: dict[str, str] = {}
    with connect(url) as client:
        reader = JournalReader(client, "bench", "check")
        while entries := reader.read(2000, block=0.01):
            for _, fact in entries:
                assert isinstance(fact, AgentFact)
                assert fact.agent not in told, f"{fact.agent} was offered to {told[fact.agent]} and {fact.contact_id}"
                told[fact.agent] = fact.contact_id
            reader.ack([entry_id for entry_id, _ in entries])
        offered = {s.name: s.contact_id for s in Live(client).agents().values() if s.state is AgentState.OFFERED}
    assert offered == told
    assert set(told.values()) == {f"c{number}-{n}" for number, count in enumerate(won) for n in range(count)}


def main() -> None:
    with redis_server() as (url, server):
        log_in(url)
        start = time.time() + START
        end = start + SECONDS
        arguments = [(url, str(n), str(start), str(end)) for n in range(PROCESSES)]
        racers = [
            subprocess.Popen([sys.executable, "-m", "bench.reserve", *words], stdout=subprocess.PIPE, text=True)
            for words in arguments
        ]
        time.sleep(max(0.0, start - time.time()))
        used = cpu_seconds(server)
        time.sleep(max(0.0, end - time.time()))
        used = cpu_seconds(server) - used
        outputs = [racer.communicate(timeout=60)[0] for racer in racers]
        assert all(racer.returncode == 0 for racer in racers), "a process failed"
        counts = [[int(word) for word in output.split()] for output in outputs]
        check(url, [count[0] for count in counts])
        won, lost = sum(count[0] for count in counts), sum(count[1] for count in counts)
    result: dict[str, Any] = {
        "bench": "reserve",
        "processes": PROCESSES,
        "agents": AGENTS,
        "reservations_per_s": round(won / SECONDS),
        "lost_races": lost,
        "redis_cpu": round(used / SECONDS, 2),
        "redis_us": round(1e6 * used / won, 1),
        "budget_per_s": BUDGET,
        "held": won >= BUDGET * SECONDS,
    }
    for name, value in result.items():
        print(f"{name:20} {value}")
    close(result)
    sys.exit(0 if result["held"] else 1)


if __name__ == "__main__":
    if len(sys.argv) == 5:
        race(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4]))
    else:
        main()
