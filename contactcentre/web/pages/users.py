"""Users: the list with a form to invite one, and one with role, queues and sessions."""

import time

from apiflask import APIBlueprint
from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from pydantic import ValidationError

from contactcentre.domain.sentences import phrase
from contactcentre.settings import ROLES
from contactcentre.store import User
from contactcentre.web.api.second_factor import state_of
from contactcentre.web.errors import WebError
from contactcentre.web.pages.site import around
from contactcentre.web.permissions import Permission, requires
from contactcentre.web.proposals import site_of
from contactcentre.web.users import (
    Change,
    Invitation,
    UserRow,
    change,
    find,
    invite,
    new_link,
    reset_second_factor,
    sign_out,
)
from contactcentre.web.wiring import services

blueprint = APIBlueprint("user_pages", __name__, url_prefix="/admin/users", enable_openapi=False)


@blueprint.get("")
@requires(Permission.USERS)
def page() -> ResponseReturnValue:
    return _listed()


@blueprint.post("")
@requires(Permission.USERS)
def add() -> ResponseReturnValue:
    """The link is on this answer alone."""
    try:
        wish = Invitation(
            name=request.form.get("name", "").strip()[:40],
            role=request.form.get("role", ""),  # type: ignore[arg-type]
            queues=request.form.getlist("queues"),
            agent=request.form.get("agent", ""),
        )
        user, link = invite(wish)
    except ValidationError:
        return _listed(phrase("Choose a role.")), 422
    except WebError as refused:
        return _listed(refused.detail), int(refused.status)
    return _shown(user, link=link), 201


@blueprint.get("/<name>")
@requires(Permission.USERS)
def one(name: str) -> ResponseReturnValue:
    return _shown(find(name), done=request.args.get("done", ""))


@blueprint.post("/<name>")
@requires(Permission.USERS)
def save(name: str) -> ResponseReturnValue:
    user, sent = find(name), request.form
    try:
        wish = Change(
            role=sent.get("role") or user.role,  # type: ignore[arg-type]
            queues=sent.getlist("queues"),
            agent=sent.get("agent", ""),
            disabled=sent.get("disabled") == "yes",
        )
        change(name, wish)
    except ValidationError:
        return _shown(user, phrase("Choose a role.")), 422
    except WebError as refused:
        return _shown(user, refused.detail), int(refused.status)
    return redirect(url_for("user_pages.one", name=name, done="saved"), 303)


@blueprint.post("/<name>/link")
@requires(Permission.USERS)
def link(name: str) -> ResponseReturnValue:
    return _shown(find(name), link=new_link(name))


@blueprint.post("/<name>/sign-out")
@requires(Permission.USERS)
def end(name: str) -> ResponseReturnValue:
    sign_out(name)
    return redirect(url_for("user_pages.one", name=name, done="out"), 303)


@blueprint.post("/<name>/second-factor")
@requires(Permission.USERS)
def drop_factor(name: str) -> ResponseReturnValue:
    try:
        reset_second_factor(name)
    except WebError as refused:
        return _shown(find(name), refused.detail), int(refused.status)
    return redirect(url_for("user_pages.one", name=name, done="factor"), 303)


def _listed(problem: str = "") -> str:
    users = [UserRow.of(user) for user in services().store.users()]
    return render_template("admin/users.html", users=users, problem=problem, **_choices())


def _shown(user: User, problem: str = "", *, link: str = "", done: str = "") -> str:
    return render_template(
        "admin/user.html",
        user=UserRow.of(user),
        factor=state_of(user.name, user.role),
        sessions=services().sessions.of(user.name, time.time()),
        problem=problem,
        link=link,
        done=done,
        **_choices(),
    )


def _choices() -> dict[str, object]:
    _, site = site_of(None)
    return {"roles": ROLES, "queues": sorted(site.queues), "agents": sorted(site.agents), **around("users")}
