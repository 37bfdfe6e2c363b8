"""The numbers of a contact centre, each with its formula and source.

The same day gives service levels more than ten points apart, depending on who counts (facts:
contact-centre.md 3.1). So every formula has a name and a text that is printed beside its number, counting is
separate from dividing, and what has nothing to be divided by is None: an hour without calls has no service
level, not a perfect one.

Shares are fractions (0.8 = 80 %), durations seconds. A contact is counted in the interval in which it
*entered* the queue (the convention of ACDs; CDR tools count where it ended), so the hours of a day add up to
the day.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Protocol

from contactcentre.domain.agents import AgentState
from contactcentre.domain.events import LeftQueue

FLOW_OUT = (LeftQueue.TIMEOUT, LeftQueue.KEY, LeftQueue.FULL, LeftQueue.EMPTY, LeftQueue.TRANSFERRED)
"""Left the queue for another place of ours: neither answered nor abandoned. Asterisk's in-memory counter
calls some of them abandoned (facts: trap T2); we do not."""


class QueueStay(Protocol):
    """What counting needs of a `contacts.Visit`."""

    @property
    def entered(self) -> float: ...
    @property
    def reason(self) -> str: ...
    @property
    def waited(self) -> float | None: ...
    @property
    def talk(self) -> float: ...
    @property
    def wrap_up(self) -> float: ...


@dataclass(frozen=True, slots=True)
class Counts:
    """Queue visits of an interval, counted for one threshold T and one short-abandon limit S (seconds)."""

    answered: int = 0
    answered_in_time: int = 0  # waited <= T
    abandoned: int = 0  # caller left before an agent talked; a call we lost counts too, the caller cannot tell
    abandoned_in_time: int = 0  # waited <= T
    abandoned_short: int = 0  # waited < S
    flow_out: int = 0
    waiting: int = 0  # still there
    waiting_in_time: int = 0  # still there, for no longer than T
    wait_answered: float = 0.0  # seconds, sum over the answered
    wait_longest: float = 0.0  # seconds, of all that have left
    talk: float = 0.0  # seconds
    wrap_up: float = 0.0  # seconds

    @property
    def offered(self) -> int:
        """answered + abandoned + flow-out (Genesys Cloud's "offer", facts 3.2 [G3]; many PBX reports leave
        flow-outs out). Those still waiting are not in it: nobody knows yet what they will be."""
        return self.answered + self.abandoned + self.flow_out

    def __add__(self, other: "Counts") -> "Counts":
        """Both intervals or queues together. Shares are never averaged, their counts are added."""
        summed = {f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self)}
        return Counts(**{**summed, "wait_longest": max(self.wait_longest, other.wait_longest)})


def count(visits: Iterable[QueueStay], now: float, threshold: float, short_abandon: float) -> Counts:
    """Counts visits. `now`: for how long those without an end have waited. (`store.statistics` does the same
    in SQL.)"""
    answered = answered_in_time = abandoned = abandoned_in_time = abandoned_short = flow_out = 0
    waiting = waiting_in_time = 0
    wait_answered = wait_longest = talk = wrap_up = 0.0
    for visit in visits:
        waited = visit.waited
        if not visit.reason or waited is None:
            waiting += 1
            waiting_in_time += now - visit.entered <= threshold
            continue
        in_time = waited <= threshold
        wait_longest = max(wait_longest, waited)
        talk += visit.talk
        wrap_up += visit.wrap_up
        if visit.reason == LeftQueue.ANSWERED:
            answered += 1
            answered_in_time += in_time
            wait_answered += waited
        elif visit.reason in FLOW_OUT:
            flow_out += 1
        else:
            abandoned += 1
            abandoned_in_time += in_time
            abandoned_short += waited < short_abandon
    return Counts(
        answered=answered,
        answered_in_time=answered_in_time,
        abandoned=abandoned,
        abandoned_in_time=abandoned_in_time,
        abandoned_short=abandoned_short,
        flow_out=flow_out,
        waiting=waiting,
        waiting_in_time=waiting_in_time,
        wait_answered=wait_answered,
        wait_longest=wait_longest,
        talk=talk,
        wrap_up=wrap_up,
    )


# -- service level -------------------------------------------------------------------------------------------


def answered_in_time_over_offered(counts: Counts) -> float | None:
    """Answered within T / offered. Every caller who did not reach an agent in time counts against us."""
    return _share(counts.answered_in_time, counts.offered)


def asterisk_sl(counts: Counts) -> float | None:
    """Answered within T / answered: Asterisk's ServicelevelPerf (app_queue.c; facts 3.1 [A1]). Abandons are
    ignored."""
    return _share(counts.answered_in_time, counts.answered)


def asterisk_sl2(counts: Counts) -> float | None:
    """(answered within T + abandoned within T) / (answered + abandoned): Asterisk's ServicelevelPerf2 (facts
    3.1 [A1]). Early abandons count as good."""
    good = counts.answered_in_time + counts.abandoned_in_time
    return _share(good, counts.answered + counts.abandoned)


def genesys(
    counts: Counts,
    *,
    include_flow_outs: bool = False,
    include_short_abandons: bool = True,
    include_abandons: bool = True,
) -> float | None:
    """(answered - answered late) / (answered + abandoned) with Genesys Cloud's three switches (facts 3.1
    [G2])."""
    base = counts.answered
    if include_abandons:
        base += counts.abandoned - (0 if include_short_abandons else counts.abandoned_short)
    if include_flow_outs:
        base += counts.flow_out
    return _share(counts.answered_in_time, base)


def short_abandons_excluded(counts: Counts) -> float | None:
    """Answered within T / (offered - abandoned within S): whoever hung up at once gave us no chance (facts
    3.1)."""
    return _share(counts.answered_in_time, counts.offered - counts.abandoned_short)


def eight_by_eight(counts: Counts) -> float | None:
    """Answered within T / (entered - short abandons - still waiting under T), as 8x8 counts (facts 3.1, VCC
    glossary): who has waited longer than T counts against us already."""
    entered = counts.offered + counts.waiting
    return _share(counts.answered_in_time, entered - counts.abandoned_short - counts.waiting_in_time)


# -- other shares and times ----------------------------------------------------------------------------------


def abandon_rate(counts: Counts) -> float | None:
    """Abandoned / offered (facts 3.2 [G3])."""
    return _share(counts.abandoned, counts.offered)


def abandon_rate_without_short(counts: Counts) -> float | None:
    """(abandoned - short abandons) / (offered - short abandons): removed from numerator and denominator
    (facts 3.2, 8x8)."""
    return _share(counts.abandoned - counts.abandoned_short, counts.offered - counts.abandoned_short)


def answer_rate(counts: Counts) -> float | None:
    """Answered / offered (facts 3.2 [G3])."""
    return _share(counts.answered, counts.offered)


def asa(counts: Counts) -> float | None:
    """Average speed of answer, seconds: wait of the answered / answered. The wait includes the ring time;
    abandoned waits never enter (facts 3.2 [A1], [G3])."""
    return _share(counts.wait_answered, counts.answered)


def aht(counts: Counts) -> float | None:
    """Average handling time, seconds: (talk + hold + after-call work) / answered; our talk includes hold
    (facts 3.2 [G3])."""
    return _share(counts.talk + counts.wrap_up, counts.answered)


def longest_wait(entered: Iterable[float], now: float) -> float | None:
    """Seconds that the longest-waiting of those who wait now has waited. None when nobody waits."""
    first = min(entered, default=None)
    return None if first is None else max(0.0, now - first)


def percentile(values: Iterable[float], share: float) -> float | None:
    """The value below which `share` (0..1) of the values lie, interpolated linearly between neighbours
    (Hyndman and Fan's type 7, PostgreSQL's percentile_cont). None without values. Raises ValueError for a
    share outside 0..1."""
    if not 0 <= share <= 1:
        raise ValueError(f"share {share} is not between 0 and 1")
    ordered = sorted(values)
    if not ordered:
        return None
    place = (len(ordered) - 1) * share
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


# -- agents' time --------------------------------------------------------------------------------------------


class StateChange(Protocol):
    """What time-keeping needs of an agent's fact."""

    @property
    def at(self) -> float: ...
    @property
    def state(self) -> str: ...
    @property
    def reason(self) -> str: ...


