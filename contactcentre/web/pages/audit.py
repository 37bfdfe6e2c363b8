"""The audit log: who changed what, who listened to what, who signed in."""

import json

from apiflask import APIBlueprint
from flask import render_template, request
from flask.typing import ResponseReturnValue

from contactcentre.web.permissions import Permission, requires
from contactcentre.web.wiring import services

PAGE = 100

blueprint = APIBlueprint("audit", __name__, enable_openapi=False)


@blueprint.get("/audit")
@requires(Permission.AUDIT)
def page() -> ResponseReturnValue:
    asked = {name: request.args.get(name, "").strip()[:200] for name in ("actor", "action", "subject")}
    before = request.args.get("before", type=int)
    entries = services().store.audit_entries(**asked, before=before, limit=PAGE)
    more = entries[-1].id if len(entries) == PAGE else None
    return render_template("audit.html", entries=entries, asked=asked, more=more)


@blueprint.app_template_filter()
def details(detail: dict[str, object]) -> str:
    """An entry's details as `name: value, ...`."""
    shown = ((name, value if isinstance(value, str) else json.dumps(value)) for name, value in detail.items())
    return ", ".join(f"{name}: {value}" for name, value in shown if value)
