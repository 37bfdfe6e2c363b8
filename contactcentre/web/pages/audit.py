"""The audit log: who changed what, who listened to what, who signed in."""

import json
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from apiflask import APIBlueprint
from flask import render_template, request
from flask.typing import ResponseReturnValue

from contactcentre.domain.sentences import phrase
from contactcentre.web.errors import BadValue
from contactcentre.web.permissions import Permission, requires
from contactcentre.web.wiring import services

PAGE = 100

blueprint = APIBlueprint("audit", __name__, enable_openapi=False)


@blueprint.get("/audit")
@requires(Permission.AUDIT)
def page() -> ResponseReturnValue:
    asked = {name: request.args.get(name, "").strip()[:200] for name in ("actor", "action", "subject")}
    days = {name: request.args.get(name, "").strip()[:10] for name in ("since", "until")}
    before = request.args.get("before", type=int)
    entries = services().store.audit_entries(
        **asked,
        since=_begin(days["since"]) if days["since"] else None,
        until=_begin(days["until"], after=1) if days["until"] else None,
        before=before,
        limit=PAGE,
    )
    more = entries[-1].id if len(entries) == PAGE else None
    return render_template("audit.html", entries=entries, asked={**asked, **days}, more=more, before=before)


def _begin(day: str, after: int = 0) -> float:
    """When a day begins by the site's clock; `after` days later. Raises BadValue."""
    site = services().store.site()[1]
    zone = ZoneInfo(site.settings.timezone if site else "UTC")
    try:
        return (datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=zone) + timedelta(days=after)).timestamp()
    except (ValueError, OverflowError):
        raise BadValue(phrase("%(day)s is no day such as 2026-12-24", day=repr(day))) from None


@blueprint.app_template_filter()
def details(detail: dict[str, object]) -> str:
    """An entry's details as `name: value, ...`."""
    shown = ((name, _plain(value)) for name, value in detail.items())
    return ", ".join(f"{name}: {value}" for name, value in shown if value)


def _plain(value: object) -> str:
    """Nothing where a list is empty."""
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return " ".join(value)
    return value if isinstance(value, str) else json.dumps(value)