@dataclass(frozen=True, slots=True)
class AgentTime:
    """Seconds an agent spent in each state within an interval, and the calls begun in it."""

    available: float = 0.0
    offered: float = 0.0
    talking: float = 0.0
    wrap_up: float = 0.0
    paused: Mapping[str, float] = field(default_factory=dict)  # by reason
    calls: int = 0

    @property
    def handling(self) -> float:
        """talk + after-call work."""
        return self.talking + self.wrap_up

    @property
    def logged_in(self) -> float:
        return self.available + self.offered + self.handling + sum(self.paused.values())


@dataclass(frozen=True, slots=True)
class AgentWork:
    """What an agent did in conversations that began in an interval. Durations in seconds."""

    handled: int = 0  # contacts that were the agent's
    helped: int = 0  # contacts of others in which the agent was asked, or called in
    talk: float = 0.0  # with customers of their own, alone or in conferences
    hold: float = 0.0  # their customers on hold
    consult: float = 0.0  # asking others, their customers on music
    helping: float = 0.0  # answering others, or in others' conferences
    wrap_up: float = 0.0

    @property
    def aht(self) -> float | None:
        """(talk + hold + consult + wrap-up) / handled: Genesys' handle time ([G3]); asking others is a part of handling
        a contact, helping others is not."""
        spent = self.talk + self.hold + self.consult + self.wrap_up
        return spent / self.handled if self.handled else None


