"""What somebody wants to change of the site: from a wish to a document, to the plan that shows what it would do, to the
plan carried out. Plans are kept in Redis for an hour, so that what is applied is what was shown.
"""

import secrets
from http import HTTPStatus
from typing import Any

from flask import request
from itsdangerous import BadSignature, URLSafeSerializer
from pydantic import BaseModel, ConfigDict, Field

from contactcentre.domain.sentences import phrase
from contactcentre.domain.site import Site
from contactcentre.live.connection import PREFIX, ask
from contactcentre.provision import change, document
from contactcentre.provision.asking import Answered, Asked, PlanSaid, ProblemSaid
from contactcentre.provision.load import validate
from contactcentre.provision.problems import Problem, ProvisionError, SiteError, placed
from contactcentre.store import NoSuchVersion
from contactcentre.web import provisioner
from contactcentre.web.errors import BadValue, Changed, Conflict, MatchNeeded, NotFound, WebError
from contactcentre.web.session import address_of, signed_in
from contactcentre.web.wiring import services

KEPT_SECONDS = 3600
LATEST_VERSION = 2**31 - 1
"""That PostgreSQL can number."""
LARGEST = 4_000_000
"""Bytes of a site."""


class BadSite(BadValue):
    code, title = "bad_site", phrase("The site would break rules")


class Refused(Conflict):
    code, title = "refused", phrase("The PBX cannot be brought to this")


class NotApplied(WebError):
    status, code, title = HTTPStatus.BAD_GATEWAY, "apply_failed", phrase("The PBX did not take the change")


class Wish(BaseModel):
    """One of: the whole `site` (JSON) or `yaml`; `part` and `name` with `value` or `yaml` or `remove`; `back_to`."""

    model_config = ConfigDict(extra="forbid")

    site: dict[str, Any] | None = Field(default=None, description="the whole document")
    part: str = Field(default="", max_length=40, description="a section: queues, agents, trunks, dids, flows ...")
    name: str = Field(default="", max_length=60, description="one thing of the section; empty: the section as a whole")
    value: Any = Field(default=None, description="what it is to be; what is left out has its default")
    yaml: str | None = Field(default=None, max_length=LARGEST, description="instead of `site` or `value`")
    new: bool = Field(default=False, description="refuse when there is one of this name already")
    remove: bool = Field(default=False, description="take `name` out; refused while something uses it")
    back_to: int | None = Field(
        default=None, ge=0, le=LATEST_VERSION, description="an earlier version; 0: as before the first apply"
    )


class Proposal(BaseModel):
    """A plan that waits to be carried out."""

    id: str
    version: int  # of the site that it starts from
    site: dict[str, Any] | None
    back_to: int | None
    action: str
    subject: str
    by: str
    plan: PlanSaid


def propose(wish: Wish, version: int | None = None) -> Proposal:
    """`version`: the one that the asker has read. Raises BadSite, Changed, Refused, NotFound, or what
    `provisioner.ask` does."""
    known, site = services().store.site()
    if version is not None and version != known:
        raise Changed(phrase("The site is at version %(known)s now: read it again.", known=known))
    if wish.back_to is None:
        wanted = wished(wish, site or Site()).model_dump(mode="json")
        if wish.part:
            kind = change.KINDS.get(wish.part, wish.part)
            verb = "remove" if wish.remove else "add" if wish.new else "set"
            action, subject = f"{kind}.{verb}", f"{kind} {wish.name}".strip()
        else:
            action, subject = "site.apply", ""
    else:
        wanted, action, subject = None, "site.rollback", f"version {wish.back_to}"
    asked = Asked(version=known, site=wanted, back_to=wish.back_to)
    answered = _asked(asked)
    assert answered.plan is not None
    made = Proposal(
        id=secrets.token_urlsafe(16),
        version=known,
        site=wanted,
        back_to=wish.back_to,
        action=action,
        subject=subject,
        by=actor(),
        plan=answered.plan,
    )
    ask(services().redis, "SET", _key(made.id), _seal().dumps(made.model_dump(mode="json")), "EX", KEPT_SECONDS)
    return made


def proposal(id: str) -> Proposal:
    """Raises NotFound."""
    text = ask(services().redis, "GET", _key(id))
    try:
        made = Proposal.model_validate(_seal().loads(text or ""))
    except BadSignature:
        raise NotFound(phrase("There is no such plan (any more): plans are kept for an hour. Make it again.")) from None
    if made.id != id:
        raise NotFound(phrase("There is no such plan."))
    return made


