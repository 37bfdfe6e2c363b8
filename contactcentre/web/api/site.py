"""The site: read, checked, planned, applied, compared, rolled back. The code is that of `contactcentre apply`."""

import difflib
from typing import Annotated, Any

import yaml
from apiflask import APIBlueprint
from flask import Response, request
from pydantic import BaseModel, ConfigDict, Field

from contactcentre.domain.sentences import phrase
from contactcentre.domain.site import Site
from contactcentre.provision import change
from contactcentre.provision.asking import PlanSaid, ProblemSaid
from contactcentre.provision.plan import outline
from contactcentre.provision.secrets import BadSecret, check_name, check_value, needed
from contactcentre.provision.uses import users_of
from contactcentre.web.errors import BadValue, NotFound
from contactcentre.web.etags import etag, wanted_version
from contactcentre.web.openapi import answers
from contactcentre.web.permissions import Permission, requires
from contactcentre.web.proposals import (
    LARGEST,
    LATEST_VERSION,
    BadSite,
    Proposal,
    Wish,
    actor,
    carry_out,
    proposal,
    propose,
    site_of,
    wished,
)
from contactcentre.web.provisioner import is_off
from contactcentre.web.room import takes
from contactcentre.web.rows import Row
from contactcentre.web.session import address_of
from contactcentre.web.windows import NEXT, Window
from contactcentre.web.wiring import services

blueprint = APIBlueprint("site", __name__, url_prefix="/api/v1/site", tag="Site")

BAD = {422: "The site would break rules: `problems` names each value, and its line where YAML was sent"}
PBX = {
    **BAD,
    404: "No such part, thing, version or plan",
    409: "Refused as things are, or CONTACTCENTRE_PROVISION_COMMAND is off",
    412: "The site is at another version meanwhile",
    503: "What changes the PBX did not answer",
}


class SiteRow(Row):
    version: int = Field(description="0: nothing is provisioned yet")
    site: dict[str, Any] = Field(description="what is left out has its default; no secret is in it")
    read_only: bool = Field(description="plans are refused: CONTACTCENTRE_PROVISION_COMMAND is off")


class ThingRow(Row):
    version: int
    value: Any = Field(description="what is left out has its default")
    used_by: list[str] = Field(default=[], description="dotted paths of what needs it")


class VersionRow(Row):
    version: int
    at: float
    by: str
    comment: str


class VersionList(Row):
    versions: list[VersionRow] = Field(description="newest first")
    next: str = NEXT


class VersionWindow(BaseModel):
    model_config = ConfigDict(extra="forbid")

    limit: Annotated[int, Field(ge=1, le=200)] = 100
    cursor: Annotated[str, Field(pattern=r"^\d{0,9}$")] = ""


class Differing(BaseModel):
    model_config = ConfigDict(extra="forbid")

    old: Annotated[int, Field(ge=0, le=LATEST_VERSION)] = Field(description="a version; 0: the empty site")
    new: Annotated[int, Field(ge=0, le=LATEST_VERSION)] | None = Field(
        None, description="a version; left out: the newest"
    )


class DiffRow(Row):
    old: int
    new: int
    diff: str = Field(description="unified; empty: the same")


class Checked(Row):
    problems: list[ProblemSaid]


class PlanRow(Row):
    id: str
    version: int = Field(description="of the site that it starts from; also the ETag")
    action: str
    subject: str
    by: str = Field(description="who asked for it")
    plan: PlanSaid

    @classmethod
    def of(cls, made: Proposal) -> "PlanRow":
        return cls.model_validate(made.model_dump(include=set(cls.model_fields)))


class ApplyWish(BaseModel):
    model_config = ConfigDict(extra="forbid")

    comment: str = Field("", max_length=500, description="why; kept with the version and in the audit log")


class AppliedRow(Row):
    version: int = Field(description="of the site now")
    checked: int = Field(description="checks that the PBX passed afterwards")


class SecretRow(Row):
    name: str
    state: str = Field(description="set, missing, made by apply when needed, or not needed")


class SecretList(Row):
    secrets: list[SecretRow]
    next: str = NEXT


