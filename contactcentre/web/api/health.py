"""For load balancers and `contactcentre status`: does the process run, and can it serve?"""

import time

from apiflask import APIBlueprint
from flask import Response, jsonify

from contactcentre.live.connection import ask
from contactcentre.live.errors import LiveError
from contactcentre.store import StoreUnavailable
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
    parts = {"postgresql": _postgresql(), "redis": _redis(), "live": services().fanout.ready}
    good = all(parts.values())
    return jsonify(status="ok" if good else "not ready", parts=parts), 200 if good else 503


def _postgresql() -> bool:
    try:
        services().store.ping()
    except StoreUnavailable:
        return False
    return True


def _redis() -> bool:
    try:
        ask(services().redis, "PING")
    except LiveError:
        return False
    return True
