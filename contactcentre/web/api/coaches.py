"""Mentors of new agents: whose phone hears whose calls, from the first word."""

from typing import Literal

from apiflask import APIBlueprint
from flask import request
from pydantic import BaseModel, ConfigDict, Field

from contactcentre.domain.coaching import Coaching, coached, standing
from contactcentre.domain.sentences import phrase
from contactcentre.domain.site import Site
from contactcentre.live.coaches import Coaches as Assigned
from contactcentre.web import rows
from contactcentre.web.errors import BadValue, SignInNeeded
from contactcentre.web.permissions import Permission, requires
from contactcentre.web.scope import current_scope
from contactcentre.web.session import address_of, current_account
from contactcentre.web.windows import NEXT, Window
from contactcentre.web.wiring import services

Mode = Literal["listen", "whisper"]

blueprint = APIBlueprint("coaches", __name__, url_prefix="/api/v1", tag="Supervision")


class Coach(rows.Row):
    agent: str
    mentor: str = Field(description="another agent")
    mode: Mode
    tell: bool = Field(description="the agent hears a beep when the mentor comes")
    standing: bool = Field(description="as the site says; false: assigned by command or API")


class Coaches(rows.Row):
    coaches: list[Coach]
    next: str = NEXT


class Assign(BaseModel):
    model_config = ConfigDict(extra="forbid")

    agent: str = Field(min_length=1, max_length=40)
    mentor: str = Field("", max_length=40, description="another agent; nothing: nobody, and whoever listens is hung up")
    mode: Mode = "whisper"
    tell: bool = Field(default=False, description="the agent hears a beep when the mentor comes")


@blueprint.get("/coaches")
@blueprint.input(Window, location="query", arg_name="wanted")
@blueprint.output(Coaches)
@blueprint.doc(summary="Agents who have a mentor")
@requires(Permission.SUPERVISE, by_queue=True)
def listing(wanted: Window) -> Coaches:
    return _now(_site(), wanted)


@blueprint.post("/coaches")
@blueprint.input(Assign, location="json", arg_name="wish")
@blueprint.output(Coaches)
@blueprint.doc(
    summary="Assign a mentor to an agent, or end that",
    description="Counts within a second: the mentor's phone is called when the agent's next conversation begins, or "
    "now if one goes on. It is in the audit log. A session's requests carry `X-CSRFToken`.",
)
@requires(Permission.SUPERVISE, by_queue=True)
def assign(wish: Assign) -> Coaches:
    account, web, site = current_account(), services(), _site()
    if account is None:  # the guard lets nobody through who is not signed in
        raise SignInNeeded
    for field, name in (("agent", wish.agent), ("mentor", wish.mentor)):
        if name and name not in site.agents:
            raise BadValue(phrase("%(field)s: the site has no agent %(name)s", field=field, name=repr(name)))
    if wish.agent == wish.mentor:
        raise BadValue(phrase("mentor: nobody is their own mentor"))
    coaching = Coaching(wish.mentor, wish.mode, wish.tell)
    current_scope().need_agent(wish.agent)
    web.store.audit(account.name, "agent.coach", f"agent {wish.agent}", coaching.save(), address_of(request))
    Assigned(web.live.redis).assign(wish.agent, coaching, standing(site.agents[wish.agent]))
    return _now(site)


def _site() -> Site:
    return services().store.site()[1] or Site()


def _now(site: Site, wanted: Window | None = None) -> Coaches:
    assigned, scope = Assigned(services().live.redis).all(), current_scope()
    found = [
        Coach(agent=name, **one.save(), standing=name not in assigned)
        for name, one in sorted(coached(site, assigned).items())
        if scope.queues is None or name in scope.agents
    ]
    shown, after = (wanted or Window()).of(found, lambda one: one.agent)
    return Coaches(coaches=shown, next=after)
