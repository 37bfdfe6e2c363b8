"""Queues, agents and contacts as they are now."""

from apiflask import APIBlueprint

from contactcentre.web import rows
from contactcentre.web.errors import Unavailable
from contactcentre.web.permissions import Permission, requires
from contactcentre.web.scope import current_scope
from contactcentre.web.windows import NEXT, Window
from contactcentre.web.wiring import services

blueprint = APIBlueprint("now", __name__, url_prefix="/api/v1", tag="Live")


class Queues(rows.Row):
    now: float
    queues: list[rows.QueueRow]
    next: str = NEXT


class Agents(rows.Row):
    now: float
    agents: list[rows.AgentRow]
    next: str = NEXT


@blueprint.get("/snapshot")
@blueprint.output(rows.Snapshot)
@blueprint.doc(summary="Everything live, at one instant")
@requires(Permission.LIVE, by_queue=True)
def snapshot() -> rows.Snapshot:
    return _board()


@blueprint.get("/queues")
@blueprint.input(Window, location="query", arg_name="wanted")
@blueprint.output(Queues)
@blueprint.doc(summary="Queues with who waits, who can answer, and today's numbers")
@requires(Permission.LIVE, by_queue=True)
def queues(wanted: Window) -> Queues:
    board = _board()
    found, after = wanted.of(board.queues.values(), lambda row: row.name)
    return Queues(now=board.now, queues=found, next=after)


@blueprint.get("/agents")
@blueprint.input(Window, location="query", arg_name="wanted")
@blueprint.output(Agents)
@blueprint.doc(summary="Agents with their state")
@requires(Permission.LIVE, by_queue=True)
def agents(wanted: Window) -> Agents:
    board = _board()
    found, after = wanted.of(board.agents.values(), lambda row: row.name)
    return Agents(now=board.now, agents=found, next=after)


def _board() -> rows.Snapshot:
    board = services().fanout.snapshot(current_scope().queues)
    if board is None:
        raise Unavailable("The live state cannot be read at the moment. Calls go on.")
    return board
