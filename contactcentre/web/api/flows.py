"""Flows: drawn, with today's traffic, and tried out; without a PBX, and nothing is changed."""

from apiflask import APIBlueprint

from contactcentre.web.flows import FlowRow, Trial, TrialRow, Written, told, tried
from contactcentre.web.permissions import Permission, requires
from contactcentre.web.proposals import LARGEST
from contactcentre.web.room import takes

blueprint = APIBlueprint("flows", __name__, url_prefix="/api/v1/site/flows", tag="Site")


@blueprint.post("/draw")
@blueprint.input(Written, location="json", arg_name="written")
@blueprint.output(FlowRow)
@blueprint.doc(
    summary="A flow as a graph, and a picture of it",
    description="With the calls that went along each way today, of the latest 2000.",
    responses={404: "No such flow", 422: "It cannot be read"},
)
@requires(Permission.SITE)
@takes(LARGEST)
def draw(written: Written) -> FlowRow:
    return told(written)


@blueprint.post("/simulate")
@blueprint.input(Trial, location="json", arg_name="trial")
@blueprint.output(TrialRow)
@blueprint.doc(
    summary="Walk through a flow as a caller would",
    description="What is heard and done at each node. `digits`, `queues` and `lookups` say what the caller does, and "
    "the world.",
    responses={404: "No such flow", 422: "It cannot be read, or an entry is none"},
)
@requires(Permission.SITE)
@takes(LARGEST)
def simulate(trial: Trial) -> TrialRow:
    return tried(trial)
