"""The wallboard: numbers of queues on a screen. They come over the live stream."""

from apiflask import APIBlueprint
from flask import render_template
from flask.typing import ResponseReturnValue

from contactcentre.web.permissions import Permission, requires
from contactcentre.web.wiring import services

blueprint = APIBlueprint("wallboard", __name__, enable_openapi=False)


@blueprint.get("/wallboard")
@requires(Permission.NUMBERS, by_queue=True)
def page() -> ResponseReturnValue:
    """`queues` in the address, with commas, names those that are shown, in this order."""
    return render_template("wallboard.html", timezone=services().fanout.timezone)
