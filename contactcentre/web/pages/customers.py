"""Customers: the list, and one with what they called for."""

from collections.abc import Callable

from apiflask import APIBlueprint
from flask import Response, make_response, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.utils import redirect

from contactcentre.domain.customers import Customer
from contactcentre.store import BadCursor
from contactcentre.web.api.customers import actor, erase_one, exported, merge_two
from contactcentre.web.customers import Wish, change, contacts_of, fields_of, find
from contactcentre.web.errors import BadValue, Changed, Conflict, NotFound
from contactcentre.web.pages.contacts import dispositions
from contactcentre.web.permissions import Permission, granted, requires
from contactcentre.web.scope import current_scope
from contactcentre.web.session import current_account
from contactcentre.web.wiring import services

PAGE = 50

blueprint = APIBlueprint("customers", __name__, enable_openapi=False)


@blueprint.get("/customers")
@requires(Permission.CUSTOMERS, by_queue=True)
def page() -> ResponseReturnValue:
    asked = {name: request.args.get(name, "").strip()[:120] for name in ("text", "tag")}
    cursor = request.args.get("cursor", "")
    try:
        found = services().store.customers(**asked, only=current_scope().queues, limit=PAGE, cursor=cursor)
    except BadCursor as error:
        raise BadValue(str(error)) from None
    whole = "HX-Request" not in request.headers
    template = "customers.html" if whole else "customer_rows.html"
    response = make_response(render_template(template, page=found, asked=asked))
    response.headers["Vary"] = "HX-Request, Cookie"
    return response


@blueprint.get("/customers/<id>")
@requires(Permission.CUSTOMERS, by_queue=True)
def one(id: str) -> ResponseReturnValue:
    known = find(id)
    if known.id and id != known.id:  # by number, or by an id of before a merge
        return redirect(url_for("customers.one", id=known.id))
    return _shown(known)


@blueprint.post("/customers/<id>")
@requires(Permission.CUSTOMERS, by_queue=True)
def save(id: str) -> ResponseReturnValue:
    known, sent = find(id), request.form
    fields = {name.removeprefix("field-"): text for name, text in sent.items() if name.startswith("field-")}
    wish = Wish(
        name=sent.get("name", ""),
        numbers=sent.get("numbers", "").replace(",", "\n").splitlines()[:50],
        tags=sent.get("tags", "").split(",")[:50],
        fields=dict(list(fields.items())[:50]),
        notes=sent.get("notes", ""),
    )
    version = sent.get("version", "")
    return _done(known, lambda: change(known, wish, actor(), int(version) if version.isdecimal() else None), wish)


@blueprint.post("/customers/<id>/merge")
@requires(Permission.CUSTOMERS)
def merge(id: str) -> ResponseReturnValue:
    known = find(id)
    return _done(known, lambda: merge_two(known, find(request.form.get("other", "").strip()[:40])))


@blueprint.get("/customers/<id>/export")
@requires(Permission.CUSTOMERS)
def export(id: str) -> ResponseReturnValue:
    known = find(id)
    response = Response(exported(known).model_dump_json(indent=2), mimetype="application/json")
    response.headers["Content-Disposition"] = f"attachment; filename=customer-{known.id or 'unknown'}.json"
    return response


@blueprint.post("/customers/<id>/erase")
@requires(Permission.KEEP)
def erase(id: str) -> ResponseReturnValue:
    """First what would be erased is shown; with `confirm` it is."""
    known, reason = find(id), request.form.get("reason", "").strip()[:500]
    if not reason:
        return _shown(known, "Say why, for the audit log."), 422
    confirm = request.form.get("confirm") == "yes"
    try:
        erased = erase_one(known, reason, confirm=confirm)
    except Conflict as refused:
        return _shown(known, refused.detail), 409
    return redirect(url_for("customers.page"), 303) if confirm else _shown(known, erasing=erased, reason=reason)


def _done(known: Customer, do: Callable[[], Customer], wish: Wish | None = None) -> ResponseReturnValue:
    """Back to the customer as it is then. What is not acceptable is said there, and what was typed stays."""
    try:
        after = do()
    except (BadValue, Changed, Conflict, NotFound) as wrong:
        return _shown(known, wrong.detail, wish=wish), int(wrong.status)
    return redirect(url_for("customers.one", id=after.id), 303)


def _shown(known: Customer, problem: str = "", *, wish: Wish | None = None, **more: object) -> str:
    account = current_account()
    everything = current_scope().queues is None
    return render_template(
        "customer.html",
        customer=known,
        key=known.id or known.numbers[0],
        page=contacts_of(known, PAGE),
        fields=fields_of(known),
        problem=problem,
        typed=wish,
        dispositions=dispositions(site.queues if (site := services().store.site()[1]) else {}),
        may_merge=everything and known.id,
        may_erase=account is not None and granted(account.role, Permission.KEEP, limited=not everything),
        may_export=everything,
        **more,
    )