class SecretWish(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str = Field(max_length=60, description="agent/NAME, trunk/NAME, ari/contactcentre or esl/contactcentre")
    value: str = Field(max_length=200, description="never read back")


@blueprint.get("")
@blueprint.output(SiteRow)
@blueprint.doc(summary="The site as it is provisioned")
@requires(Permission.SITE)
def whole() -> tuple[SiteRow, int, dict[str, str]]:
    version, site = site_of(None)
    found = site.model_dump(mode="json", exclude_defaults=True)
    return SiteRow(version=version, site=found, read_only=is_off(services().settings)), 200, etag(version)


@blueprint.get("/file")
@answers("application/yaml")
@blueprint.doc(summary="The site as a site file (YAML)")
@requires(Permission.SITE)
def file() -> Response:
    version, site = site_of(None)
    response = Response(written(site), content_type="application/yaml; charset=utf-8")
    response.headers.update(etag(version))
    return response


@blueprint.get("/parts/<part>")
@blueprint.output(ThingRow)
@blueprint.doc(summary="One section", description=f"{', '.join((*change.KINDS, *change.WHOLE))}.")
@requires(Permission.SITE)
def section(part: str) -> tuple[ThingRow, int, dict[str, str]]:
    version, site = site_of(None)
    known_part(part)
    document = site.model_dump(mode="json", exclude_defaults=True)
    return ThingRow(version=version, value=document.get(part, {})), 200, etag(version)


@blueprint.get("/parts/<part>/<name>")
@blueprint.output(ThingRow)
@blueprint.doc(summary="One thing of a section, and what uses it")
@requires(Permission.SITE)
def thing(part: str, name: str) -> tuple[ThingRow, int, dict[str, str]]:
    version, site = site_of(None)
    if part not in change.KINDS:
        raise NotFound(phrase("there is no section %(part)s", part=repr(part[:40])))
    kind = change.KINDS[part]
    document: dict[str, Any] = site.model_dump(mode="json", exclude_defaults=True).get(part, {})
    name = change.name_of(site, kind, name)
    if name not in document:
        raise NotFound(phrase("there is no %(kind)s %(name)s", kind=change.called(kind), name=name[:60]))
    return ThingRow(version=version, value=document[name], used_by=users_of(site, kind, name)), 200, etag(version)


@blueprint.get("/versions")
@blueprint.input(VersionWindow, location="query", arg_name="wanted")
@blueprint.output(VersionList)
@blueprint.doc(summary="The versions, newest first")
@requires(Permission.SITE)
def versions(wanted: VersionWindow) -> VersionList:
    before = int(wanted.cursor) if wanted.cursor else None
    found = services().store.site_versions(wanted.limit + 1, before)
    shown = found[: wanted.limit]
    return VersionList(
        versions=[VersionRow(version=one.id, at=one.at, by=one.by, comment=one.comment) for one in shown],
        next=str(shown[-1].id) if len(found) > wanted.limit else "",
    )


@blueprint.get("/versions/<int:version>")
@blueprint.output(SiteRow)
@blueprint.doc(summary="The site as it was at a version")
@requires(Permission.SITE)
def version_of(version: int) -> SiteRow:
    number, site = site_of(version)
    return SiteRow(version=number, site=site.model_dump(mode="json", exclude_defaults=True), read_only=True)


@blueprint.get("/diff")
@blueprint.input(Differing, location="query", arg_name="wanted")
@blueprint.output(DiffRow)
@blueprint.doc(summary="What differs between two versions", responses={404: "No such version"})
@requires(Permission.SITE)
def diff(wanted: Differing) -> DiffRow:
    return compared(wanted.old, wanted.new)


@blueprint.post("/check")
@blueprint.input(Wish, location="json", arg_name="wish")
@blueprint.output(Checked)
@blueprint.doc(
    summary="Is it right?",
    description="Every problem at once, with its line where YAML was sent. Quick: the PBX is not asked, nor is it "
    "looked whether prompts have a sound file; a plan does both.",
    responses={404: "No such part, thing or version"},
)
@requires(Permission.SITE)
@takes(LARGEST)
def check(wish: Wish) -> Checked:
    try:
        wished(wish, site_of(None)[1])
    except BadSite as error:
        return Checked(problems=error.more["problems"])
    return Checked(problems=[])


@blueprint.post("/plans")
@blueprint.input(Wish, location="json", arg_name="wish")
@blueprint.output(PlanRow, status_code=201)
@blueprint.doc(
    summary="What a change would do",
    description="Nothing is changed: `plan` shows the difference of the site and of every file of the PBX, what is "
    "reloaded, and notes. It is kept for an hour, to be applied. With `If-Match` only if the site is at that version.",
    responses=PBX,
)
@requires(Permission.SITE)
@takes(LARGEST)
def plan(wish: Wish) -> tuple[PlanRow, int, dict[str, str]]:
    made = propose(wish, wanted_version())
    return PlanRow.of(made), 201, etag(made.version)


@blueprint.get("/plans/<id>")
@blueprint.output(PlanRow)
@blueprint.doc(summary="A plan that was made within the hour")
@requires(Permission.SITE)
def planned(id: str) -> tuple[PlanRow, int, dict[str, str]]:
    made = proposal(id)
    return PlanRow.of(made), 200, etag(made.version)


@blueprint.post("/plans/<id>/apply")
@blueprint.input(ApplyWish, location="json", arg_name="wish")
@blueprint.output(AppliedRow)
@blueprint.doc(
    summary="Carry a plan out",
    description="With `If-Match`: the plan's ETag. Wholly or not at all: if the PBX does not take it, every file is "
    "put back. Refused when the site, a file of the PBX or a secret has changed since the plan was shown.",
    responses={**PBX, 428: "If-Match is missing", 502: "The PBX did not take it; `detail` says how things stand"},
)
@requires(Permission.SITE)
def apply(id: str, wish: ApplyWish) -> tuple[AppliedRow, int, dict[str, str]]:
    done = carry_out(proposal(id), wish.comment, wanted_version())
    return AppliedRow(version=done.version, checked=done.checked), 200, etag(done.version)


@blueprint.get("/secrets")
@blueprint.input(Window, location="query", arg_name="wanted")
@blueprint.output(SecretList)
@blueprint.doc(summary="Which passwords there are, and which are missing", description="Names only, never values.")
@requires(Permission.SITE)
def secrets(wanted: Window) -> SecretList:
    found, after = wanted.of(secret_states(), lambda one: one.name)
    return SecretList(secrets=found, next=after)


def secret_states() -> list[SecretRow]:
    _, site = site_of(None)
    known = services().store.secrets()
    own, given = needed(site)
    states = {name: "set" if name in known else "made by apply when needed" for name in own}
    states |= {name: "set" if name in known else "missing" for name in given}
    states |= {name: "not needed" for name in known if name not in states}
    return [SecretRow(name=name, state=state) for name, state in sorted(states.items())]


@blueprint.put("/secrets")
@blueprint.input(SecretWish, location="json", arg_name="wish")
@blueprint.output({}, status_code=204)
@blueprint.doc(
    summary="Set a password",
    description="It reaches the PBX with the next plan that is applied. Audited, without the value.",
)
@requires(Permission.SITE)
def set_secret(wish: SecretWish) -> tuple[str, int]:
    keep_secret(wish.name, wish.value)
    return "", 204


def keep_secret(name: str, value: str) -> None:
    """Audited. Raises BadValue, which never holds the value."""
    try:
        check_name(name)
        check_value(value)
    except BadSecret as wrong:
        raise BadValue(str(wrong)) from None
    store = services().store
    store.set_secret(name, value)
    store.audit(actor(), "secret.set", name, {}, address_of(request))


def known_part(part: str) -> None:
    """Raises NotFound."""
    if part not in change.KINDS and part not in change.WHOLE:
        raise NotFound(phrase("there is no section %(part)s", part=repr(part[:40])))


def compared(old: int, new: int | None) -> DiffRow:
    """Raises NotFound."""
    before = Site() if old == 0 else site_of(old)[1]
    number, after = site_of(new)
    lines = difflib.unified_diff(
        outline(before).splitlines(keepends=True),
        outline(after).splitlines(keepends=True),
        f"version {old}",
        f"version {number}",
    )
    return DiffRow(old=old, new=number, diff="".join(lines))


def written(site: Site) -> str:
    """As `contactcentre site show` writes it."""
    document = site.model_dump(mode="json", exclude_defaults=True)
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=110) if document else ""
