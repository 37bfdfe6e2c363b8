"""Who calls in the demonstration: languages, choices, patience, and a few who are rude to the machine."""

import random
from collections.abc import Iterator

from contactcentre.lab.results import CallPlan

RING_SECONDS = (0.3, 0.9)
WRAP_UP_SECONDS = 1.0
BUSY = 0.8
"""Share of the agents' time that the calls are made to take: busy, with short waits."""
TALK_LEAST, TALK_MOST = 1.0, 60.0
REACH_AN_AGENT = 0.85
"""Share of the callers who get as far as an agent; the others hang up before."""

NAMES = ("Claire Dubois", "Mohamed Ali", "Zoë O'Connor", "Jürgen Groß", "Ana María", "Łukasz", "", "+33199000000")
HOSTILE_NAMES = (
    '"; rm -rf / #',
    "<script>alert(1)</script>",
    "Robert'); DROP TABLE contact;--",
    "${SHELL(reboot)}",
    "%0d%0aEvent-Name: HANGUP",
    "\u202egnirts desrever",
)


def mean_talk(rate: float, agents: int) -> float:
    """Seconds of talk with which `agents` keep up with `rate` calls a second, being busy for their share BUSY."""
    cycle = BUSY * agents / (rate * REACH_AN_AGENT)
    ring = sum(RING_SECONDS) / 2
    return min(TALK_MOST, max(TALK_LEAST, cycle - ring - WRAP_UP_SECONDS))


def plans(dids: list[str], talk: float, run: int, seed: int | None = None) -> Iterator[CallPlan]:
    """Callers without end. Each has a number of its own, by which its call is found in the history.

    talk: their mean conversation in seconds. run: 0 to 999, so that runs close to each other share no numbers.
    """
    chance = random.Random(seed)  # noqa: S311 - nothing secret
    number = 0
    while True:
        number += 1
        kind = chance.random()
        plan = {
            "did": chance.choice(dids),
            "caller": f"+33{700_000_000 + run * 100_000 + number % 100_000}",
            "name": chance.choice(NAMES),
            "talk": round(chance.uniform(0.5, 1.5) * talk, 1),
            "digits": f"{chance.choice('12')},{chance.choice('11222')}",
            "patience": 90.0,
        }
        if kind < 0.04:  # changes their mind in the welcome
            plan["patience"] = round(chance.uniform(0.5, 4.0), 1)
        elif kind < 0.14:  # waits, but not for long
            plan["patience"] = round(chance.uniform(9.0, 18.0), 1)
        elif kind < 0.17:  # does not know what to press
            plan["digits"] = chance.choice(("9,1,2", "#,*,1,1", "0,0,0,0"))
        elif kind < 0.19:  # says nothing
            plan["digits"] = ""
        elif kind < 0.24:
            plan["name"] = chance.choice(HOSTILE_NAMES)
        yield CallPlan(**plan)  # type: ignore[arg-type]
