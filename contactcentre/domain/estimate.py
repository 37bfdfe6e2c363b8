"""How long will this contact wait? An estimate for each requirement, and how wrong estimates have been.

    wait = sum of 1 / (release rate + j x hang-up rate) over j = 0 .. work ahead - agents free now

* **Release rate**: of the agents who may serve this contact now (logged in, not paused, reachable, fitting) each is
  released once in a handling time (from the offer to the end of wrap-up), the mean of what the queue they are busy with
  has taken lately.
* **Work ahead**: the contacts that have right of way before it. Each counts with the share of the agents it may have
  that this contact may have, too: who waits for French speakers is half in the way of somebody who asks for Anna, if
  Anna is one of two who speak French.
* **Hang-up rate**: of each that waits ahead; lately, those who hung up over the seconds that everybody waited. With one
  skill the sum is Erlang A's mean wait of a patient caller who finds so many waiting (`domain.erlang`).
* **Overtaking**: contacts with right of way that have yet to come take their part of the release rate.
* A **relax step** that falls due before opens the door to more agents: what is left of the work goes on with theirs.

So the estimate knows skills, priorities and shared agents, where app_queue announces one moving average per queue that
only the answered ones move (facts: contact-centre.md 3.3, trap T1). It is silent (None) where fewer than
`SMALLEST_SAMPLE` contacts were handled lately, where nobody could serve the contact, and where those who overtake leave
nothing. `error_of` tells what became of past estimates; show it wherever an estimate is shown.
"""

from bisect import bisect_right, insort
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from math import ceil, exp
from statistics import fmean

from contactcentre.domain.agents import AgentState, AgentStatus
from contactcentre.domain.crew import Crew
from contactcentre.domain.metrics import percentile
from contactcentre.domain.replacing import replace
from contactcentre.domain.routing import RoutingConfig, Terms, Waiting

SMALLEST_SAMPLE = 20
"""Fewer handled contacts than this say nothing: the mean of 20 exponential times is still a quarter off."""

LAST = 200
"""So many of a queue's contacts are remembered: enough to be steady, few enough to follow the day."""

OLDEST = 8 * 3600.0
"""Seconds after which what happened is forgotten."""

OVERTAKING_WINDOW = 1800.0
"""Seconds over which the arrivals of each priority are counted."""


@dataclass(frozen=True, slots=True)
class _Busy:
    """An agent is with a contact."""

    contact_id: str
    queue: str
    since: float  # the offer
    talked: bool = False


class _Recent:
    """The last values, none older than OLDEST."""

    def __init__(self) -> None:
        self._values: deque[tuple[float, float]] = deque()
        self._sum = 0.0

    def add(self, at: float, value: float) -> None:
        insort(self._values, (at, value))  # what history tells comes late
        self._sum += value
        if len(self._values) > LAST:
            self._forget()

    def mean(self, now: float) -> float | None:
        """None where there are too few."""
        while self._values and self._values[0][0] <= now - OLDEST:
            self._forget()
        return self._sum / len(self._values) if len(self._values) >= SMALLEST_SAMPLE else None

    def _forget(self) -> None:
        self._sum -= self._values.popleft()[1]


