"""Messages that callers left: heard in the page, claimed, done, handed over."""

import time

from apiflask import APIBlueprint
from flask import render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.utils import redirect

from contactcentre.domain.voicemail import MessageState
from contactcentre.web.api.messages import boxes_to_see, chosen, known_boxes, take_step
from contactcentre.web.errors import Conflict
from contactcentre.web.permissions import Permission, requires
from contactcentre.web.session import current_account
from contactcentre.web.wiring import services

LIMIT = 200

blueprint = APIBlueprint("voicemail", __name__, enable_openapi=False)


@blueprint.get("/voicemail")
@requires(Permission.VOICEMAIL, by_queue=True)
def page() -> ResponseReturnValue:
    return _page()


@blueprint.post("/voicemail/<id>/<step>")
@requires(Permission.VOICEMAIL, by_queue=True)
def act(id: str, step: str) -> ResponseReturnValue:
    """One step of a message, and back to the list. What is not possible is said there."""
    try:
        take_step(id, step, request.form.get("to", "").strip(), request.form.get("note", "").strip())
    except Conflict as refused:
        return _page(refused.detail or refused.title), 409
    box, state = request.form.get("box") or None, request.form.get("state") or None
    return redirect(url_for("voicemail.page", box=box, state=state), 303)


def _page(problem: str = "") -> str:
    store, at, account = services().store, time.time(), current_account()
    assert account is not None
    seen = boxes_to_see(account)
    given = request.args if request.method == "GET" else request.form
    asked = {name: given.get(name, "").strip()[:60] for name in ("box", "state")}
    state = asked["state"] if asked["state"] in list(MessageState) else ""
    return render_template(
        "voicemail.html",
        messages=store.messages(chosen(asked["box"], seen), state, LIMIT),
        boxes=store.boxes(at, seen),
        known=known_boxes(),
        seen=known_boxes() if seen is None else sorted(seen),
        asked=asked,
        states=[state.value for state in MessageState],
        me=account.agent or account.name,
        problem=problem,
        at=at,
    )
