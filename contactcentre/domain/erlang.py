"""How many agents? The textbook's formulas for one queue whose calls come at random.

    rate       calls per second that arrive (a Poisson process)
    aht        seconds an agent is busy with a call: ring, talk and wrap-up (exponential)
    traffic    rate x aht, in Erlangs: how many agents are busy on average if nobody hangs up
    patience   seconds a caller waits before hanging up, on average (exponential)

Erlang B (1917): who finds all agents busy is turned away. Erlang C (1917): everybody waits, for ever. Erlang A (Palm
1946): everybody waits until patience ends; it needs no stability, and where callers do hang up it is the one to use,
for Erlang C asks for too many agents. Sources: A. K. Erlang, "Solution of some Problems in the Theory of Probabilities
of Significance in Automatic Telephone Exchanges", 1917; C. Palm, "Research on telephone traffic carried by full
availability groups", 1946; S. Zeltyn and A. Mandelbaum, "Call centers with impatient customers", 2005; facts:
contact-centre.md 3.4.

All three know one queue, one skill and one kind of agent. For anything else: `domain.simulation`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import exp, expm1, inf, isfinite, lgamma, log

MOST_AGENTS = 100_000
_NEGLIGIBLE = -45.0  # logarithm of 3e-20: a state this much rarer than the most frequent one adds nothing


class OutOfReach(ValueError):
    """No number of agents reaches the target."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What to expect in the long run. Shares are fractions, times seconds."""

    agents: int
    traffic: float  # Erlangs offered
    waits: float  # share of callers who do not get an agent at once
    service_level: float  # answered within T / offered, `answered_in_time_over_offered` of domain.metrics
    asa: float  # mean wait of the answered
    mean_wait: float  # of all callers, those who hang up included
    abandons: float  # share of callers who hang up before they are answered
    occupancy: float  # share of their time that agents are busy
    queue_length: float  # mean number of waiting callers

    @property
    def service_level_of_answered(self) -> float:
        """Answered within T / answered: `asterisk_sl` of domain.metrics."""
        return self.service_level / (1 - self.abandons)


def blocked(traffic: float, agents: int) -> float:
    """Erlang B: the share of calls that find all agents busy when nobody may wait.

    B(0) = 1, B(n) = A B(n-1) / (n + A B(n-1)); computed as 1/B, which is a sum of positive terms only.
    """
    _check(traffic=traffic, agents=agents)
    return 1 / _inverse_b(traffic, agents)


def delayed(traffic: float, agents: int) -> float:
    """Erlang C: the share of calls that have to wait, Pw = N B / (N - A (1 - B)); 1 where there are no more agents than
    Erlangs, for then the queue grows for ever."""
    _check(traffic=traffic, agents=agents)
    if agents <= traffic:
        return 1.0
    b = 1 / _inverse_b(traffic, agents)
    return agents * b / (agents - traffic * (1 - b))


def patient(rate: float, aht: float, agents: int, threshold: float) -> Outlook | None:
    """Erlang C: nobody hangs up. None where the queue grows for ever (agents <= traffic).

    SL = 1 - Pw exp(-(N-A) T / AHT), ASA = Pw AHT / (N-A), occupancy = A/N, queue length = rate x ASA (Little).
    """
    traffic = _traffic(rate, aht, agents, threshold)
    if agents <= traffic:
        return None
    waits = delayed(traffic, agents)
    asa = waits * aht / (agents - traffic)
    level = 1 - waits * exp(-(agents - traffic) * threshold / aht)
    return Outlook(agents, traffic, waits, level, asa, asa, 0.0, traffic / agents, rate * asa)


def impatient(rate: float, aht: float, patience: float, agents: int, threshold: float) -> Outlook:
    """Erlang A (M/M/N+M): who waits hangs up after `patience` seconds on average.

    The number of callers in the system is a birth and death process with births at `rate` and deaths at
    N/aht + q/patience when q wait. Who finds q waiting needs q+1 departures, each the first of exponentials: the time S
    of an endlessly patient caller has exp(-S/patience) ~ Beta(c, q+1), c = N patience/aht. With x = exp(-T/patience)

        P(answered within T | q) = c/(c+q+1) (1 - I_x(c+1, q+1))
        E[S; answered | q]       = patience c/(c+q+1) sum 1/(c+1+i)

    where I is the regularised incomplete beta function and i runs from 0 to q.
    """
    traffic = _traffic(rate, aht, agents, threshold)
    if not patience > 0:
        raise ValueError(f"patience {patience:g} s is not above 0")
    if patience == inf:
        raise ValueError("patience has no end: that is Erlang C")
    weights = list(_queue_weights(rate * patience, agents * patience / aht))
    top = max(weights)
    # In units of the most frequent queue's probability; 1/B - 1 is what lies below "all busy, nobody waits".
    below = (_inverse_b(traffic, agents) - 1) * exp(-top)
    if not isfinite(below):  # so many agents that nobody ever waits
        return Outlook(agents, traffic, 0.0, 1.0, 0.0, 0.0, 0.0, traffic / agents, 0.0)
    shares = [exp(weight - top) for weight in weights]
    everything = below + sum(shares)
    length = sum(q * share for q, share in enumerate(shares)) / everything
    in_time = waited = 0.0
    for share, soon, wait in zip(
        shares, *_waits(agents * patience / aht, threshold / patience, len(shares)), strict=True
    ):
        in_time += share * soon
        waited += share * wait * patience
    abandons = min(1.0, length / (patience * rate))
    return Outlook(
        agents,
        traffic,
        waits=sum(shares) / everything,
        service_level=(below + in_time) / everything,
        asa=waited / everything / (1 - abandons),
        mean_wait=length / rate,
        abandons=abandons,
        occupancy=traffic * (1 - abandons) / agents,
        queue_length=length,
    )


