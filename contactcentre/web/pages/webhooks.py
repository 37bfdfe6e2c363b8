"""Webhooks, for admins."""

from collections.abc import Callable

from apiflask import APIBlueprint
from flask import render_template, request, url_for
from flask.typing import ResponseReturnValue
from pydantic import ValidationError
from werkzeug.utils import redirect

from contactcentre.domain.sentences import phrase
from contactcentre.domain.site import Site
from contactcentre.domain.webhooks import ENDS, KINDS
from contactcentre.web import webhooks
from contactcentre.web.errors import BadValue, Changed, Conflict, NotFound
from contactcentre.web.permissions import Permission, requires
from contactcentre.web.webhooks import NewWish, Wish, find
from contactcentre.web.wiring import services

SHOWN = 50
"""Letters of a page."""

blueprint = APIBlueprint("webhooks", __name__, enable_openapi=False)


@blueprint.get("/webhooks")
@requires(Permission.WEBHOOKS)
def page() -> ResponseReturnValue:
    return _list()


@blueprint.post("/webhooks")
@requires(Permission.WEBHOOKS)
def add() -> ResponseReturnValue:
    try:
        sent = request.form
        wish = NewWish(name=sent.get("name", "").strip(), url=sent.get("url", "").strip(), kinds=_chosen("kinds"))
        wish.queues = _chosen("queues")
        made, secret = webhooks.add(wish)
    except ValidationError:
        return _list(phrase("name: at most 40 characters; url: at most 500")), 422
    except (BadValue, Conflict) as wrong:
        return _list(wrong.detail), int(wrong.status)
    return _one(made.name, secret=secret), 201


@blueprint.get("/webhooks/<name>")
@requires(Permission.WEBHOOKS)
def one(name: str) -> ResponseReturnValue:
    return _one(name)


@blueprint.post("/webhooks/<name>")
@requires(Permission.WEBHOOKS)
def save(name: str) -> ResponseReturnValue:
    sent, known = request.form, find(name)
    version = sent.get("version", "")
    try:
        wish = Wish(url=sent.get("url", "").strip(), kinds=_chosen("kinds"), queues=_chosen("queues"))
    except ValidationError:
        return _one(name, phrase("url: at most 500 characters")), 422
    return _done(name, lambda: webhooks.change(known, wish, int(version) if version.isdecimal() else None))


@blueprint.post("/webhooks/<name>/<verb>")
@requires(Permission.WEBHOOKS)
def act(name: str, verb: str) -> ResponseReturnValue:
    """What is not possible is said there."""
    known, chosen = find(name), request.form.get("message", "")
    match verb:
        case "enable" | "disable":
            wish = Wish(enabled=verb == "enable")
            return _done(name, lambda: webhooks.change(known, wish, known.version))
        case "resend":
            return _done(name, lambda: webhooks.resend(known, [chosen] if chosen else None))
        case "test":
            try:
                return _one(name, tested=webhooks.test(known))
            except Conflict as wrong:
                return _one(name, wrong.detail), int(wrong.status)
        case "secret":
            try:
                return _one(name, secret=webhooks.new_secret(known))
            except Conflict as wrong:
                return _one(name, wrong.detail), int(wrong.status)
        case "remove":
            webhooks.remove(known)
            return redirect(url_for("webhooks.page"), 303)
    raise NotFound(phrase("There is nothing like %(verb)s.", verb=repr(verb[:40])))


def _done(name: str, do: Callable[[], object]) -> ResponseReturnValue:
    try:
        do()
    except (BadValue, Changed, Conflict) as wrong:
        return _one(name, wrong.detail), int(wrong.status)
    return redirect(url_for("webhooks.one", name=name), 303)


def _chosen(field: str) -> list[str]:
    return request.form.getlist(field)[:200]


def _list(problem: str = "") -> str:
    typed = request.form if problem else None
    return render_template(
        "webhooks.html", hooks=services().store.webhooks(), problem=problem, typed=typed, **_choices()
    )


def _one(name: str, problem: str = "", **more: object) -> str:
    hook = find(name)
    cursor = request.args.get("cursor", "")
    found, after = webhooks.letters(hook, SHOWN, cursor if cursor.isdecimal() and len(cursor) < 19 else "")
    return render_template(
        "webhook.html", hook=hook, letters=found, after=after, problem=problem, **_choices(hook.queues), **more
    )


def _choices(also: tuple[str, ...] = ()) -> dict[str, object]:
    """Kinds by what they are about, and the site's queues."""
    groups: dict[str, list[str]] = {}
    for kind in (*KINDS, *ENDS):
        groups.setdefault(kind.partition(".")[0].replace("_", " "), []).append(kind)
    return {"groups": groups, "queues": sorted({*(services().store.site()[1] or Site()).queues, *also})}
