"""Alerts: which queues are not well, who looks after it, and what was before."""

import time
from typing import Annotated

from apiflask import APIBlueprint
from flask import request
from pydantic import BaseModel, ConfigDict, Field

from contactcentre.domain.alerts import AlertFact
from contactcentre.domain.sentences import phrase
from contactcentre.live import Live
from contactcentre.live.alerts import acknowledge
from contactcentre.store import BadCursor
from contactcentre.web.errors import BadValue, Conflict, NotFound
from contactcentre.web.permissions import Permission, requires
from contactcentre.web.rows import AlertRow, Moment, Row
from contactcentre.web.scope import current_scope
from contactcentre.web.session import address_of, signed_in
from contactcentre.web.windows import NEXT, Window
from contactcentre.web.wiring import services

blueprint = APIBlueprint("alerts", __name__, url_prefix="/api/v1", tag="Live")

DAY = 86400.0


class Past(BaseModel):
    model_config = ConfigDict(extra="forbid")

    since: Moment | None = Field(default=None, description="else the last day")
    limit: Annotated[int, Field(ge=1, le=500)] = 100
    cursor: Annotated[str, Field(max_length=200)] = ""


class FactRow(Row):
    id: str = Field(description="of this raising of the rule")
    state: str = Field(description="raised, acknowledged or cleared")
    at: float
    queue: str
    name: str
    when: str
    limit: float
    value: float = Field(description="when it was raised")
    by: str = Field(description="who has acknowledged it")

    @classmethod
    def of(cls, fact: AlertFact) -> "FactRow":
        return cls(**{name: getattr(fact, name) for name in cls.model_fields})


class AlertsNow(Row):
    alerts: list[AlertRow] = Field(description="raised and not over, the oldest first")
    next: str = NEXT


class AlertsPast(Row):
    past: list[FactRow] = Field(description="newest first")
    next: str = NEXT


@blueprint.get("/alerts")
@blueprint.input(Window, location="query", arg_name="wanted")
@blueprint.output(AlertsNow)
@blueprint.doc(summary="Alerts that are raised now")
@requires(Permission.LIVE, by_queue=True)
def listing(wanted: Window) -> AlertsNow:
    found, after = wanted.of(_now(services().live), lambda one: one.id)
    return AlertsNow(alerts=found, next=after)


@blueprint.get("/alerts/past")
@blueprint.input(Past, location="query", arg_name="wanted")
@blueprint.output(AlertsPast)
@blueprint.doc(summary="What became of alerts")
@requires(Permission.LIVE, by_queue=True)
def past(wanted: Past) -> AlertsPast:
    since = time.time() - DAY if wanted.since is None else wanted.since
    try:
        found, after = services().store.alert_facts(since, current_scope().queues, wanted.limit, wanted.cursor)
    except BadCursor as error:
        raise BadValue(str(error)) from None
    return AlertsPast(past=[FactRow.of(one) for one in found], next=after)


@blueprint.post("/alerts/<id>/acknowledge")
@blueprint.output(AlertRow)
@blueprint.doc(
    summary="Say that one looks after it",
    description="It stays until the queue is well again, but is no longer heard. It is in the audit log.",
    responses={404: "No such alert, or it is over", 409: "Somebody does already"},
)
@requires(Permission.LEAD, by_queue=True)
def look_after(id: str) -> AlertRow:
    account, web = signed_in(), services()
    if id not in {row.id for row in _now(web.live)}:
        raise NotFound(phrase("there is no alert %(id)s, or it is over", id=repr(id[:40])))
    alarm, done = acknowledge(web.live.redis, id, account.name, time.time())
    if alarm is None:
        raise NotFound(phrase("the alert %(id)s is over", id=repr(id[:40])))
    if not done:
        raise Conflict(phrase("%(acknowledged_by)s looks after it already.", acknowledged_by=alarm.acknowledged_by))
    web.store.audit(
        account.name, "alert.acknowledge", id, {"queue": alarm.queue, "alert": alarm.name}, address_of(request)
    )
    return AlertRow.of(alarm)


def _now(live: Live) -> list[AlertRow]:
    scope = current_scope()
    found = [one for one in live.alerts().values() if one.raised_at and scope.among([one.queue])]
    return [AlertRow.of(one) for one in found]
