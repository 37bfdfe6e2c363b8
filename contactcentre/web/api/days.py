"""A queue's day in half hours, beside the same weekday of last week."""

import time

from apiflask import APIBlueprint

from contactcentre.domain.metrics import FORMULAS
from contactcentre.domain.sentences import phrase
from contactcentre.domain.site import Site
from contactcentre.web.days import STEP_SECONDS, DayRow, beside
from contactcentre.web.errors import NotFound
from contactcentre.web.permissions import Permission, requires
from contactcentre.web.scope import current_scope
from contactcentre.web.wiring import services

blueprint = APIBlueprint("days", __name__, url_prefix="/api/v1", tag="Live")


@blueprint.get("/queues/<name>/day")
@blueprint.output(DayRow)
@blueprint.doc(
    summary="A queue's day in half hours, beside the same weekday of last week",
    description="Offered, answered, abandoned, service level and mean wait of the callers who came in each half hour "
    "of the site's wall clock, from stored events.",
    responses={404: "No such queue"},
)
@requires(Permission.LIVE, by_queue=True)
def day(name: str) -> DayRow:
    store, now = services().store, time.time()
    site = store.site()[1] or Site()
    queue = site.queues.get(name)
    if queue is None or not current_scope().among([name]):
        raise NotFound(phrase("there is no queue %(name)s", name=repr(name[:40])))
    settings = site.settings
    limits = (STEP_SECONDS, queue.service_level, settings.short_abandon)
    today, before, steps = beside(
        lambda since, until: store.count_steps(name, since, until, now, *limits),
        settings.timezone,
        now,
        settings.service_level_formula,
    )
    return DayRow(
        queue=name,
        now=now,
        timezone=settings.timezone,
        today=today.isoformat(),
        before=before.isoformat(),
        formula=FORMULAS[settings.service_level_formula].explained(queue.service_level, settings.short_abandon),
        steps=steps,
    )