def carry_out(made: Proposal, comment: str, version: int | None) -> Answered:
    """Audited. Raises MatchNeeded, Changed, Refused, NotApplied, or what `provisioner.ask` does."""
    if version is None:
        raise MatchNeeded(phrase("If-Match: give the ETag of the plan"))
    if version != made.version:
        raise Changed(phrase("This plan starts from another version of the site."))
    words = " ".join(comment.split()) or f"{made.action.rpartition('.')[2]} {made.subject}".strip()
    answered = _asked(
        Asked(
            version=made.version,
            site=made.site,
            back_to=made.back_to,
            plan=made.plan.digest,
            by=actor(),
            comment=words[:500],
            action=made.action,
            subject=made.subject,
            address=address_of(request),
        )
    )
    ask(services().redis, "DEL", _key(made.id))
    return answered


def wished(wish: Wish, site: Site) -> Site:
    """The site as it would be. Raises BadSite, BadValue, NotFound, Refused."""
    data: Any = wish.value
    lines: dict[str, tuple[str, int]] = {}
    try:
        if not wish.part:
            if (wish.yaml is None) is (wish.site is None):
                raise BadValue(phrase("give one of site, yaml, part and back_to"))
            if wish.yaml is None:
                return _checked(wish.site)
            data, lines = read_yaml(wish.yaml, ())
            return _checked(data, lines)
        single = wish.part in change.WHOLE
        if wish.part not in change.KINDS and not single:
            raise NotFound(
                phrase(
                    "part: there is no %(part)s; known: %(change)s",
                    part=repr(wish.part[:40]),
                    change=", ".join((*change.KINDS, *change.WHOLE)),
                )
            )
        if single and (wish.name or wish.remove):
            raise BadValue(phrase("%(part)s has no names", part=wish.part))
        kind = change.KINDS.get(wish.part, "")
        if wish.remove:
            return change.removed(site, kind, change.name_of(site, kind, wish.name))
        if wish.yaml is not None:
            prefix = (wish.part, wish.name) if wish.name else (wish.part,)
            data, lines = read_yaml(wish.yaml, prefix)
            data = {} if data is None else data
        if not wish.name:
            return _checked({**site.model_dump(mode="json"), wish.part: data}, lines)
        name = wish.name if wish.new else change.name_of(site, kind, wish.name)
        if wish.new and name in getattr(site, wish.part):
            raise _bad([Problem(f"{wish.part}.{name}", "duplicate", "is there already")])
        whole = site.model_dump(mode="json")
        whole[wish.part] = {**whole[wish.part], name: data}
        return _checked(whole, lines)
    except SiteError as error:
        raise _bad(error.problems) from None
    except change.NotThere as error:
        raise NotFound(str(error)) from None
    except ProvisionError as error:
        raise Refused(str(error)) from None


def read_yaml(text: str, prefix: tuple[str, ...]) -> tuple[Any, dict[str, tuple[str, int]]]:
    """What is written, and the lines of everything. A flow is written out, never named as a file: that would be one of
    the server's. Raises BadSite."""
    read = document.read(text, "", prefix=prefix, typed=lambda where: bool(where) and where[0] == "flows")
    if read.problems:
        raise _bad(read.problems)
    if not prefix and not isinstance(read.data, dict):
        raise _bad([Problem("", "type", "a site must be a mapping of sections", line=1)])
    return read.data, read.lines


def _checked(data: Any, lines: dict[str, tuple[str, int]] | None = None) -> Site:
    site, problems = validate(data)
    if problems or site is None:
        raise _bad(placed(problem, lines or {}) for problem in problems)
    return site


def _bad(problems: Any) -> BadSite:
    said = [ProblemSaid.of(problem) for problem in problems]
    said.sort(key=lambda problem: problem.line)
    return BadSite(said[0].message if said else "", problems=[one.model_dump() for one in said])


def _asked(asked: Asked) -> Answered:
    answered = provisioner.ask(asked, services().settings)
    match answered.error:
        case None:
            return answered
        case "bad_site":
            raise BadSite(answered.message, problems=[one.model_dump() for one in answered.problems])
        case "changed" | "stale":
            raise Changed(f"{answered.message}.")
        case "refused":
            raise Refused(answered.message)
        case _:
            raise NotApplied(answered.message)


def site_of(version: int | None) -> tuple[int, Site]:
    """Of a version, or the newest. Raises NotFound."""
    if version is not None and version > LATEST_VERSION:
        raise NotFound(phrase("there is no site version %(version)s", version=version))
    try:
        number, site = services().store.site(version)
    except NoSuchVersion as error:
        raise NotFound(str(error)) from None
    return number, site or Site()


def actor() -> str:
    account = signed_in()
    return account.name


def _seal() -> URLSafeSerializer:
    """Who can write to Redis is not, by that, somebody who may change the PBX."""
    return URLSafeSerializer(services().settings.secret_key, salt="site-plan")


def _key(id: str) -> str:
    return f"{PREFIX}web:plan:{id}"
