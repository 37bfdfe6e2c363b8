"""What supervisors do with agents' states: pause, make free, log out, and other skills for the rest of the day."""

import time
from typing import Any

import limits
from apiflask import APIBlueprint
from flask import request
from pydantic import BaseModel, ConfigDict, Field

from contactcentre.domain import day
from contactcentre.domain.agents import AgentStatus, NotAllowed, Verb
from contactcentre.domain.sentences import phrase
from contactcentre.domain.site import Site
from contactcentre.live import LiveError
from contactcentre.web import rows
from contactcentre.web.errors import BadValue, Conflict, NotFound, SignInNeeded, TooManyTries, WebError
from contactcentre.web.permissions import Permission, requires
from contactcentre.web.scope import current_scope
from contactcentre.web.session import address_of, current_account
from contactcentre.web.wiring import limiter, services

PER_ACCOUNT = limits.parse("120 per minute")
"""More than a person presses."""

VERBS = {"pause": Verb.PAUSE, "ready": Verb.UNPAUSE, "logout": Verb.LOGOUT, "skills": Verb.LEND}

blueprint = APIBlueprint("leading", __name__, url_prefix="/api/v1", tag="Supervision")


class Wish(BaseModel):
    """What belongs to a verb; others take nothing."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field("", max_length=80, description="pause: one of the site's reasons (the first)")
    note: str = Field("", max_length=200, description="pause, ready, logout: why, in words that the agent reads")
    skills: dict[str, int] = Field(
        {}, max_length=100, description="skills: levels until midnight, 0 = without; all others are the site's again"
    )


class AgentNow(rows.Row):
    """The agent after the verb."""

    name: str
    state: str
    since: float
    reason: str
    then: str = Field(description="what follows when the call is over: logout, pause:REASON or nothing")
    by: str
    note: str
    skills: dict[str, int] = Field(description="for the day")
    skills_until: float = Field(description="when these end, at the site's midnight; 0 = there are none")

    @classmethod
    def of(cls, status: AgentStatus, now: float) -> "AgentNow":
        levels = day.skills_now(status, now)
        return cls(
            name=status.name,
            state=status.state,
            since=status.since,
            reason=status.reason,
            then=status.then,
            by=status.by,
            note=status.note,
            skills=levels,
            skills_until=status.skills_until if levels else 0.0,
        )


class Level(rows.Row):
    name: str
    description: str
    site: int = Field(description="as the site says; 0 = without it")
    today: int | None = Field(description="for the day; null: as the site says")


class Skills(rows.Row):
    agent: str
    until: float = Field(description="when skills for the day end that are given now, or were; epoch seconds")
    skills: list[Level]


@blueprint.get("/agents/<name>/skills")
@blueprint.output(Skills)
@blueprint.doc(summary="An agent's skills, as the site says and for the day")
@requires(Permission.LEAD, by_queue=True)
def skills(name: str) -> Skills:
    site, now = _site_of(name), time.time()
    status = services().live.agent(name)
    today, known = day.skills_now(status, now), site.agents[name].skills
    return Skills(
        agent=name,
        until=status.skills_until if today else day.next_midnight(site.settings.timezone, now),
        skills=[
            Level(name=skill, description=words, site=known.get(skill, 0), today=today.get(skill))
            for skill, words in sorted(site.skills.items())
        ],
    )


@blueprint.post("/agents/<name>/<verb>")
@blueprint.input(Wish, location="json", arg_name="wish")
@blueprint.output(AgentNow)
@blueprint.doc(
    summary="Pause an agent, make them free, log them out, other skills for the day",
    description=f"`verb`: {', '.join(VERBS)}. During a call `pause` and `logout` come when it is over; `ready` takes "
    "that back, and ends a pause or wrap-up. `skills` counts at once, until midnight in the site's time zone. The "
    "agent's page says who did it. Every request is in the audit log. 120 a minute.",
    responses={404: "No such agent or verb", 409: "Not possible now: the agent's state does not allow it"},
)
@requires(Permission.LEAD, by_queue=True)
def act(name: str, verb: str, wish: Wish) -> AgentNow:
    account, web, now = current_account(), services(), time.time()
    if account is None:  # the guard lets nobody through who is not signed in
        raise SignInNeeded
    if verb not in VERBS:
        raise NotFound(phrase("There is no verb %(verb)s: %(verbs)s", verb=repr(verb[:40]), verbs=", ".join(VERBS)))
    if not limiter().limiter.hit(PER_ACCOUNT, "leading", account.name):
        raise TooManyTries(phrase("You have asked for %(what)s things within a minute.", what=PER_ACCOUNT.amount))
    site = _site_of(name)
    said = arguments(site, verb, wish, now)
    if verb != "skills":
        said |= {"by": account.name, "note": wish.note}
    detail = {key: value for key, value in wish.model_dump().items() if value or key == verb}
    outcome = {"outcome": "no answer"}
    try:
        after = web.live.change(name, VERBS[verb], now, **said)
        outcome = {"then": after.then} if after.then else {}
    except NotAllowed as refused:
        outcome = {"outcome": Conflict.code}
        raise Conflict(str(refused)) from None
    except (LiveError, WebError) as error:
        outcome = {"outcome": type(error).__name__}
        raise
    finally:
        web.store.audit(account.name, f"agent.{verb}", f"agent {name}", {**detail, **outcome}, address_of(request))
    return AgentNow.of(after, now)


def arguments(site: Site, verb: str, wish: Wish, now: float) -> dict[str, Any]:
    """What `domain.agents.step` takes for the verb. Raises BadValue."""
    if (wish.reason and verb != "pause") or (wish.note and verb == "skills") or (wish.skills and verb != "skills"):
        raise BadValue(
            phrase(
                "%(verb)s does not take that: reason is for pause, skills for skills, a note for the others", verb=verb
            )
        )
    if verb == "pause":
        reasons = site.settings.pause_reasons
        reason = wish.reason or (reasons[0] if reasons else "")
        if reason not in reasons:
            raise BadValue(
                phrase("reason %(reason)s is not one of: %(reasons)s", reason=repr(reason), reasons=", ".join(reasons))
            )
        return {"reason": reason}
    if verb == "skills":
        try:
            day.check(site, wish.skills)
        except ValueError as error:
            raise BadValue(f"skills: {error}") from None
        return {"skills": day.write(wish.skills), "until": day.next_midnight(site.settings.timezone, now)}
    return {}


def _site_of(agent: str) -> Site:
    """The site that has this agent, whom the account may lead. Raises NotFound, Forbidden."""
    site = services().store.site()[1] or Site()
    if agent not in site.agents:
        raise NotFound(phrase("there is no agent %(agent)s", agent=repr(agent[:40])))
    current_scope().need_agent(agent)
    return site
