"""A queue's day in charts. What they show comes over the API."""

from apiflask import APIBlueprint
from flask import render_template
from flask.typing import ResponseReturnValue

from contactcentre.domain.site import Site
from contactcentre.web.permissions import Permission, requires
from contactcentre.web.scope import current_scope
from contactcentre.web.wiring import services

blueprint = APIBlueprint("charts", __name__, enable_openapi=False)


@blueprint.get("/charts")
@requires(Permission.LIVE, by_queue=True)
def page() -> ResponseReturnValue:
    site, scope = services().store.site()[1] or Site(), current_scope()
    return render_template("charts.html", queues=sorted(name for name in site.queues if scope.among([name])))
