"""Routing in words that an admin understands: why a contact waits, and why an agent gets no calls.

Both take what `routing.decide` takes and look into the very same round, so they cannot tell another story than it.
"""

from collections.abc import Iterable, Mapping

from contactcentre.domain.agents import AgentState, AgentStatus
from contactcentre.domain.routing import Cut, Decision, Round, RoutingConfig, Waiting, words
from contactcentre.domain.terms import QueueRules

NAMED = 5
"""Contacts that `why_agent` names per queue."""


def explain(
    contact_id: str,
    waiting: Iterable[Waiting],
    agents: Mapping[str, AgentStatus],
    config: RoutingConfig,
    now: float,
    reachable: Mapping[str, bool],
) -> list[str]:
    """Why this contact waits, or who gets it: one line per fact."""
    everybody = list(waiting)
    contact = next((one for one in everybody if one.contact_id == contact_id), None)
    if contact is None:
        return [f"Contact {contact_id} does not wait in any queue."]
    round_ = Round(everybody, agents, config, now, reachable)
    round_.decide(before=contact_id)
    decision = round_.reason(contact)
    lines = [
        f"Contact {contact_id} waits in queue {contact.queue}: {_seconds(now - contact.entered)} there, "
        f"{_seconds(now - contact.arrived)} since it arrived; {_claim(contact, config, now)}."
    ]
    lines += _place(contact, round_)
    lines += _needs(contact, decision, config, now)
    if decision.agent:
        lines.append(f"Agent {decision.agent} gets it now ({decision.rule}).")
    else:
        lines.append(f"Nobody gets it now: {decision.rule}.")
    if decision.candidates:
        said = config.rules[contact.queue].strategy.words
        named = ", ".join(f"{name} ({said(score)})" for name, score in decision.candidates)
        more = decision.fitting - len(decision.candidates)
        lines.append(f"Candidates in order: {named}{f' and {more} more' if more > 0 else ''}.")
    lines += [f"Not {name}: {_right_of_way(text, round_)}." for name, text in decision.cut]
    if decision.left_out:
        lines.append(f"{decision.left_out} more agents are no candidates either.")
    return lines


def why_agent(
    name: str,
    waiting: Iterable[Waiting],
    agents: Mapping[str, AgentStatus],
    config: RoutingConfig,
    now: float,
    reachable: Mapping[str, bool],
) -> list[str]:
    """Why this agent gets calls or none: state, skills, and each queue with the contacts that wait there."""
    if name not in config.levels:
        return [f"Agent {name} is not in the site."]
    round_ = Round(waiting, agents, config, now, reachable)
    everybody = round_.in_order(round_.waiting)
    status = agents.get(name, AgentStatus(name))
    lines = [_state(status, now)]
    if status.then:
        lines.append(f"After that: {status.then.replace(':', ' (') + ')' if ':' in status.then else status.then}.")
    if status.state is AgentState.AVAILABLE and not reachable.get(name, True):
        lines.append("The phone is not registered or does not answer: no calls until it does.")
    if status.state is AgentState.AVAILABLE and status.not_before > now:
        lines.append(f"A delay after a missed offer runs for {_seconds(status.not_before - now)} more.")
    levels = config.levels[name]
    lines.append(
        "Skills: " + (", ".join(f"{skill} {level}" for skill, level in sorted(levels.items())) or "none") + "."
    )
    decisions = {decision.contact_id: decision for decision in round_.decide()}
    strangers = [queue for queue, rules in config.rules.items() if name not in rules.members]
    for queue in config.rules:
        if queue not in strangers:
            lines += _queue(queue, name, [one for one in everybody if one.queue == queue], round_, decisions)
    if strangers:
        lines.append(f"Not a member of: {', '.join(sorted(strangers))}.")
    mine = next((decision for decision in decisions.values() if decision.agent == name), None)
    if mine is not None:
        lines.append(f"Gets contact {mine.contact_id} of queue {mine.queue} now ({mine.rule}).")
    return lines


def _claim(contact: Waiting, config: RoutingConfig, now: float) -> str:
    """What its right of way comes from."""
    claims = config.claims(contact.queue)
    parts = [f"priority {contact.priority}"]
    if contact.group in claims.groups:
        parts.append(f"{claims.groups[contact.group]} as group {contact.group}")
    score = claims.score(contact, now)
    if claims.rate:
        parts.append(f"{score - claims.points(contact):g} for waiting")
    return parts[0] if len(parts) == 1 else f"score {score:g}: {' + '.join(parts)}"


def _place(contact: Waiting, round_: Round) -> list[str]:
    if contact.offered:
        return []
    others = round_.in_order(one for one in round_.waiting if not one.offered)
    before = others[: others.index(contact)]
    own = sum(1 for one in before if one.queue == contact.queue)
    return [f"It is number {own + 1} in its queue and number {len(before) + 1} over all queues."]


