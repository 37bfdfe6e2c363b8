"""What routing found about one contact, as people and programs are told it: the same words for a decision that is made
now (`domain.explain`) and for one that history holds (`domain.story`, `domain.shift`)."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from contactcentre.domain.ids import short
from contactcentre.domain.routing import Cut, Decision
from contactcentre.domain.sentences import Phrase, joined, phrase
from contactcentre.domain.strategies import strategy_named
from contactcentre.domain.terms import QueueRules

NAMED = 8
"""So many names stand in one line; the rest is counted."""

_CUTS = {str(cut): cut for cut in Cut}
_OF_A_CONTACT = frozenset({Cut.TAKEN, Cut.OFFERED, Cut.TALKING, Cut.WRAP_UP})
"""Rules whose detail is the id of a contact."""


@dataclass(frozen=True, slots=True)
class Candidate:
    agent: str
    score: float | None  # what the strategy looks at; None: not noted
    words: str  # the score as people say it


@dataclass(frozen=True, slots=True)
class NotAsked:
    """An agent who was no candidate."""

    agent: str
    code: str  # the rule's stable name, such as "lacks_skill"; "" of a rule that is not known here
    rule: str  # in words
    detail: str  # of the rule: the pause's reason, the contact's id, what is needed and what is there

    @property
    def short_detail(self) -> str:
        """For people."""
        return short(self.detail)

    @property
    def contact_id(self) -> str:
        """The contact that keeps the agent; "" = none does."""
        return self.detail if _CUTS.get(self.rule) in _OF_A_CONTACT else ""


@dataclass(frozen=True, slots=True)
class Finding:
    """One decision: its agent ("" = nobody) and all that speaks for it."""

    queue: str
    agent: str
    rule: str  # in words
    requirement: str = ""  # what was asked for, all in one expression
    candidates: tuple[Candidate, ...] = ()  # in order; the best ones only
    cut: tuple[NotAsked, ...] = ()  # the nearest misses only
    fitting: int = 0  # candidates, also those not named
    left_out: int = 0  # who was no candidate either, and is not named

    @classmethod
    def of(cls, decision: Decision) -> "Finding":
        return cls(
            decision.queue,
            decision.agent,
            decision.rule,
            decision.requirement,
            _candidates(decision.candidates, decision.rule),
            tuple(_not_asked(name, text) for name, text in decision.cut),
            decision.fitting,
            decision.left_out,
        )

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> "Finding":
        """From the data of a `routing.decision`, as some version of a controller wrote it."""
        rule = _text(data, "rule")
        cut = [(str(one[0]), str(one[1])) if _is_pair(one) else (str(one), "") for one in _list(data, "cut")]
        return cls(
            _text(data, "queue"),
            _text(data, "agent"),
            rule,
            _text(data, "requirement"),
            _candidates(_list(data, "candidates"), rule),
            tuple(_not_asked(name, text or "no reason was noted") for name, text in cut),
            _count(data, "fitting"),
            _count(data, "left_out"),
        )

    @property
    def rule_said(self) -> Phrase:
        """The rule, with what the strategy looked at, as pages may say it in another language."""
        found = re.fullmatch(r"([\w-]+): (.*), first of (\d+)", self.rule)
        if found is None or not self.candidates or self.candidates[0].words != found[2]:
            return phrase(self.rule)
        best = self.candidates[0].words
        return phrase("%(strategy)s: %(words)s, first of %(number)s", strategy=found[1], words=best, number=found[3])

    @property
    def headline(self) -> str:
        return (
            phrase("%(agent)s was chosen: %(rule)s.", agent=self.agent, rule=self.rule_said)
            if self.agent
            else phrase("Nobody was chosen: %(rule)s.", rule=self.rule_said)
        )

    @property
    def by_rule(self) -> dict[str, list[NotAsked]]:
        """Who was no candidate, the nearest misses first."""
        found: dict[str, list[NotAsked]] = defaultdict(list)
        for one in self.cut:
            found[one.rule].append(one)
        return found

    def reasons(self, about: Callable[[NotAsked], str] | None = None) -> tuple[str, ...]:
        """The candidates, and who was none by which rule: a line each. `about` tells the detail of one agent in other
        words."""
        lines = []
        if self.candidates:
            more = self.fitting - len(self.candidates)
            named = [
                phrase("%(agent)s (%(words)s)", agent=one.agent, words=one.words) if one.words else one.agent
                for one in self.candidates
            ]
            lines.append(
                phrase(
                    "Candidates in order: %(named)s%(more)s.",
                    named=joined(", ", named),
                    more=phrase(" and %(more)s more", more=more) if more > 0 else "",
                )
            )
        for rule, agents in self.by_rule.items():
            if agents[0].code:
                lines.append(
                    phrase(
                        "%(rule)s: %(agents)s.",
                        rule=phrase(capital(rule)),
                        agents=several(_said(one, about) for one in agents),
                    )
                )
            else:
                lines.append(
                    phrase("Not %(agent)s: %(rule)s.", agent=several(one.agent for one in agents), rule=phrase(rule))
                )
        if self.left_out:
            lines.append(phrase("%(left_out)s more agents were no candidates either.", left_out=self.left_out))
        return tuple(lines)


def _said(one: NotAsked, about: Callable[[NotAsked], str] | None) -> str:
    detail = about(one) if about else one.short_detail
    return phrase("%(agent)s (%(words)s)", agent=one.agent, words=detail) if detail else one.agent


def _candidates(listed: Iterable[Any], rule: str) -> tuple[Candidate, ...]:
    strategy = strategy_named(rule.partition(":")[0])
    found = []
    for one in listed:
        match one:
            case [name, int() | float() as score]:
                found.append(Candidate(str(name), score, strategy.words(score) if strategy else f"{score:g}"))
            case [name, *_]:
                found.append(Candidate(str(name), None, ""))
            case _:
                found.append(Candidate(str(one), None, ""))
    return tuple(found)


def _not_asked(agent: str, text: str) -> NotAsked:
    rule, _, detail = text.partition(": ")
    cut = _CUTS.get(rule)
    if cut is None:
        return NotAsked(agent, "", text, "")
    return NotAsked(agent, cut.name.lower(), rule, detail)


def _text(data: Mapping[str, Any], key: str) -> str:
    value = data.get(key)
    return value if isinstance(value, str) else ""


def _list(data: Mapping[str, Any], key: str) -> Sequence[Any]:
    value = data.get(key)
    return value if isinstance(value, list | tuple) else ()


def _count(data: Mapping[str, Any], key: str) -> int:
    value = data.get(key, 0)
    return value if isinstance(value, int) else 0


def _is_pair(value: Any) -> bool:
    return isinstance(value, list | tuple) and len(value) == 2


# -- pieces of sentences ----------------------------------------------------------------------------------------------


def several(names: Iterable[str], named: int = NAMED) -> str:
    """`anna, bob and 3 more`."""
    every = list(names)
    more = len(every) - named
    return (
        phrase("%(every)s and %(more)s more", every=joined(", ", every[:named]), more=more)
        if more > 0
        else joined(", ", every)
    )


def capital(text: str) -> str:
    """As a sentence begins."""
    return text[:1].upper() + text[1:]


def lasting(seconds: float) -> str:
    """`0.4 s`, `90 s`, `12 min 5 s`, `2 h 3 min`."""
    if seconds < 120:
        return f"{seconds:.1f} s" if 0 < seconds < 9.95 and round(seconds, 1) != round(seconds) else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return (
        phrase("%(minutes)s min %(rest)s s", minutes=minutes, rest=rest)
        if minutes < 120
        else phrase("%(minutes)s h %(minutes_)s min", minutes=minutes // 60, minutes_=minutes % 60)
    )


def step_in_words(rules: QueueRules, step: int) -> str:
    """What a queue's relax step changes."""
    before, then = rules.steps[step - 1], rules.steps[step]
    parts = []
    if then.requirement != before.requirement:
        parts.append(phrase("the queue's part is relaxed to %(requirement)s", requirement=then.requirement))
    if new := [name for name in then.members if name not in before.members]:
        parts.append(phrase("the queue also asks %(new)s", new=several(new)))
    if len(parts) == 2:
        return phrase("%(one)s and %(other)s", one=parts[0], other=parts[1])
    return parts[0] if parts else phrase("nothing changes")
