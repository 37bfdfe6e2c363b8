"""The rules of a site that span objects. Each problem names the value, the rule and what would be right."""

import difflib
import ipaddress
import re
import zoneinfo
from collections.abc import Collection, Iterator

from contactcentre.domain import conditions, hours, requirements, screen_pop
from contactcentre.domain.devices import account_of, trunk_out, web_account
from contactcentre.domain.flows.check import Knows
from contactcentre.domain.flows.check import check as check_flow
from contactcentre.domain.flows.diverting import LEAVE_MESSAGE
from contactcentre.domain.flows.graph import circles
from contactcentre.domain.flows.leaving import CALLBACK_NOTED, REVIEW, REVIEW_LAST
from contactcentre.domain.flows.model import read as read_flow
from contactcentre.domain.keying import clashes
from contactcentre.domain.numbers import canonical, known_calling_code
from contactcentre.domain.site import Queue, Site
from contactcentre.domain.strategies import ALIASES, STRATEGIES, strategy_named
from contactcentre.provision.problems import Problem, dotted, shown
from contactcentre.provision.uses import destinations

RESERVED = frozenset(
    {"general", "global", "globals", "system", "anonymous", "default", "contactcentre", "acl", "domain_alias"}
)
"""Names that mean something else in a PBX's configuration."""
RESERVED_PREFIXES = ("transport-", "contactcentre-")


def check(site: Site, knows: Knows | None = None) -> list[Problem]:
    """Everything wrong between the parts of a site whose values are well formed; empty when it can be
    provisioned."""
    return [
        *_settings(site),
        *_trunks(site),
        *_dids(site),
        *_skills(site),
        *_queues(site, knows),
        *_recording_prompts(site, knows),
        *_agents(site),
        *_mentors(site),
        *_endpoint_names(site),
        *_dialled_numbers(site),
        *_hours(site),
        *_flows(site, knows),
    ]


def _unknown(where: str, kind: str, name: str, known: Collection[str]) -> Problem:
    near = difflib.get_close_matches(name, known, 1, 0.6)
    if near:
        hint = f"; did you mean {near[0]}?"
    else:
        hint = f"; known: {', '.join(sorted(known)[:12])}" if known else f"; the site has no {kind}s"
    return Problem(where, f"unknown-{kind}", f"there is no {kind} {name}{hint}")


def _external(site: Site) -> Iterator[Problem]:
    """Who is called at a number outside is called through a trunk."""
    if trunk_out(site) is None:
        for name, agent in site.agents.items():
            if agent.external:
                hint = "name one of the trunks in settings.outbound_trunk" if site.trunks else "the site has no trunk"
                yield Problem(f"agents.{name}.external", "no-trunk", f"{agent.external} cannot be called: {hint}")


def _settings(site: Site) -> Iterator[Problem]:
    yield from _timezone("settings.timezone", site.settings.timezone)
    if site.settings.outbound_trunk and site.settings.outbound_trunk not in site.trunks:
        yield _unknown("settings.outbound_trunk", "trunk", site.settings.outbound_trunk, site.trunks)
    yield from _external(site)
    for index, beginning in enumerate(site.settings.transfer_numbers):
        if beginning.startswith("+") and not known_calling_code(beginning):
            where = f"settings.transfer_numbers.{index}"
            yield Problem(where, "number", f"no telephone number begins with {beginning}")
    seen: set[str] = set()
    for index, reason in enumerate(site.settings.pause_reasons):
        if reason in seen:
            yield Problem(f"settings.pause_reasons.{index}", "duplicate", f"{reason} appears twice")
        seen.add(reason)


def _trunks(site: Site) -> Iterator[Problem]:
    sources: dict[str, str] = {}
    for name, trunk in site.trunks.items():
        where = f"trunks.{name}"
        if trunk.registration and not trunk.username:
            yield Problem(f"{where}.username", "missing", "is needed to register")
        if not trunk.codecs:
            yield Problem(f"{where}.codecs", "missing", "at least one codec is needed")
        for index, source in enumerate(trunk.match):
            if "/" in source:
                try:
                    ipaddress.ip_network(source, strict=False)
                except ValueError as error:
                    yield Problem(f"{where}.match.{index}", "form", f"is no network: {error}")
        # Two trunks that claim one address cannot be told apart when it calls.
        for source in trunk.match or (trunk.host,):
            other = sources.setdefault(source.casefold(), name)
            if other != name:
                place = f"{where}.match" if trunk.match else f"{where}.host"
                yield Problem(place, "duplicate", f"calls from {source} are those of trunk {other} already")