def _needs(contact: Waiting, decision: Decision, config: RoutingConfig, now: float) -> list[str]:
    rules = config.rules.get(contact.queue)
    if rules is None:
        return []
    lines = [
        f"It needs {decision.requirement or 'any'}" + (f" (its own: {contact.requires})" if contact.requires else "")
    ]
    step = config.step(contact, now)
    if step and rules.steps[step].requirement is not rules.steps[0].requirement:
        after = rules.steps[step].after
        lines[0] += f"; the queue's part was relaxed after {_seconds(after)} (step {step} of {len(rules.steps) - 1})"
    lines[0] += "."
    if step + 1 < len(rules.steps):
        lines.append(f"In {_seconds(contact.entered + rules.steps[step + 1].after - now)} {_relaxed(rules, step + 1)}.")
    if config.asks_preferred(contact, now):
        left = _seconds(contact.entered + rules.prefer_for - now)
        lines.append(f"It prefers {', '.join(contact.preferred)} for {left} more.")
    if contact.excluded:
        lines.append(f"It must not get: {', '.join(contact.excluded)}.")
    return lines


def _relaxed(rules: QueueRules, step: int) -> str:
    """What a step changes."""
    before, then = rules.steps[step - 1], rules.steps[step]
    parts = []
    if then.requirement != before.requirement:
        parts.append(f"the queue's part is relaxed to {then.requirement}")
    if new := [name for name in then.members if name not in before.members]:
        parts.append(
            f"the queue also asks {', '.join(new[:NAMED])}{f' and {len(new) - NAMED} more' * (len(new) > NAMED)}"
        )
    return " and ".join(parts) or "nothing changes"


def _right_of_way(text: str, round_: Round) -> str:
    rule, _, contact_id = text.partition(": ")
    if rule != Cut.TAKEN:
        return text
    first = next((one for one in round_.taken.values() if one.contact_id == contact_id), None)
    if first is None:
        return text
    waited = _seconds(round_.now - first.arrived)
    return f"{text} (queue {first.queue}, {_claim(first, round_.config, round_.now)}, arrived {waited} ago)"


def _state(status: AgentStatus, now: float) -> str:
    lasting = f"for {_seconds(now - status.since)}"
    match status.state:
        case AgentState.AVAILABLE:
            idle = _seconds(now - status.idle_since)
            return f"Agent {status.name} is available {lasting}; idle time counts from {idle} ago."
        case AgentState.LOGGED_OUT:
            return f"Agent {status.name} is logged out: no calls until login."
        case AgentState.PAUSED:
            return f"Agent {status.name} is paused ({status.reason or 'no reason'}) {lasting}: no calls until unpaused."
        case AgentState.WRAP_UP:
            left = _seconds(max(0.0, status.deadline - now))
            return (
                f"Agent {status.name} is in wrap-up of contact {status.contact_id} {lasting}, {left} at most are left."
            )
        case _:
            doing = "is talking with" if status.state is AgentState.TALKING else "rings for"
            return f"Agent {status.name} {doing} contact {status.contact_id} of queue {status.queue} {lasting}."


def _queue(
    queue: str, name: str, contacts: list[Waiting], round_: Round, decisions: Mapping[str, Decision]
) -> list[str]:
    plain = Waiting("", queue, entered=round_.now)
    terms = round_.config.terms(plain, round_.now)
    if terms is None:
        return []
    why_not = terms.requirement.why_not(round_.config.levels[name])
    fits = f"does not fit: {why_not}" if why_not else f"fits ({terms.requirement})"
    lines = [f"Queue {queue}: {fits}; {len(contacts) or 'nobody'} waiting."]
    for contact in contacts[:NAMED]:
        decision = decisions.get(contact.contact_id)
        if contact.offered:
            lines.append(f"  Contact {contact.contact_id}: {contact.offered} rings for it.")
        elif decision is not None and decision.agent != name:
            lines.append(f"  Contact {contact.contact_id}: {decision.agent} gets it ({decision.rule}).")
        elif decision is None:
            lines.append(f"  Contact {contact.contact_id}: {_why_not_this(contact, name, round_)}.")
    if len(contacts) > NAMED:
        lines.append(f"  and {len(contacts) - NAMED} more contacts.")
    return lines


def _why_not_this(contact: Waiting, name: str, round_: Round) -> str:
    terms = round_.config.terms(contact, round_.now)
    if terms is None:
        return "its requirement cannot be read"
    cut = round_.why_cut(contact, terms, name)
    return words(*cut) if cut is not None else "goes to nobody yet"


def _seconds(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"