def agent_time(changes: Sequence[StateChange], since: float, until: float) -> AgentTime:
    """Adds up an agent's states between `since` and `until`. `changes` in the order of time; to know the
    state at `since` they begin with the last change before it. A state lasts until the next change."""
    spent: dict[str, float] = {}
    paused: dict[str, float] = {}
    calls = 0
    ends = [change.at for change in changes[1:]] + [until]
    before = ""
    for change, end in zip(changes, ends, strict=True):
        seconds = max(0.0, min(end, until) - max(change.at, since))
        spent[change.state] = spent.get(change.state, 0.0) + seconds
        if change.state == AgentState.PAUSED and seconds:
            paused[change.reason] = paused.get(change.reason, 0.0) + seconds
        if change.state == AgentState.TALKING != before and since <= change.at < until:
            calls += 1
        before = change.state
    return AgentTime(
        available=spent.get(AgentState.AVAILABLE, 0.0),
        offered=spent.get(AgentState.OFFERED, 0.0),
        talking=spent.get(AgentState.TALKING, 0.0),
        wrap_up=spent.get(AgentState.WRAP_UP, 0.0),
        paused=paused,
        calls=calls,
    )


def occupancy(time: AgentTime) -> float | None:
    """Handling time / (handling + available time). Ringing is idle and pauses are not in the base (facts 3.2,
    AWS, [G3])."""
    return _share(time.handling, time.handling + time.available + time.offered)


def utilisation(time: AgentTime) -> float | None:
    """Handling time / logged-in time, pauses included (facts 3.2 [G3])."""
    return _share(time.handling, time.logged_in)


# -- names ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Formula:
    """How a number is named and explained on a page. `text` may hold {T} and {S}: see `explained`."""

    name: str
    label: str
    text: str
    source: str

    def explained(self, threshold: float, short_abandon: float = 5) -> str:
        """The formula with its seconds: `answered within 20 s ÷ offered`."""
        return self.text.replace("{T}", f"{threshold:g} s").replace("{S}", f"{short_abandon:g} s")


class UnknownFormula(ValueError):
    """There is no formula of this name."""


SERVICE_LEVELS: Mapping[str, Callable[[Counts], float | None]] = {
    "answered_in_time_over_offered": answered_in_time_over_offered,
    "short_abandons_excluded": short_abandons_excluded,
    "asterisk_sl": asterisk_sl,
    "asterisk_sl2": asterisk_sl2,
    "genesys": genesys,
    "eight_by_eight": eight_by_eight,
}
"""What a site may choose as `service_level_formula`."""

FORMULAS: Mapping[str, Formula] = {
    formula.name: formula
    for formula in (
        Formula(
            "answered_in_time_over_offered",
            "Service level",
            "answered within {T} ÷ offered",
            "strictest common form; offered as Genesys Cloud counts it",
        ),
        Formula(
            "short_abandons_excluded",
            "Service level without short abandons",
            "answered within {T} ÷ (offered − abandoned within {S})",
            "8x8, Genesys Cloud with short abandons excluded",
        ),
        Formula(
            "asterisk_sl",
            "Service level (Asterisk SL)",
            "answered within {T} ÷ answered",
            "Asterisk app_queue, ServicelevelPerf",
        ),
        Formula(
            "asterisk_sl2",
            "Service level (Asterisk SL2)",
            "(answered within {T} + abandoned within {T}) ÷ (answered + abandoned)",
            "Asterisk app_queue, ServicelevelPerf2",
        ),
        Formula(
            "genesys",
            "Service level (Genesys)",
            "answered within {T} ÷ (answered + abandoned)",
            "Genesys Cloud, default switches",
        ),
        Formula(
            "eight_by_eight",
            "Service level (8x8)",
            "answered within {T} ÷ (entered − abandoned within {S} − waiting for less than {T})",
            "8x8 VCC Analytics glossary",
        ),
        Formula("abandon_rate", "Abandoned", "abandoned ÷ offered", "Genesys Cloud"),
        Formula(
            "abandon_rate_without_short",
            "Abandoned without short abandons",
            "(abandoned − abandoned within {S}) ÷ (offered − abandoned within {S})",
            "8x8, Genesys Cloud",
        ),
        Formula("answer_rate", "Answered", "answered ÷ offered", "Genesys Cloud"),
        Formula(
            "asa",
            "Average speed of answer",
            "waiting time of the answered, ringing included ÷ answered",
            "Asterisk, Genesys Cloud",
        ),
        Formula("aht", "Average handling time", "(talk with hold + wrap-up) ÷ answered", "Genesys Cloud"),
        Formula("longest_wait", "Longest wait", "now − entry of who has waited longest in the queue", "every ACD"),
        Formula(
            "occupancy",
            "Occupancy",
            "(talk + wrap-up) ÷ (talk + wrap-up + available, ringing included)",
            "Amazon Connect, Genesys Cloud",
        ),
        Formula(
            "utilisation",
            "Utilisation",
            "(talk + wrap-up) ÷ logged-in time, pauses included",
            "Genesys Cloud",
        ),
    )
}


def service_level(name: str, counts: Counts) -> float | None:
    """The service level by a formula's name. Raises UnknownFormula."""
    if name not in SERVICE_LEVELS:
        raise UnknownFormula(f"service level formula {name!r} is none of {', '.join(SERVICE_LEVELS)}")
    return SERVICE_LEVELS[name](counts)


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole > 0 else None