def _dids(site: Site) -> Iterator[Problem]:
    spelled: dict[str, str] = {}
    for number, did in site.dids.items():
        where = f"dids.{number}"
        if did.flow not in site.flows:
            yield _unknown(f"{where}.flow", "flow", did.flow, site.flows)
        if did.trunk is not None and did.trunk not in site.trunks:
            yield _unknown(f"{where}.trunk", "trunk", did.trunk, site.trunks)
        if did.fallback_queue is not None and did.fallback_queue not in site.queues:
            yield _unknown(f"{where}.fallback_queue", "queue", did.fallback_queue, site.queues)
        # Carriers leave the + away as they please, so both spellings reach the DID.
        for spelling in {canonical(number, site.settings.country), number}:
            other = spelled.setdefault(spelling.removeprefix("+"), number)
            if other != number:
                yield Problem(where, "duplicate", f"is the same number as the DID {other}")
                break


def _queues(site: Site, knows: Knows | None) -> Iterator[Problem]:
    yield from _overflow_circles(site)
    for name, queue in site.queues.items():
        where = f"queues.{name}"
        yield from _requirement(site, f"{where}.requires", queue.requires)
        last = -1.0
        for index, step in enumerate(queue.relax):
            yield from _requirement(site, f"{where}.relax.{index}.requires", step.requires or "")
            if step.requires is None and not step.agents:
                yield Problem(f"{where}.relax.{index}", "missing", "changes nothing: requires or agents is needed")
            if step.after <= last:
                message = f"{step.after:g} s is not later than the step before it"
                yield Problem(f"{where}.relax.{index}.after", "order", message)
            last = step.after
        yield from _results(where, queue)
        if queue.screen_pop and (broken := screen_pop.wrong(queue.screen_pop, site.settings.screen_pop_http)):
            yield Problem(f"{where}.screen_pop", "form", broken)
        members: set[str] = set()
        lists = [(f"{where}.agents", queue.agents)]
        lists += [(f"{where}.relax.{index}.agents", step.agents) for index, step in enumerate(queue.relax)]
        for place, agents in lists:
            if agents and not queue.agents:
                yield Problem(place, "order", "the queue names no agents, so it has all of them from the start")
            for index, agent in enumerate(agents):
                if agent not in site.agents:
                    yield _unknown(f"{place}.{index}", "agent", agent, site.agents)
                if agent in members:
                    yield Problem(f"{place}.{index}", "duplicate", f"{agent} appears twice")
                members.add(agent)
        for field, joining in (("join_empty", True), ("leave_when_empty", False)):
            try:
                conditions.absences(getattr(queue, field), joining)
            except ValueError as error:
                yield Problem(f"{where}.{field}", "choice", str(error))
        if strategy_named(queue.strategy) is None:
            message = f"{shown(queue.strategy)} is not one of: {', '.join((*STRATEGIES, *ALIASES))}"
            yield Problem(f"{where}.strategy", "choice", message)
        yield from _destinations(site, name, queue)
        if knows is not None:
            yield from _queue_prompts(where, queue, site.settings.language, knows)


def _results(where: str, queue: Queue) -> Iterator[Problem]:
    """What agents are asked about a contact."""
    if queue.disposition_required and not queue.dispositions:
        yield Problem(f"{where}.disposition_required", "missing", "the queue has no dispositions to choose from")
    for code, disposition in queue.dispositions.items():
        if disposition.callback and disposition.final:
            message = "who is to be called back is not done with: write final: false"
            yield Problem(f"{where}.dispositions.{code}.callback", "order", message)
    for name, field in queue.script.items():
        if field.kind == "choice" and not field.choices:
            yield Problem(f"{where}.script.{name}.choices", "missing", "a choice needs something to choose from")
        if field.kind != "choice" and field.choices:
            yield Problem(
                f"{where}.script.{name}.choices", "order", f"are for kind: choice, and this is a {field.kind}"
            )
        for index, choice in enumerate(field.choices):
            if choice in field.choices[:index]:
                yield Problem(f"{where}.script.{name}.choices.{index}", "duplicate", f"{choice} appears twice")


