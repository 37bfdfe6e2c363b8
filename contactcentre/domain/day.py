"""Skills for the day: what a supervisor gives an agent, or takes, beside the site's levels until its midnight.

They lie in the agent's own record (`AgentStatus.skills`), so every controller sees them with the state, and writes them
back should Redis lose its data.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from contactcentre.domain.agents import AgentStatus
from contactcentre.domain.site import Site


def write(levels: Mapping[str, int]) -> str:
    """Levels (0 to 100; 0 = without the skill) as the record holds them: `billing=0 lang_fr=80`."""
    return " ".join(f"{skill}={level}" for skill, level in sorted(levels.items()))


def read(text: str) -> dict[str, int]:
    """The other way; what is no level is left out, for the record may be another version's."""
    found = {}
    for part in text.split():
        skill, _, level = part.partition("=")
        if level.isascii() and level.isdigit():
            found[skill] = int(level)
    return found


def skills_now(status: AgentStatus, now: float) -> dict[str, int]:
    """The agent's skills for the day that still count at `now` (epoch seconds)."""
    return read(status.skills) if status.skills and status.skills_until > now else {}


def given(agents: Iterable[AgentStatus], now: float) -> dict[str, dict[str, int]]:
    """Agent -> skills for the day, of those who have some."""
    return {one.name: levels for one in agents if one.skills and (levels := skills_now(one, now))}


def levels(known: Mapping[str, int], lent: Mapping[str, int]) -> dict[str, int]:
    """An agent's skills with those for the day. Level 0 is not having the skill."""
    return {skill: level for skill, level in {**known, **lent}.items() if level}


def on_the_day(site: Site, given: Mapping[str, Mapping[str, int]]) -> Site:
    """The site as it routes today."""
    lent = {name: skills for name, skills in given.items() if name in site.agents}
    if not lent:
        return site
    agents = dict(site.agents)
    for name, skills in lent.items():
        agents[name] = agents[name].model_copy(update={"skills": levels(agents[name].skills, skills)})
    return site.model_copy(update={"agents": agents})


def midnight(timezone: str, now: float) -> float:
    """When the day that `now` is in began, in a time zone (UTC for an unknown one)."""
    try:
        zone = ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError):
        zone = ZoneInfo("UTC")
    return datetime.fromtimestamp(now, zone).replace(hour=0, minute=0, second=0, microsecond=0).timestamp()


def next_midnight(timezone: str, now: float) -> float:
    """When the day that `now` is in ends, in a time zone (UTC for an unknown one); a day may have 23 or 25 hours."""
    try:
        zone = ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError):
        zone = ZoneInfo("UTC")
    tomorrow = datetime.fromtimestamp(now, zone).date() + timedelta(days=1)
    return datetime.combine(tomorrow, time(), zone).timestamp()


def check(site: Site, levels: Mapping[str, int]) -> None:
    """Raises ValueError, in words, for a skill that the site does not have and a level that is none."""
    for skill, level in levels.items():
        if skill not in site.skills:
            raise ValueError(f"the site has no skill {skill[:40]!r}: {', '.join(sorted(site.skills)) or 'it has none'}")
        if not 0 <= level <= 100:
            raise ValueError(f"{skill}: a level is from 0 (without it) to 100, not {level}")
