"""The live page. Its frame is served here; its numbers come over the live stream."""

from apiflask import APIBlueprint
from flask import render_template
from flask.typing import ResponseReturnValue

from contactcentre.web.permissions import Permission, requires
from contactcentre.web.wiring import services

blueprint = APIBlueprint("live", __name__, enable_openapi=False)


@blueprint.get("/")
@requires(Permission.LIVE, by_queue=True)
def page() -> ResponseReturnValue:
    return render_template("live.html", timezone=services().fanout.timezone)
