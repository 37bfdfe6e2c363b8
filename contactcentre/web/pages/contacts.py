"""The list of contacts, and one contact with its timeline and recordings."""

import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from apiflask import APIBlueprint
from flask import make_response, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.utils import redirect

from contactcentre.domain.customers import number_of
from contactcentre.domain.events import Outcome
from contactcentre.domain.results import NotAcceptable
from contactcentre.domain.sentences import phrase
from contactcentre.domain.site import Queue
from contactcentre.store import BadCursor
from contactcentre.store.history import SAID_NOTHING
from contactcentre.web.api.contacts import detail, history_of
from contactcentre.web.api.results import change_as_supervisor, may_say, of_contact
from contactcentre.web.api.why import of_contact as why_of
from contactcentre.web.customers import find
from contactcentre.web.errors import BadValue, Changed, NotFound
from contactcentre.web.history import NoteRow
from contactcentre.web.language import date_and_time
from contactcentre.web.numbers import readable
from contactcentre.web.permissions import Permission, granted, requires
from contactcentre.web.results import Wish
from contactcentre.web.scope import current_scope
from contactcentre.web.session import current_account
from contactcentre.web.timeline import NOISE, Line, line
from contactcentre.web.wiring import services

PAGE = 50
ASKED = ("day", "queue", "agent", "caller", "outcome", "disposition")

blueprint = APIBlueprint("contacts", __name__, enable_openapi=False)


@blueprint.get("/contacts")
@requires(Permission.CONTACTS, by_queue=True)
def page() -> ResponseReturnValue:
    asked = {name: request.args.get(name, "").strip()[:80] for name in ASKED}
    (since, until), scope = _day(asked["day"]), current_scope()
    if asked["outcome"] and asked["outcome"] not in list(Outcome):
        raise BadValue(
            phrase(
                "outcome %(asked)s is none of %(outcomes)s", asked=repr(asked["outcome"]), outcomes=", ".join(Outcome)
            )
        )
    try:
        found = services().store.contacts(
            since=since,
            until=until,
            queue=asked["queue"],
            agent=asked["agent"],
            caller=asked["caller"],
            outcome=asked["outcome"],
            disposition=asked["disposition"],
            limit=PAGE,
            cursor=request.args.get("cursor", ""),
            only=scope.queues,
        )
    except BadCursor as error:
        raise BadValue(str(error)) from None
    _, site = services().store.site()
    queues = {name: one for name, one in site.queues.items() if scope.among([name])} if site else {}
    whole = "HX-Request" not in request.headers
    response = make_response(
        render_template(
            "contacts.html" if whole else "contact_rows.html",
            page=found,
            asked=asked,
            outcomes=list(Outcome),
            dispositions=dispositions(queues),
            queues=sorted(queues),
            agents=[name for name in sorted(site.agents) if scope.queues is None or name in scope.agents]
            if site
            else [],
        )
    )
    response.headers["Vary"] = "HX-Request, Cookie"
    return response


def dispositions(queues: Mapping[str, Queue]) -> dict[str, str]:
    """All that these queues have, by code, with what agents see first of each."""
    found = {code: one.called(code) for queue in queues.values() for code, one in reversed(queue.dispositions.items())}
    return {SAID_NOTHING: "none was said"} | dict(reversed(found.items())) if found else {}


@blueprint.get("/contacts/<id>")
@requires(Permission.CONTACTS, by_queue=True)
def one(id: str) -> ResponseReturnValue:
    return _contact(id)


@blueprint.post("/contacts/<id>/result")
@requires(Permission.RESULTS, by_queue=True)
def say(id: str) -> ResponseReturnValue:
    """How it ended, and back to it. What is not acceptable is said there."""
    sent = request.form
    wish = Wish(note=sent.get("note", ""))
    try:
        sheet = of_contact(id, sent.get("queue"))
        code = sent.get("disposition")
        if code is not None and code != sheet.result.code:
            wish = wish.model_copy(update={"disposition": code[:40]})
        version = sent.get("version", "")
        change_as_supervisor(sheet, wish, int(version) if version.isdecimal() and len(version) < 10 else None)
    except (BadValue, Changed) as wrong:
        return _contact(id, wrong.detail), int(wrong.status)
    return redirect(url_for("contacts.one", id=id), 303)


def _contact(id: str, problem: str = "") -> str:
    history = history_of(id)
    found, whys = detail(history), services().whys
    technical = "technical" in request.args
    lines = [line(event.at, event.kind, event.data) for event in found.events if technical or event.kind not in NOISE]
    lines += [noted for note in found.notes for noted in _noted(note)]
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
        sheet=of_contact(id) if may_say() else None,
        problem=problem,
        **_customer(found.contact.caller),
        begin=found.contact.arrived,
        end=max([found.contact.ended or found.contact.arrived, *ends]),
    )


def _customer(caller: str) -> dict[str, str]:
    """Who called, for those who may see customers."""
    account = current_account()
    try:
        number = number_of(caller, services().fanout.country)
        if account is None or not granted(account.role, Permission.CUSTOMERS):
            return {}
        return {"customer_name": find(number).name, "customer_link": url_for("customers.one", id=number)}
    except (NotAcceptable, NotFound):
        return {}


def _noted(note: NoteRow) -> list[Line]:
    """What was written down, as the last who did it left it."""
    answers = tuple(f"{one.label}: {one.value}" for one in note.answers.values())
    more = (note.note, *answers) if note.note else answers
    return [Line(note.at, f"{note.by} wrote down ({note.queue or 'no queue'})", more, "wrap_up")]


@blueprint.get("/contacts/<id>/now")
@requires(Permission.CONTACTS, by_queue=True)
def now(id: str) -> ResponseReturnValue:
    """Why it waits, as a piece of its page."""
    why = why_of(id)
    return render_template("now.html", id=why.contact, at=why.at, lines=why.now_lines)


def zone() -> ZoneInfo:
    """The site's time zone, UTC if it names none that exists."""
    try:
        return ZoneInfo(services().fanout.timezone)
    except (KeyError, ValueError, OSError):
        return ZoneInfo("UTC")


@blueprint.app_template_filter()
def moment(at: float | None, pattern: str = "%Y-%m-%d %H:%M:%S") -> str:
    """A time in the site's time zone, as people of the page's language write it."""
    return "" if at is None else date_and_time(datetime.fromtimestamp(at, zone()), pattern)


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
        raise BadValue(phrase("day %(text)s is no date like 2026-11-23", text=repr(text))) from None
