"""Queues, agents and contacts as they are now."""

from apiflask import APIBlueprint

from contactcentre.web import rows
from contactcentre.web.errors import Unavailable
from contactcentre.web.permissions import Permission, requires
from contactcentre.web.scope import current_scope
from contactcentre.web.wiring import services

blueprint = APIBlueprint("now", __name__, url_prefix="/api/v1", tag="Live")


class Queues(rows.Row):
    now: float
    queues: list[rows.QueueRow]


class Agents(rows.Row):
    now: float
    agents: list[rows.AgentRow]


@blueprint.get("/snapshot")
@blueprint.output(rows.Snapshot)
@blueprint.doc(summary="Everything live, at one instant")
@requires(Permission.LIVE, by_queue=True)
def snapshot() -> rows.Snapshot:
    return _board()


@blueprint.get("/queues")
@blueprint.output(Queues)
@blueprint.doc(summary="Queues with who waits, who can answer, and today's numbers")
@requires(Permission.LIVE, by_queue=True)
def queues() -> Queues:
    board = _board()
    return Queues(now=board.now, queues=sorted(board.queues.values(), key=lambda row: row.name))


@blueprint.get("/agents")
@blueprint.output(Agents)
@blueprint.doc(summary="Agents with their state")
@requires(Permission.LIVE, by_queue=True)
def agents() -> Agents:
    board = _board()
    return Agents(now=board.now, agents=sorted(board.agents.values(), key=lambda row: row.name))


def _board() -> rows.Snapshot:
    board = services().fanout.snapshot(current_scope().queues)
    if board is None:
        raise Unavailable("The live state cannot be read at the moment. Calls go on.")
    return board
