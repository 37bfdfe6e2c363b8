"""Mentors of new agents: whenever the agent talks with a customer, the mentor's phone hears it and may whisper.

The site says who is whose mentor for good (`agents.NAME.mentor`); an assignment that was made meanwhile, by command or
API, goes before it, also one that says "nobody's".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

from contactcentre.domain.site import Agent, Site

MentorMode = Literal["listen", "whisper"]


@dataclass(frozen=True, slots=True)
class Coaching:
    """What is so for one agent. `mentor` "" = nobody; `tell`: the agent hears a beep when the mentor comes."""

    mentor: str
    mode: MentorMode = "whisper"
    tell: bool = False

    def save(self) -> dict[str, Any]:
        return {"mentor": self.mentor, "mode": self.mode, "tell": self.tell}

    @classmethod
    def restore(cls, saved: Mapping[str, Any]) -> Self:
        """What `save` gave."""
        mode: MentorMode = "listen" if saved.get("mode") == "listen" else "whisper"
        return cls(str(saved.get("mentor", "")), mode, bool(saved.get("tell")))


def standing(agent: Agent) -> Coaching:
    """What the site says."""
    return Coaching(agent.mentor or "", agent.mentor_mode, agent.mentor_told)


def coached(site: Site, assigned: Mapping[str, Coaching]) -> dict[str, Coaching]:
    """Agent -> coaching, of all who have a mentor. An assignment of people whom the site does not know (any more), or
    of somebody to themselves, is none."""
    wanted = {name: standing(agent) for name, agent in site.agents.items() if agent.mentor} | dict(assigned)
    wanted = {name: one for name, one in wanted.items() if name in site.agents}
    return {name: one for name, one in wanted.items() if one.mentor in site.agents and one.mentor != name}
