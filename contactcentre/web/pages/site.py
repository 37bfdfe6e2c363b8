"""The site's pages: what is provisioned, forms to change it, plans, versions. They do what `web.api.site` does."""

from typing import Any

from apiflask import APIBlueprint
from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from contactcentre.domain.sentences import phrase
from contactcentre.domain.site import Site
from contactcentre.provision import change
from contactcentre.provision.asking import ProblemSaid
from contactcentre.provision.uses import users_of
from contactcentre.web import forms
from contactcentre.web.api.site import compared, keep_secret, secret_states, written
from contactcentre.web.errors import BadValue, Changed, NotFound, WebError
from contactcentre.web.permissions import Permission, requires
from contactcentre.web.proposals import BadSite, Wish, carry_out, proposal, propose, site_of
from contactcentre.web.provisioner import is_off
from contactcentre.web.wiring import services

blueprint = APIBlueprint("admin", __name__, url_prefix="/admin", enable_openapi=False)

LISTED = 8
"""Fields of a thing that lists name; more are in its form."""


NEW_FLOW = """\
start: welcome
nodes:
  welcome:
    type: answer
    next: bye
  bye:
    type: hangup
"""


@blueprint.get("")
@requires(Permission.SITE)
def overview() -> ResponseReturnValue:
    _, site = site_of(None)
    missing = [one.name for one in secret_states() if one.state == "missing"]
    return render_template(
        "admin/overview.html",
        counts={part: len(getattr(site, part)) for part in change.KINDS},
        versions=services().store.site_versions(5),
        missing=missing,
        **around(""),
    )


@blueprint.get("/site/<part>")
@requires(Permission.SITE)
def section(part: str) -> ResponseReturnValue:
    version, site = site_of(None)
    if part in change.WHOLE:
        return _form(part, "", version, getattr(site, part), site)
    _need(part)
    things = [_row(site, part, name) for name in sorted(getattr(site, part))]
    return render_template("admin/section.html", things=things, **around(part))


@blueprint.get("/new/<part>")
@requires(Permission.SITE)
def new(part: str) -> ResponseReturnValue:
    version, site = site_of(None)
    _need(part)
    return _form(part, "", version, None, site, new=True)


@blueprint.get("/site/<part>/<name>")
@requires(Permission.SITE)
def thing(part: str, name: str) -> ResponseReturnValue:
    version, site = site_of(None)
    return _form(part, name, version, _found(site, part, name), site)


@blueprint.post("/new/<part>")
@requires(Permission.SITE)
def add(part: str) -> ResponseReturnValue:
    _need(part)
    return _save(part, request.form.get("name", "").strip(), new=True)


@blueprint.post("/site/<part>")
@requires(Permission.SITE)
def save_section(part: str) -> ResponseReturnValue:
    if part not in change.WHOLE:
        raise NotFound(phrase("there is no section %(part)s", part=repr(part[:40])))
    return _save(part, "")


@blueprint.post("/site/<part>/<name>")
@requires(Permission.SITE)
def save(part: str, name: str) -> ResponseReturnValue:
    _found(site_of(None)[1], part, name)
    return _save(part, name)


@blueprint.post("/site/<part>/<name>/remove")
@requires(Permission.SITE)
def remove(part: str, name: str) -> ResponseReturnValue:
    version, site = site_of(None)
    found = _found(site, part, name)
    try:
        return _to(propose(Wish(part=part, name=name, remove=True)).id)
    except WebError as refused:
        return _form(part, name, version, found, site, problem=refused.detail), int(refused.status)


@blueprint.post("/secrets")
@requires(Permission.SITE)
def secret() -> ResponseReturnValue:
    """A trunk's or a phone's password. Never shown."""
    name, part = request.form.get("name", "")[:60], request.form.get("part", "")[:40]
    kind, _, of = name.partition("/")
    keep_secret(name, request.form.get("value", "")[:200])
    if change.SECTIONS.get(kind) != part:
        raise NotFound(phrase("there is no such thing"))
    return redirect(url_for("admin.thing", part=part, name=of, kept="yes"), 303)


@blueprint.get("/yaml")
@requires(Permission.SITE)
def editor() -> ResponseReturnValue:
    """The whole site, or with `part` and `name` one thing. Its script checks while one types, and sends it."""
    version, site = site_of(None)
    part, name = request.args.get("part", ""), request.args.get("name", "")
    if part and part not in change.WHOLE:
        text = forms.as_yaml(_found(site, part, name))
    else:
        text = forms.as_yaml(getattr(site, part)) if part else written(site)
    return render_template("admin/yaml.html", text=text, name=name, version=version, **around(part))


@blueprint.get("/plans/<id>")
@requires(Permission.SITE)
def plan(id: str) -> ResponseReturnValue:
    return _planned(id)


@blueprint.post("/plans/<id>")
@requires(Permission.SITE)
def apply(id: str) -> ResponseReturnValue:
    made = proposal(id)
    try:
        done = carry_out(made, request.form.get("comment", ""), made.version)
    except WebError as refused:
        if isinstance(refused, Changed):  # this plan can never be applied
            return _planned(id, phrase("%(detail)s Make the change again.", detail=refused.detail), over=True), int(
                refused.status
            )
        return _planned(id, refused.detail), int(refused.status)
    return redirect(url_for("admin.history", applied=done.version, checked=done.checked), 303)