class Experience:
    """What estimates are made of: how long contacts took lately, how many were answered, how many came. Feed it every
    change of an agent, and every contact's entering and leaving; time (epoch seconds) comes with them."""

    def __init__(self) -> None:
        self._busy: dict[str, _Busy] = {}
        # queue -> seconds with an agent; 1 for who was answered, 0 for who was not; seconds waited
        self._handling: defaultdict[str, _Recent] = defaultdict(_Recent)
        self._answered: defaultdict[str, _Recent] = defaultdict(_Recent)
        self._waited: defaultdict[str, _Recent] = defaultdict(_Recent)
        self._came: dict[tuple[str, int, str], list[float]] = {}  # (queue, priority, group) -> when, in order
        self.since: float | None = None
        """When it began to hear of all arrivals; None = with the first one."""

    def agent(self, status: AgentStatus) -> None:
        """An agent has changed to this. A conversation that is over, wrap-up included, is remembered; states in between
        may be missing."""
        busy = self._busy.get(status.name)
        if busy is not None and status.contact_id != busy.contact_id:
            del self._busy[status.name]
            if busy.talked:
                self.handled(busy.queue, status.since - busy.since, status.since)
            busy = None
        if status.state is AgentState.OFFERED:
            self._busy[status.name] = _Busy(status.contact_id, status.queue, status.since)
        elif status.state is AgentState.TALKING:
            since = busy.since if busy else status.since
            self._busy[status.name] = _Busy(status.contact_id, status.queue, since, talked=True)

    def handled(self, queue: str, seconds: float, at: float) -> None:
        """A contact of the queue took an agent so long, from the offer to the end of wrap-up."""
        self._handling[queue].add(at, max(0.0, seconds))

    def entered(self, waiting: Waiting) -> None:
        """A contact began to wait."""
        if self.since is None:
            self.since = waiting.entered
        kind = (waiting.queue, waiting.priority, waiting.group)
        times = self._came.setdefault(kind, [])
        insort(times, waiting.entered)  # history may come late
        if len(times) > LAST:
            del times[0]

    def left(self, queue: str, answered: bool, waited: float, at: float) -> None:
        """A contact waits no longer; it has waited so many seconds."""
        self._answered[queue].add(at, float(answered))
        self._waited[queue].add(at, max(0.0, waited))

    def handling(self, queue: str, now: float) -> float | None:
        """Mean seconds a contact of the queue takes an agent; None where the sample is too small."""
        return self._handling[queue].mean(now)

    def answered(self, queue: str, now: float) -> float:
        """The share of the queue's contacts that wait until they are answered; 1 where the sample is too small."""
        answered = self._answered[queue].mean(now)
        return 1.0 if answered is None else answered

    def hang_ups(self, queue: str, now: float) -> float:
        """How often each waiting contact of the queue hangs up, per second: those who did over all seconds waited (of
        exponential patience, the likeliest rate); 0 where the sample is too small."""
        waited = self._waited[queue].mean(now) or 0.0
        return (1 - self.answered(queue, now)) / waited if waited > 0.01 else 0.0

    def arrivals(self, now: float) -> Iterator[tuple[Waiting, float]]:
        """Each kind of contact that comes, as if one came now, and how many come each second."""
        if self.since is None or now - self.since < OVERTAKING_WINDOW / 6:
            return
        for kind, times in list(self._came.items()):
            window = min(OVERTAKING_WINDOW, now - self.since)
            if times[-1] <= now - OVERTAKING_WINDOW:
                del self._came[kind]
                continue
            if len(times) == LAST:  # more came than are remembered
                window = min(window, now - times[0])
            lately = len(times) - bisect_right(times, now - window)
            queue, priority, group = kind
            example = Waiting("", queue, priority=priority, group=group, arrived=now, entered=now)
            yield example, lately / max(window, 1.0)


Ahead = Iterable[tuple[Terms, int]]
"""What contacts with right of way ask for, and how many they are; the same terms may come several times."""


def ahead(contact: Waiting, waiting: Iterable[Waiting], config: RoutingConfig, now: float) -> Ahead:
    """Those of `waiting` who have right of way before the contact and for whom nobody rings. `Index.ahead` knows it
    without looking at each."""
    place = config.order(contact, now)
    for other in waiting:
        if not other.offered and config.order(other, now) < place and (terms := config.terms(other, now)) is not None:
            yield terms, 1


def estimate(
    contact: Waiting, ahead: Ahead, crew: Crew, config: RoutingConfig, experience: Experience, now: float
) -> float | None:
    """Seconds from now until an agent is offered to this contact; 0 = at once; None = nothing can be said.

    The ringing comes on top: it is the agent's, and short.
    """
    asked = replace(contact, offered="") if contact.offered else contact
    work = _Work(asked, ahead, crew, config, experience, now)
    moment, total, left = now, 0.0, 1.0  # the part of the work that is left
    while True:
        terms, until = config.terms(asked, moment), config.next_moment(asked, moment)
        found = work.with_(terms) if terms else None
        if until is None:
            return None if found is None else total + found.wait * left
        used = until - moment if found is None else found.within(until - moment, left)
        total += used
        if found is not None:
            if found.wait <= 0:
                return total
            left -= used / found.wait
        moment = until