def _destinations(site: Site, name: str, queue: Queue) -> Iterator[Problem]:
    known: dict[str, Collection[str]] = {"queue": site.queues, "flow": site.flows, "agent": site.agents}
    known["voicemail"] = {*site.queues, *site.agents}
    for where, destination in destinations(name, queue):
        kind, _, target = destination.partition(":")
        if kind in known and target not in known[kind]:
            yield _unknown(where, "box" if kind == "voicemail" else kind, target, known[kind])
        if destination == f"queue:{name}":
            yield Problem(where, "order", f"leads from queue {name} to itself")


def _overflow_circles(site: Site) -> Iterator[Problem]:
    """What is full or empty turns away at once, so a circle of it would turn without a pause. (Circles through flows
    are found with the flow.)"""
    ways: dict[str, list[str]] = {name: [] for name in site.queues}
    for name, queue in site.queues.items():
        for reason in ("full", "empty"):
            kind, _, target = queue.overflow.get(reason, "").partition(":")
            if kind == "queue" and target in ways and target != name:
                ways[name].append(target)
    for circle in circles(ways):
        message = f"goes round without waiting for anything: {' -> '.join((*circle, circle[0]))}"
        yield Problem(f"queues.{circle[0]}.overflow", "order", message)


def _queue_prompts(where: str, queue: Queue, language: str, knows: Knows) -> Iterator[Problem]:
    named = [(field, getattr(queue, field)) for field in ("announce_prompt", "announce_to_agent")]
    named += [(f"prompts.{index}", prompt) for index, prompt in enumerate(queue.prompts)]
    for field, leads in (("overflow", queue.overflow), ("keys", queue.keys)):
        for way, destination in leads.items():
            kind = destination.partition(":")[0]
            named.append((f"{field}.{way}", {"voicemail": LEAVE_MESSAGE, "callback": CALLBACK_NOTED}.get(kind, "")))
    if queue.review_messages:
        named += [("review_messages", prompt) for prompt in (REVIEW, REVIEW_LAST)]
    for field, prompt in named:
        if prompt and not knows(prompt, language):
            message = f"{prompt} is a prompt with neither a sound file nor a text in {language}"
            yield Problem(f"{where}.{field}", "prompt", message)


def _recording_prompts(site: Site, knows: Knows | None) -> Iterator[Problem]:
    """What is said before a recording is spoken in the site's language where there is none in the caller's."""
    named = [("settings.record_announce", site.settings.record_announce)]
    named += [(f"queues.{name}.record_announce", queue.record_announce or "") for name, queue in site.queues.items()]
    for where, prompt in named:
        if prompt and knows is not None and not knows(prompt, site.settings.language):
            message = f"{prompt} is a prompt with neither a sound file nor a text in {site.settings.language}"
            yield Problem(where, "prompt", message)


def _requirement(site: Site, where: str, text: str) -> Iterator[Problem]:
    try:
        needed = requirements.parse(text).skills
    except ValueError as error:
        yield Problem(where, "expression", f"{shown(text)}: {error}")
        return
    for skill in sorted(needed):
        if skill not in site.skills:
            yield _unknown(where, "skill", skill, site.skills)


def _skills(site: Site) -> Iterator[Problem]:
    for name in site.skills:
        if name in requirements.RESERVED:
            yield Problem(f"skills.{name}", "reserved", f"{name} is a word of the language of requirements")


def _mentors(site: Site) -> Iterator[Problem]:
    for name, agent in site.agents.items():
        if agent.mentor == name:
            yield Problem(f"agents.{name}.mentor", "oneself", "nobody is their own mentor")
        elif agent.mentor and agent.mentor not in site.agents:
            yield _unknown(f"agents.{name}.mentor", "agent", agent.mentor, site.agents)


