"""Single changes to a site, as new documents: put one trunk, DID, queue, skill, agent ... in, or take it out."""

from collections.abc import Mapping
from typing import Any

from contactcentre.domain.numbers import canonical
from contactcentre.domain.site import Site
from contactcentre.provision.load import parse
from contactcentre.provision.problems import ProvisionError
from contactcentre.provision.uses import users_of

SECTIONS = {
    "trunk": "trunks",
    "did": "dids",
    "queue": "queues",
    "skill": "skills",
    "agent": "agents",
    "hours": "hours",
    "music": "music",
    "flow": "flows",
}
KINDS = {section: kind for kind, section in SECTIONS.items()}
WHOLE = ("settings", "features", "freeswitch")
"""Sections that are one thing."""


def called(kind: str) -> str:
    """The kind as people write it."""
    return "DID" if kind == "did" else kind


class NotThere(ProvisionError):
    """There is nothing of this kind and name."""


class AlreadyThere(ProvisionError):
    """There is something of this kind and name."""


class InUse(ProvisionError):
    """Something else needs it; the text names all of it."""


def added(site: Site, kind: str, name: str, value: Any) -> Site:
    """The site with one more. Raises AlreadyThere or SiteError."""
    if name in getattr(site, SECTIONS[kind]):
        raise AlreadyThere(f"{called(kind)} {name} is there already: `contactcentre {kind} set {name}` changes it")
    return _put(site, kind, name, value)


def changed(site: Site, kind: str, name: str, fields: Mapping[str, Any]) -> Site:
    """The site with some fields of one thing changed; None = back to the default. Raises NotThere or SiteError."""
    document = found(site, kind, name).model_dump(mode="json", exclude_defaults=True)
    for field, value in fields.items():
        if value is None:
            document.pop(field, None)
        else:
            document[field] = value
    return _put(site, kind, name, document)


def replaced(site: Site, kind: str, name: str, value: Any) -> Site:
    """The site with this thing as said, whether there was one or not. Raises SiteError."""
    return _put(site, kind, name, value)


def with_section(site: Site, section: str, value: Any) -> Site:
    """The site with another section. Raises SiteError."""
    return parse({**site.model_dump(mode="json"), section: value})


def removed(site: Site, kind: str, name: str) -> Site:
    """The site without it. Raises NotThere, InUse or SiteError."""
    found(site, kind, name)
    users = users_of(site, kind, name)
    if users:
        raise InUse(f"{called(kind)} {name} cannot be removed, it is used by: {', '.join(users)}")
    document = site.model_dump(mode="json")
    del document[SECTIONS[kind]][name]
    return parse(document)


def found(site: Site, kind: str, name: str) -> Any:
    """The thing of this kind and name. Raises NotThere."""
    section: Mapping[str, Any] = getattr(site, SECTIONS[kind])
    if name not in section:
        known = ", ".join(sorted(section)[:20]) or "none"
        raise NotThere(f"there is no {called(kind)} {name}; known: {known}")
    return section[name]


def name_of(site: Site, kind: str, typed: str) -> str:
    """The name that is meant: a DID may be typed in each way in which its number is written."""
    if kind != "did" or typed in site.dids:
        return typed
    number = canonical(typed, site.settings.country).removeprefix("+")
    country = site.settings.country
    return next((did for did in site.dids if canonical(did, country).removeprefix("+") == number), typed)


def _put(site: Site, kind: str, name: str, value: Any) -> Site:
    document = site.model_dump(mode="json")
    document[SECTIONS[kind]][name] = value
    return parse(document)