def outlook(rate: float, aht: float, agents: int, threshold: float, patience: float = inf) -> Outlook | None:
    """Erlang A, or Erlang C for endless patience. None where the queue grows for ever."""
    if patience == inf:
        return patient(rate, aht, agents, threshold)
    return impatient(rate, aht, patience, agents, threshold)


def required_agents(
    rate: float,
    aht: float,
    target: float,
    threshold: float,
    *,
    patience: float = inf,
    max_abandons: float = 1.0,
    max_occupancy: float = 1.0,
) -> Outlook:
    """The fewest agents with a service level of at least `target` (0 to 1), and within the two limits.

    These sit and answer: who plans a shift divides by the share of paid time that is spent so (1 - shrinkage).
    Raises OutOfReach above 100,000 agents.
    """
    if not 0 < target < 1:
        raise ValueError(f"target {target:g} is not between 0 and 1")

    def enough(agents: int) -> bool:
        found = outlook(rate, aht, agents, threshold, patience)
        return (
            found is not None
            and found.service_level >= target
            and found.abandons <= max_abandons
            and found.occupancy <= max_occupancy
        )

    fewest = _first(enough)
    found = outlook(rate, aht, fewest, threshold, patience)
    assert found is not None
    return found


def _first(enough: Callable[[int], bool]) -> int:
    """The smallest number that is enough, where every larger one is enough too."""
    high = 1
    while not enough(high):
        high *= 2
        if high > MOST_AGENTS:
            raise OutOfReach(f"no number of agents up to {MOST_AGENTS} reaches the target")
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _inverse_b(traffic: float, agents: int) -> float:
    """1/B(N) = 1 + N/A (1/B(N-1)); infinity where B is too small for a float."""
    inverse = 1.0
    for n in range(1, agents + 1):
        inverse = 1 + inverse * n / traffic
    return inverse


def _queue_weights(births: float, all_busy: float) -> Iterator[float]:
    """Logarithm of P(q wait)/P(all busy, nobody waits) for q = 0, 1, ... until negligible. Rates per mean patience."""
    weight = top = 0.0
    q = 0
    while weight - top > _NEGLIGIBLE:
        yield weight
        q += 1
        weight += log(births / (all_busy + q))
        top = max(top, weight)


def _waits(c: float, limit: float, length: int) -> tuple[list[float], list[float]]:
    """For q = 0 .. length-1 who wait already: (P(answered within the limit), E[wait; answered]), in mean patiences."""
    soon, wait = [], []
    gone = -expm1(-limit)  # 1 - x
    late = total = 0.0  # I_x(c+1, q+1), summed up term by term; sum of 1/(c+1+i)
    for q in range(length):
        if gone > 0:
            late += exp(-(c + 1) * limit + lgamma(c + 1 + q) - lgamma(c + 1) - lgamma(q + 1) + q * log(gone))
        elif q == 0:
            late = 1.0
        total += 1 / (c + 1 + q)
        answered = c / (c + q + 1)
        soon.append(answered * max(0.0, 1 - late))
        wait.append(answered * total)
    return soon, wait


def _traffic(rate: float, aht: float, agents: int, threshold: float) -> float:
    for name, value in (("rate", rate), ("aht", aht)):
        if not 0 < value < inf:
            raise ValueError(f"{name} {value:g} is not above 0")
    if not threshold >= 0:
        raise ValueError(f"threshold {threshold:g} s is below 0")
    traffic = rate * aht
    if agents < 1:
        raise ValueError(f"agents {agents} is not at least 1")
    return traffic


def _check(traffic: float, agents: int) -> None:
    if not 0 < traffic < inf:
        raise ValueError(f"traffic {traffic:g} Erlangs is not above 0")
    if agents < 0:
        raise ValueError(f"agents {agents} is below 0")
