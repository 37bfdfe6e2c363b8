"""For load balancers and `contactcentre status`: does the process run, and can it serve?"""

import time

from apiflask import APIBlueprint
from flask import Response, jsonify

from contactcentre.web import watched
from contactcentre.web.permissions import public
from contactcentre.web.wiring import services

blueprint = APIBlueprint("health", __name__, enable_openapi=False)


@blueprint.get("/healthz")
@public
def alive() -> Response:
    return jsonify(status="ok", now=time.time())


@blueprint.get("/readyz")
@public
def ready() -> tuple[Response, int]:
    """503 while PostgreSQL, Redis or the reader of the live state is away. Says which, and nothing else."""
    there = watched.parts(services())
    good = all(there.values())
    return jsonify(status="ok" if good else "not ready", parts=there), 200 if good else 503