def _agents(site: Site) -> Iterator[Problem]:
    for name, agent in site.agents.items():
        if name in site.queues:  # each would read the other's messages
            yield Problem(f"agents.{name}", "duplicate", f"{name} is a queue already, and both have a voicemail box")
        if agent.device == "webrtc" and not agent.webrtc:
            yield Problem(f"agents.{name}.device", "no-softphone", "webrtc needs `webrtc: true`")
        if agent.device == "external" and not agent.external:
            yield Problem(f"agents.{name}.device", "no-number", "external needs a number in `external`")
        for skill in agent.skills:
            if skill not in site.skills:
                yield _unknown(f"agents.{name}.skills.{skill}", "skill", skill, site.skills)


def _endpoint_names(site: Site) -> Iterator[Problem]:
    """Agents and trunks share the PBX's one space of endpoint names."""
    taken: dict[str, str] = {}
    holders = [(name, f"trunk {name}", f"trunks.{name}") for name in site.trunks]
    for name, agent in site.agents.items():
        place = f"agents.{name}.endpoint" if agent.endpoint else f"agents.{name}"
        holders.append((account_of(site, name), f"agent {name}", place))
        if agent.webrtc:
            holders.append((web_account(name), f"the softphone of agent {name}", f"agents.{name}.webrtc"))
    for endpoint, holder, where in holders:
        key = endpoint.casefold()
        if key in RESERVED or key.startswith(RESERVED_PREFIXES):
            yield Problem(where, "reserved", f"{endpoint} is a reserved name")
        other = taken.setdefault(key, holder)
        if other != holder:
            yield Problem(where, "duplicate", f"the endpoint name {endpoint} is that of {other} already")


def _dialled_numbers(site: Site) -> Iterator[Problem]:
    """What agents can dial on their own phones must have one meaning each."""
    taken: dict[str, str] = {}

    def take(number: str, owner: str, where: str) -> Iterator[Problem]:
        other = taken.setdefault(number, owner)
        if other != owner:
            yield Problem(where, "duplicate", f"{number} is {other} already")

    features = site.features
    for name in ("login", "logout", "unpause", "pause", "extend", "voicemail"):
        yield from take(getattr(features, name), f"the code for {name}", f"features.{name}")
    for digit, reason in enumerate(site.settings.pause_reasons, 1):
        owner = f"the code for pause with reason {reason}"
        yield from take(f"{features.pause}{digit}", owner, "features.pause")
    yield from take(features.retrieve, "the code to retrieve a parked customer", "features.retrieve")
    for name, agent in site.agents.items():
        if agent.number is not None:
            yield from take(agent.number, f"the number of agent {name}", f"agents.{name}.number")
    for number, owner in taken.items():
        slot = number.removeprefix(features.retrieve)
        if slot != number and re.fullmatch("[1-9][0-9]{0,2}", slot):
            yield Problem(
                "features.retrieve", "duplicate", f"{number} retrieves who is parked in {slot}, but is {owner}"
            )
    for verb, other in clashes(features.keys):
        begins = f"{getattr(features.keys, other)} begins like the code for {verb}"
        yield Problem(f"features.keys.{other}", "duplicate", f"{begins}: it could never be pressed")


def _hours(site: Site) -> Iterator[Problem]:
    for name, opening in site.hours.items():
        for field, value, rule in hours.problems(opening):
            yield Problem(f"hours.{name}.{field}", "hours", f"{shown(value)} {rule}")


def _timezone(where: str, name: str) -> Iterator[Problem]:
    if name not in zoneinfo.available_timezones():
        near = difflib.get_close_matches(name, zoneinfo.available_timezones(), 1, 0.6)
        yield Problem(where, "timezone", f"there is no time zone {name}{f'; did you mean {near[0]}?' if near else ''}")


def _flows(site: Site, knows: Knows | None) -> Iterator[Problem]:
    for name, data in site.flows.items():
        flow, found = read_flow(name, data)
        if flow is not None:
            found = [problem for problem in check_flow(flow, site, knows) if problem.error]
        for problem in found:
            where = dotted(("flows", name, *problem.path))
            value = "" if problem.value is None else f"{shown(problem.value)} "
            yield Problem(where, "flow", f"{value}{problem.rule}")
