"""Queues, agents and contacts as they are now, and the controllers that drive the calls."""

import time
from typing import Literal

from apiflask import APIBlueprint
from pydantic import Field

from contactcentre.domain.sentences import phrase
from contactcentre.live import signs_of_life
from contactcentre.live.standbys import standbys
from contactcentre.web import rows
from contactcentre.web.errors import Unavailable
from contactcentre.web.numbers_only import without_people
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


class ControllerRow(rows.Row):
    node: str
    id: str = Field(description="of this process; another one after each start")
    host: str
    role: Literal["active", "standby"]
    since: float = Field(description="since when it is that; 0 = not known")
    ready: bool = Field(
        description="the active one has its link to the PBX and knows all calls that are there; a stand-by could take "
        "over at once"
    )
    contacts: int = Field(default=0, description="that it conducts")


class Controllers(rows.Row):
    now: float
    controllers: list[ControllerRow] = Field(
        description="by node, the active one before those that stand by. A node whose controller fell silent more than "
        "ten seconds ago is not there"
    )


@blueprint.get("/snapshot")
@blueprint.output(rows.Snapshot)
@blueprint.doc(summary="Everything live, at one instant")
@requires(Permission.LIVE, by_queue=True)
def snapshot() -> rows.Snapshot:
    return _board()


@blueprint.get("/wallboard")
@blueprint.output(rows.Snapshot)
@blueprint.doc(
    summary="Numbers of queues, at one instant",
    description="As `/snapshot`, with nobody's name or number: `agents` and `contacts` are empty.",
)
@requires(Permission.NUMBERS, by_queue=True)
def wallboard() -> rows.Snapshot:
    return without_people(_board())


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


@blueprint.get("/controllers")
@blueprint.output(Controllers)
@blueprint.doc(summary="Which controller of each node is active, and which stand by")
@requires(Permission.LIVE, by_queue=True)
def controllers() -> Controllers:
    redis = services().live.redis
    found = [
        ControllerRow(
            node=one.node,
            id=one.id,
            host=one.host,
            role="active",
            since=one.active,
            ready=one.linked,
            contacts=one.contacts,
        )
        for one in signs_of_life(redis).values()
    ]
    found += [
        ControllerRow(node=one.node, id=one.id, host=one.host, role="standby", since=one.since, ready=one.ready)
        for one in standbys(redis)
    ]
    return Controllers(now=time.time(), controllers=sorted(found, key=lambda one: (one.node, one.role, one.since)))


def _board() -> rows.Snapshot:
    board = services().fanout.snapshot(current_scope().queues)
    if board is None:
        raise Unavailable(phrase("The live state cannot be read at the moment. Calls go on."))
    return board