@blueprint.get("/history")
@requires(Permission.SITE)
def history() -> ResponseReturnValue:
    found = services().store.site_versions()
    return render_template(
        "admin/history.html",
        versions=found,
        applied=request.args.get("applied", type=int),
        checked=request.args.get("checked", type=int),
        **around("history"),
    )


@blueprint.post("/history")
@requires(Permission.SITE)
def go_back() -> ResponseReturnValue:
    number = request.form.get("version", "")
    if not number.isdecimal() or len(number) > 9:
        raise BadValue(phrase("version: a number"))
    return _to(propose(Wish(back_to=int(number))).id)


@blueprint.get("/diff")
@requires(Permission.SITE)
def diff() -> ResponseReturnValue:
    old, new = request.args.get("old", 0, type=int), request.args.get("new", None, type=int)
    return render_template("admin/diff.html", found=compared(max(0, old), new), **around("history"))


@blueprint.app_template_filter()
def diff_lines(text: str) -> list[tuple[str, str]]:
    """(sort, line) of a unified diff: file, hunk, add, del or nothing."""
    sorts = {"+": "add", "-": "del", "@": "hunk"}
    return [
        ("file" if line.startswith(("--- ", "+++ ")) else sorts.get(line[:1], ""), line) for line in text.splitlines()
    ]


def _save(part: str, name: str, *, new: bool = False) -> ResponseReturnValue:
    known, site = site_of(None)
    typed = {key: text.replace("\r\n", "\n") for key, text in request.form.items()}
    value, wrong = forms.value_of(part, typed)
    thing = None if new else getattr(site, part) if part in change.WHOLE else _found(site, part, name)
    version = int(typed["version"]) if typed.get("version", "").isdecimal() else known
    if new and not name:
        return _form(part, name, known, thing, site, typed, new=True, problem="Give it a name."), 422
    if wrong:
        return _form(part, name, version, thing, site, typed, tuple(wrong), new=new), 422
    try:
        return _to(propose(Wish(part=part, name=name, value=value, new=new), version).id)
    except BadSite as error:
        problems = [ProblemSaid.model_validate(one) for one in error.more["problems"]]
        own, others = forms.problems_by_field(part, name, problems)
        return _form(part, name, version, thing, site, typed, tuple(own), new=new, problem=" ".join(others)), 422
    except WebError as refused:
        return _form(part, name, version, thing, site, typed, new=new, problem=refused.detail), int(refused.status)


def _form(
    part: str,
    name: str,
    version: int,
    thing: Any,
    site: Site,
    typed: dict[str, str] | None = None,
    wrong: tuple[tuple[str, str], ...] = (),
    *,
    new: bool = False,
    problem: str = "",
) -> str:
    if part == "flows":
        return _flow(name, version, thing, site, new=new, problem=problem)
    kind = change.KINDS.get(part, "")
    secret = f"{kind}/{name}" if kind in ("trunk", "agent") and name and not new else ""
    return render_template(
        "admin/thing.html",
        name=name,
        version=version,
        new=new,
        entries=forms.entries(part, thing, site, typed, wrong),
        problem=problem,
        used_by=users_of(site, kind, name) if kind and name and not new else [],
        secret=secret,
        secret_state=next((one.state for one in secret_states() if one.name == secret), ""),
        about=forms.about(part),
        kept=request.args.get("kept"),
        **around(part),
    )


def _flow(name: str, version: int, thing: Any, site: Site, *, new: bool, problem: str) -> str:
    return render_template(
        "admin/flow.html",
        name=name,
        version=version,
        new=new,
        text=forms.as_yaml(thing) if thing else NEW_FLOW,
        problem=problem,
        used_by=[] if new else users_of(site, "flow", name),
        dids=[number for number, did in site.dids.items() if did.flow == name],
        **around("flows"),
    )


def _planned(id: str, problem: str = "", *, over: bool = False) -> str:
    return render_template("admin/plan.html", made=proposal(id), problem=problem, over=over, **around("history"))


def _row(site: Site, part: str, name: str) -> dict[str, Any]:
    found = getattr(site, part)[name]
    kind = change.KINDS[part]
    if isinstance(found, str):
        shown = [("", found)]
    elif part == "flows":
        shown = [("", str(found.get("description", ""))), ("nodes", str(len(found.get("nodes", {}))))]
    else:
        shown = [(key.replace("_", " "), forms.short(value)) for key, value in forms.plain(found).items()]
    return {"name": name, "shown": shown[:LISTED], "used": len(users_of(site, kind, name))}


def around(part: str) -> dict[str, Any]:
    """What every page of these says around its own."""
    return {
        "part": part,
        "kind": change.called(change.KINDS.get(part, part)),
        "parts": list(change.KINDS),
        "wholes": list(change.WHOLE),
        "read_only": is_off(services().settings),
    }


def _need(part: str) -> None:
    if part not in change.KINDS:
        raise NotFound(phrase("there is no section %(part)s", part=repr(part[:40])))


def _found(site: Site, part: str, name: str) -> Any:
    _need(part)
    things = getattr(site, part)
    if name not in things:
        raise NotFound(phrase("there is no %(kind)s %(name)s", kind=change.called(change.KINDS[part]), name=name[:60]))
    return things[name]


def _to(plan: str) -> ResponseReturnValue:
    return redirect(url_for("admin.plan", id=plan), 303)
