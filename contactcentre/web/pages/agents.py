"""One agent: why it gets the calls it gets, or none."""

import re

from apiflask import APIBlueprint
from flask import render_template, url_for
from flask.typing import ResponseReturnValue
from markupsafe import Markup, escape

from contactcentre.web.api.why import of_agent
from contactcentre.web.permissions import Permission, requires
from contactcentre.web.wiring import services

_ID = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}(?:-[0-9a-f]{4}-[0-9a-f]{12})?\b")

blueprint = APIBlueprint("agents", __name__, enable_openapi=False)


@blueprint.get("/agents/<name>")
@requires(Permission.CONTACTS, by_queue=True)
def one(name: str) -> ResponseReturnValue:
    why = of_agent(name)
    _, site = services().store.site()
    known = site.agents.get(name) if site else None
    return render_template("agent.html", why=why, full_name=known.full_name if known else "")


@blueprint.app_template_filter()
def linked(text: str) -> Markup:
    """The text, with each contact's id (or its beginning) leading to the contact."""
    parts, last = [], 0
    for found in _ID.finditer(text):
        link = Markup('<a href="{}">{}</a>').format(url_for("contacts.one", id=found[0]), found[0])
        parts += [escape(text[last : found.start()]), link]
        last = found.end()
    return Markup("").join([*parts, escape(text[last:])])
