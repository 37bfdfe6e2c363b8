"""The list of contacts, and one contact with its timeline and recordings."""

import time
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from apiflask import APIBlueprint
from flask import make_response, render_template, request
from flask.typing import ResponseReturnValue

from contactcentre.domain.events import Outcome
from contactcentre.store import BadCursor
from contactcentre.web.api.contacts import detail, history_of
from contactcentre.web.api.why import of_contact
from contactcentre.web.errors import BadValue
from contactcentre.web.numbers import readable
from contactcentre.web.permissions import Permission, requires
from contactcentre.web.scope import current_scope
from contactcentre.web.timeline import NOISE, Line, line
from contactcentre.web.wiring import services

PAGE = 50

blueprint = APIBlueprint("contacts", __name__, enable_openapi=False)


@blueprint.get("/contacts")
@requires(Permission.CONTACTS, by_queue=True)
def page() -> ResponseReturnValue:
    asked = {name: request.args.get(name, "").strip()[:80] for name in ("day", "queue", "agent", "caller", "outcome")}
    (since, until), scope = _day(asked["day"]), current_scope()
    if asked["outcome"] and asked["outcome"] not in list(Outcome):
        raise BadValue(f"outcome {asked['outcome']!r} is none of {', '.join(Outcome)}")
    try:
        found = services().store.contacts(
            since=since,
            until=until,
            queue=asked["queue"],
            agent=asked["agent"],
            caller=asked["caller"],
            outcome=asked["outcome"],
            limit=PAGE,
            cursor=request.args.get("cursor", ""),
            only=scope.queues,
        )
    except BadCursor as error:
        raise BadValue(str(error)) from None
    _, site = services().store.site()
    whole = "HX-Request" not in request.headers
    response = make_response(
        render_template(
            "contacts.html" if whole else "contact_rows.html",
            page=found,
            asked=asked,
            outcomes=list(Outcome),
            queues=[name for name in sorted(site.queues) if scope.among([name])] if site else [],
            agents=[name for name in sorted(site.agents) if scope.queues is None or name in scope.agents]
            if site
            else [],
        )
    )
    response.headers["Vary"] = "HX-Request, Cookie"
    return response


@blueprint.get("/contacts/<id>")
@requires(Permission.CONTACTS, by_queue=True)
def one(id: str) -> ResponseReturnValue:
    history = history_of(id)
    found, whys = detail(history), services().whys
    technical = "technical" in request.args
    lines = [line(event.at, event.kind, event.data) for event in found.events if technical or event.kind not in NOISE]
    lines += [Line(later.at, later.text, later.because, "waiting") for later in whys.asked_later(history)]
    standing, remarks = whys.standing(found.contact.id) if found.contact.ended is None else (None, ())
    ends = [segment.ended or segment.started for segment in found.segments]
    return render_template(
        "contact.html",
        contact=found.contact,
        detail=found,
        lines=sorted(lines, key=lambda line: line.at),
        now=(*standing.lines, *remarks) if standing else remarks,
        at=time.time(),
        technical=technical,
        begin=found.contact.arrived,
        end=max([found.contact.ended or found.contact.arrived, *ends]),
    )


@blueprint.get("/contacts/<id>/now")
@requires(Permission.CONTACTS, by_queue=True)
def now(id: str) -> ResponseReturnValue:
    """Why it waits, as a piece of its page."""
    why = of_contact(id)
    return render_template("now.html", id=why.contact, at=why.at, lines=why.now_lines)


def zone() -> ZoneInfo:
    """The site's time zone, UTC if it names none that exists."""
    try:
        return ZoneInfo(services().fanout.timezone)
    except (KeyError, ValueError, OSError):
        return ZoneInfo("UTC")


@blueprint.app_template_filter()
def moment(at: float | None, pattern: str = "%Y-%m-%d %H:%M:%S") -> str:
    """A time in the site's time zone."""
    return "" if at is None else datetime.fromtimestamp(at, zone()).strftime(pattern)


@blueprint.app_template_filter()
def number(text: str) -> str:
    """A telephone number as people write it."""
    return readable(text, services().fanout.country)


@blueprint.app_template_filter()
def span(seconds: float | None) -> str:
    """0:07, 12:34, 1:02:03."""
    if seconds is None:
        return "–"
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _day(text: str) -> tuple[float | None, float | None]:
    """The beginning and end of an ISO date in the site's time zone; (None, None) for no date."""
    if not text:
        return None, None
    try:
        day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=zone())
        return day.timestamp(), (day + timedelta(days=1)).timestamp()
    except (ValueError, OverflowError):
        raise BadValue(f"day {text!r} is no date like 2026-11-23") from None