@dataclass(frozen=True, slots=True)
class _Wait:
    """A wait for so many releases, each at random: Erlang's distribution."""

    wait: float  # seconds, the mean
    releases: int

    def within(self, seconds: float, left: float) -> float:
        """How much of the time until then it is expected to take, if so much of it is left: E[min(wait, seconds)]."""
        mean, stages = self.wait * left, max(1, ceil(self.releases * left))
        if mean <= 0 or stages > 100:  # of so many the sum is hardly random
            return min(mean, seconds)
        x = seconds * stages / mean
        exactly = fewer = exp(-x)  # P(i releases until then), P(at most i)
        total = 1 - fewer
        for i in range(1, stages):
            exactly *= x / i
            fewer += exactly
            total += 1 - fewer
        return total * mean / stages


class _Work:
    """What stands before one contact at one moment."""

    def __init__(
        self, contact: Waiting, ahead: Ahead, crew: Crew, config: RoutingConfig, experience: Experience, now: float
    ) -> None:
        self._contact, self._crew, self._config, self._experience, self._now = contact, crew, config, experience, now
        self._ahead: dict[int, tuple[Terms, int]] = {}
        for terms, number in ahead:
            known = self._ahead.get(id(terms), (terms, 0))
            self._ahead[id(terms)] = terms, known[1] + number

    def with_(self, terms: Terms) -> _Wait | None:
        """The estimate if the contact asked for this and for nothing else later."""
        crew, experience, now = self._crew, self._experience, self._now
        mine = crew.fitting(terms) & crew.serving & ~crew.named(self._contact.excluded)
        if not mine:
            return None
        ahead = hang_ups = 0.0
        for theirs, number in self._ahead.values():
            share = number * self._share(theirs, mine)
            ahead += share
            hang_ups += share * experience.hang_ups(theirs.queue, now) if share else 0.0
        free = (mine & crew.free(now)).bit_count()
        if ahead < free:
            return _Wait(0.0, 0)
        rate = self._releases(mine)
        if rate is None:
            return None
        rate -= sum(taken * self._share(theirs, mine) for theirs, taken in self._newcomers)
        if rate <= 0:
            return None
        each = hang_ups / ahead if ahead else 0.0
        whole, part = divmod(ahead - free, 1)
        wait = sum(1 / (rate + j * each) for j in range(int(whole) + 1)) + part / (rate + (whole + 1) * each)
        return _Wait(wait, ceil(ahead - free + 1))

    def _share(self, terms: Terms, mine: int) -> float:
        """Of the agents that those terms can have, how many are mine."""
        theirs = self._crew.fitting(terms) & self._crew.serving
        return (theirs & mine).bit_count() / theirs.bit_count() if theirs else 0.0

    def _releases(self, mine: int) -> float | None:
        """How many of these agents become free each second; None where the sample is too small."""
        usual, rate = self._experience.handling(self._contact.queue, self._now), 0.0
        for queue, busy in (*self._crew.by_queue.items(), ("", mine)):
            if not (busy & mine):
                continue
            mean = self._experience.handling(queue, self._now) or usual
            if mean is None:
                return None
            rate += (busy & mine).bit_count() / max(mean, 1.0)
            mine &= ~busy
        return rate

    @cached_property
    def _newcomers(self) -> list[tuple[Terms, float]]:
        """What contacts ask for that have yet to come and will have right of way, and how many agents they take each
        second."""
        config, experience, now = self._config, self._experience, self._now
        score = config.order(self._contact, now)[0]
        return [
            (theirs, arrivals * experience.answered(newcomer.queue, now))
            for newcomer, arrivals in experience.arrivals(now)
            if config.order(newcomer, now)[0] < score and (theirs := config.terms(newcomer, now)) is not None
        ]


def whole_minutes(seconds: float) -> int:
    """What is said to a caller: minutes, rounded up, at least 1. A promise kept early is no complaint."""
    return max(1, ceil(seconds / 60))


@dataclass(frozen=True, slots=True)
class Error:
    """How wrong estimates have been, in seconds. Only those of answered contacts can tell: who hung up would have
    waited longer, nobody knows how long."""

    number: int  # estimates whose contact was answered
    bias: float  # mean of estimate - actual: above 0, callers were told too much
    p80: float  # four of five estimates were at most so far off


def error_of(pairs: Iterable[tuple[float, float]]) -> Error | None:
    """The error of (estimated, actual) pairs, however many; None without any."""
    errors = [estimated - actual for estimated, actual in pairs]
    p80 = percentile((abs(error) for error in errors), 0.8)
    return None if p80 is None else Error(len(errors), fmean(errors), p80)
