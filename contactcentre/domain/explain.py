"""Why a contact waits, and why an agent gets no calls: routing at one moment, as facts and in words.

A look is one round of `domain.routing`, so it cannot tell another story than the decision. It costs one decision over
everybody, however many questions are then asked.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from functools import cached_property
from types import MappingProxyType

from contactcentre.domain.agents import AgentState, AgentStatus
from contactcentre.domain.conditions import must_leave
from contactcentre.domain.day import skills_now
from contactcentre.domain.ids import short
from contactcentre.domain.order import BY_SERVICE_LEVEL
from contactcentre.domain.routing import Cut, Decision, Round, RoutingConfig, Waiting
from contactcentre.domain.sentences import joined, phrase
from contactcentre.domain.standing import Claim, ContactThere, InQueue, Readiness, Standing
from contactcentre.domain.telling import Finding, NotAsked, lasting, several, step_in_words
from contactcentre.domain.terms import QueueRules

NAMED = 5
"""Contacts that are told of each queue of an agent."""


class Look:
    """`Round`'s arguments, all of one moment."""

    def __init__(
        self,
        waiting: Iterable[Waiting],
        agents: Mapping[str, AgentStatus],
        config: RoutingConfig,
        now: float,
        reachable: Mapping[str, bool],
        phones: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """`phones`: in words, what keeps an agent's phone from ringing."""
        self._agents, self._config, self._now, self._reachable = agents, config, now, reachable
        self._phones = phones
        self._round = Round(waiting, agents, config, now, reachable)
        self._decisions = {decision.contact_id: decision for decision in self._round.decide()}
        self._more = self._round.more()

    @cached_property
    def _order(self) -> list[Waiting]:
        return self._round.in_order(self._round.waiting)

    @cached_property
    def _places(self) -> dict[str, tuple[int, int]]:
        """Contact -> its place in its queue and over all, from 1, of those for whom nobody rings."""
        own: Counter[str] = Counter()
        places = {}
        for number, contact in enumerate((one for one in self._order if not one.offered), 1):
            own[contact.queue] += 1
            places[contact.contact_id] = own[contact.queue], number
        return places

    @cached_property
    def _of_queue(self) -> dict[str, list[Waiting]]:
        found = defaultdict(list)
        for contact in self._order:
            found[contact.queue].append(contact)
        return found

    @cached_property
    def _ringing(self) -> dict[str, tuple[str, ...]]:
        found: dict[str, tuple[str, ...]] = {}
        for name, status in sorted(self._agents.items()):
            if status.state is AgentState.OFFERED:
                found[status.contact_id] = (*found.get(status.contact_id, ()), name)
        return found

    # -- a contact ----------------------------------------------------------------------------------------------------

    def contact(self, contact_id: str) -> Standing | None:
        """None: it does not wait in any queue."""
        contact = self._round.index.waiting.get(contact_id)
        if contact is None:
            return None
        decision = self._decisions.get(contact_id) or self._round.reason(contact)
        finding, claim = Finding.of(decision), self._claim(contact)
        place = self._places.get(contact_id)
        rules, step = self._config.rules.get(contact.queue), self._config.step(contact, self._now)
        steps = rules.steps if rules else ()
        ringing = self._ringing.get(contact_id, (contact.offered,) if contact.offered else ())
        waited = self._now - contact.entered
        lines: list[str] = [
            phrase(
                "Contact %(contact)s waits in queue %(queue)s: %(waited)s there, "
                "%(arrived)s since it arrived; %(words)s.",
                contact=short(contact_id),
                queue=contact.queue,
                waited=lasting(waited),
                arrived=lasting(self._now - contact.arrived),
                words=claim.words,
            )
        ]
        if place:
            lines.append(
                phrase(
                    "It is number %(place)s in its queue and number %(place_)s over all queues.",
                    place=place[0],
                    place_=place[1],
                )
            )
        lines += self._asked(contact, decision, rules, step)
        lines += self._verdict(contact, decision, ringing)
        lines += finding.reasons(self._about)
        further = step + 1 < len(steps)
        return Standing(
            contact_id=contact_id,
            queue=contact.queue,
            node=contact.node,
            waited=waited,
            since_arrival=self._now - contact.arrived,
            claim=claim,
            position=place[0] if place else None,
            position_of_all=place[1] if place else None,
            own_requirement=contact.requires,
            step=step,
            steps=max(0, len(steps) - 1),
            next_step_in=contact.entered + steps[step + 1].after - self._now if further else None,
            next_step=step_in_words(rules, step + 1) if rules and further else "",
            preferred=contact.preferred,
            preferred_for=rules.preferred_until(contact) - self._now
            if rules and self._config.asks_preferred(contact, self._now)
            else None,
            excluded=contact.excluded,
            tried=contact.tried,
            ringing=ringing,
            finding=finding,
            lines=tuple(lines),
        )

    def _claim(self, contact: Waiting) -> Claim:
        claims = self._config.claims(contact.queue)
        group, score = claims.groups.get(contact.group, 0), claims.score(contact, self._now)
        gained = round(score - claims.points(contact), 2) if claims.rate else 0.0
        parts = [phrase("priority %(priority)s", priority=contact.priority)]
        if contact.group in claims.groups:
            parts.append(phrase("%(group)s as group %(group_)s", group=group, group_=contact.group))
        if claims.rate:
            parts.append(phrase("%(gained)s for waiting", gained=format(gained, "g")))
        if self._config.by == BY_SERVICE_LEVEL and claims.rate:
            parts[-1] = phrase(
                "%(gained)s for waiting (it has used %(share)s %% of the queue's service level)",
                gained=format(gained, "g"),
                share=round(gained),
            )
        said = (
            parts[0]
            if len(parts) == 1
            else phrase("score %(score)s: %(parts)s", score=format(score, "g"), parts=joined(" + ", parts))
        )
        return Claim(score, contact.priority, group, gained, said)

    def _asked(self, contact: Waiting, decision: Decision, rules: QueueRules | None, step: int) -> list[str]:
        """What it asks for: the requirement, its steps, the agents it prefers and those it must not get."""
        if rules is None:
            return []
        own = phrase(" (its own: %(requires)s)", requires=contact.requires) if contact.requires else ""
        relaxed = ""
        if step and rules.steps[step].requirement is not rules.steps[0].requirement:
            after = lasting(rules.steps[step].after)
            relaxed = phrase(
                "; the queue's part was relaxed after %(after)s (step %(step)s of %(steps)s)",
                after=after,
                step=step,
                steps=len(rules.steps) - 1,
            )
        needs = decision.requirement or phrase("any")
        lines: list[str] = [
            phrase("It needs %(requirement)s%(own)s%(relaxed)s.", requirement=needs, own=own, relaxed=relaxed)
        ]
        if new := [name for name in rules.steps[step].members if name not in rules.steps[0].members]:
            lines.append(phrase("By now the queue also asks %(new)s.", new=several(new)))
        if step + 1 < len(rules.steps):
            due = contact.entered + rules.steps[step + 1].after - self._now
            lines.append(phrase("In %(due)s %(what)s.", due=lasting(due), what=step_in_words(rules, step + 1)))
        lines += self._preferred(contact, rules)
        if contact.excluded:
            lines.append(phrase("It must not get: %(excluded)s.", excluded=", ".join(contact.excluded)))
        if contact.tried:
            lines.append(phrase("Who did not answer it comes last: %(tried)s.", tried=", ".join(contact.tried)))
        return lines

    def _preferred(self, contact: Waiting, rules: QueueRules) -> list[str]:
        terms = self._config.terms(contact, self._now)
        if terms is None or not self._config.asks_preferred(contact, self._now):
            return []
        left = lasting(rules.preferred_until(contact) - self._now)
        lines: list[str] = [
            phrase("It prefers %(preferred)s for %(left)s more.", preferred=", ".join(contact.preferred), left=left)
        ]
        awaited = self._round.index.preferred(contact, terms)
        for name in (name for name in dict.fromkeys(contact.preferred) if name not in awaited):
            cut = self._round.why_cut(contact, terms, name)
            why = _why_not_awaited(name in contact.tried, cut)
            lines.append(phrase("It does not wait for %(name)s: %(why)s.", name=name, why=why))
        return lines

    def _verdict(self, contact: Waiting, decision: Decision, ringing: tuple[str, ...]) -> list[str]:
        also = [one.agent for one in self._more if one.contact_id == contact.contact_id]
        lines: list[str]
        if decision.agent:
            lines = [
                phrase(
                    "Agent %(agent)s gets it now (%(rule)s).", agent=decision.agent, rule=Finding.of(decision).rule_said
                )
            ]
        elif ringing:
            lines = [
                phrase(
                    "Nobody gets it now: an agent is ringing for it already: %(ringing)s.", ringing=", ".join(ringing)
                )
            ]
        else:
            lines = [phrase("Nobody gets it now: %(rule)s.", rule=Finding.of(decision).rule_said)]
        if also:
            lines.append(phrase("The phones of %(also)s ring as well.", also=several(also)))
        refused = must_leave(contact, self._agents, self._config, self._now, self._reachable, max_wait=0)
        if refused is not None and not decision.agent:
            lines.append(phrase("It has to leave the queue: %(rule)s.", rule=phrase(refused.rule)))
        return lines

    def _about(self, one: NotAsked) -> str:
        """Of a contact with right of way, also where it stands."""
        first = self._round.index.waiting.get(one.contact_id)
        if one.rule != Cut.TAKEN or first is None:
            return short(one.detail)
        waited = lasting(self._now - first.arrived)
        return phrase(
            "%(detail)s, queue %(queue)s, %(words)s, arrived %(waited)s ago",
            detail=short(one.detail),
            queue=first.queue,
            words=self._claim(first).words,
            waited=waited,
        )

    # -- an agent -----------------------------------------------------------------------------------------------------

    def agent(self, name: str) -> Readiness | None:
        """None: there is no such agent in the site."""
        if name not in self._config.levels:
            return None
        status, levels = self._agents.get(name, AgentStatus(name)), self._config.levels[name]
        reachable = self._reachable.get(name, True)
        delay = max(0.0, status.not_before - self._now)
        lines = [_state(status, self._now)]
        if status.by:
            note = f": {status.note}" if status.note else ""
            lines.append(phrase("By %(who)s%(note)s.", who=status.by, note=note))
        if status.then:
            wish = status.then.replace(":", " (") + ")" if ":" in status.then else status.then
            lines.append(phrase("After that: %(wish)s.", wish=wish))
        if status.state is AgentState.AVAILABLE and not reachable:
            lines.append(self._phones.get(name, phrase("The phone cannot ring: no calls until it can.")))
        if status.state is AgentState.AVAILABLE and delay:
            lines.append(phrase("The delay after the last offer runs for %(delay)s more.", delay=lasting(delay)))
        if status.misses:
            lines.append(phrase("Offers not answered in a row: %(misses)s.", misses=status.misses))
        lines.append(
            phrase(
                "Skills: %(levels)s.",
                levels=", ".join((f"{skill} {level}" for skill, level in sorted(levels.items()))) or phrase("none"),
            )
        )
        if today := skills_now(status, self._now):
            told = joined(
                ", ",
                (
                    f"{skill} {level}" if level else phrase("without %(skill)s", skill=skill)
                    for skill, level in today.items()
                ),
            )
            lines.append(
                phrase(
                    "For today: %(told)s, for %(now)s more.", told=told, now=lasting(status.skills_until - self._now)
                )
            )
        strangers = tuple(sorted(queue for queue, rules in self._config.rules.items() if name not in rules.members))
        queues = tuple(self._queue(queue, name) for queue in self._config.rules if queue not in strangers)
        for one in queues:
            fits = phrase("fits (%(requirement)s)", requirement=one.requirement) if one.fits else one.why_not
            lines.append(
                phrase(
                    "Queue %(queue)s: %(fits)s; %(waiting)s waiting.",
                    queue=one.queue,
                    fits=fits,
                    waiting=one.waiting or phrase("nobody"),
                )
            )
            lines += [
                phrase("  Contact %(contact_id)s: %(why)s.", contact_id=short(there.contact_id), why=there.why)
                for there in one.contacts
            ]
            if one.contacts and one.waiting > NAMED:
                lines.append(phrase("  and %(waiting)s more contacts.", waiting=one.waiting - NAMED))
        if strangers:
            lines.append(phrase("Not a member of: %(strangers)s.", strangers=several(strangers)))
        decisions = (*self._decisions.values(), *self._more)
        mine = next((decision for decision in decisions if decision.agent == name), None)
        if mine is not None:
            lines.append(
                phrase(
                    "Gets contact %(contact_id)s of queue %(queue)s now (%(rule)s).",
                    contact_id=short(mine.contact_id),
                    queue=mine.queue,
                    rule=phrase(mine.rule),
                )
            )
        return Readiness(
            agent=name,
            state=status.state.value,
            since=status.since,
            reason=status.reason,
            contact_id=status.contact_id,
            then=status.then,
            reachable=reachable,
            delay=delay,
            misses=status.misses,
            skills=levels,
            queues=queues,
            not_member_of=strangers,
            gets=mine.contact_id if mine else "",
            lines=tuple(lines),
        )

    def _queue(self, queue: str, name: str) -> InQueue:
        rules, contacts = self._config.rules[queue], self._of_queue.get(queue, [])
        first = next(step for step in rules.steps if name in step.members)
        unfit = first.requirement.why_not(self._config.levels[name])
        why_not = phrase("does not fit: %(unfit)s", unfit=unfit) if unfit else ""
        if first.after:
            later = phrase("is asked after %(after)s of waiting", after=lasting(first.after))
            why_not = phrase("%(later)s and %(why_not)s", later=later, why_not=why_not) if unfit else later
        there = []
        free = name in self._agents and self._agents[name].state is AgentState.AVAILABLE  # else that is why
        for contact in contacts[:NAMED] if free else ():
            decision = self._decisions.get(contact.contact_id)
            if contact.offered:
                ringing = self._ringing.get(contact.contact_id, (contact.offered,))
                there.append(
                    ContactThere(contact.contact_id, phrase("rings at %(ringing)s", ringing=", ".join(ringing)))
                )
            elif decision is not None and decision.agent != name:
                there.append(
                    ContactThere(
                        contact.contact_id,
                        phrase(
                            "%(agent)s gets it (%(rule)s)", agent=decision.agent, rule=Finding.of(decision).rule_said
                        ),
                    )
                )
            elif decision is None:
                there.append(ContactThere(contact.contact_id, self._why_not_this(contact, name)))
        return InQueue(queue, not why_not, why_not, str(first.requirement), len(contacts), tuple(there))

    def _why_not_this(self, contact: Waiting, name: str) -> str:
        terms = self._config.terms(contact, self._now)
        if terms is None:
            return phrase("its requirement cannot be read")
        cut = self._round.why_cut(contact, terms, name)
        return _told(*cut) if cut is not None else phrase("goes to nobody yet")


def _told(cut: Cut, detail: str) -> str:
    return phrase("%(rule)s: %(detail)s", rule=phrase(cut), detail=short(detail)) if detail else phrase(cut)


def _why_not_awaited(tried: bool, cut: tuple[Cut, str] | None) -> str:
    if tried:
        return phrase("did not answer it")
    return _told(*cut) if cut else phrase("does not count")


def _state(status: AgentStatus, now: float) -> str:
    during = phrase("for %(since)s", since=lasting(now - status.since))
    match status.state:
        case AgentState.AVAILABLE:
            idle = lasting(now - status.idle_since)
            return phrase(
                "Agent %(name)s is available %(during)s; idle time counts from %(idle)s ago.",
                name=status.name,
                during=during,
                idle=idle,
            )
        case AgentState.LOGGED_OUT:
            return phrase("Agent %(name)s is logged out: no calls until login.", name=status.name)
        case AgentState.PAUSED:
            missed = phrase(" after offers that were not answered") if status.reason == "missed" else ""
            return phrase(
                "Agent %(name)s is paused (%(reason)s) %(during)s%(missed)s: no calls until unpaused.",
                name=status.name,
                reason=status.reason or phrase("no reason"),
                during=during,
                missed=missed,
            )
        case AgentState.WRAP_UP:
            left, contact = lasting(max(0.0, status.deadline - now)), short(status.contact_id)
            return phrase(
                "Agent %(name)s is in wrap-up of contact %(contact)s %(during)s, %(left)s at most are left.",
                name=status.name,
                contact=contact,
                during=during,
                left=left,
            )
        case _:
            doing = phrase("is talking with") if status.state is AgentState.TALKING else phrase("rings for")
            contact = short(status.contact_id)
            return phrase(
                "Agent %(name)s %(doing)s contact %(contact)s of queue %(queue)s %(during)s.",
                name=status.name,
                doing=doing,
                contact=contact,
                queue=status.queue,
                during=during,
            )
