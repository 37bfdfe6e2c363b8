"""What an apply would do: every file before and after, the reloads, the checks. Making a plan changes
nothing."""

import difflib
import hashlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from contactcentre.domain.devices import accounts
from contactcentre.domain.site import Site
from contactcentre.provision import secrets as secret_store
from contactcentre.provision.existing import includes, sections
from contactcentre.provision.problems import Problem, ProvisionError, SiteError
from contactcentre.provision.render import ARI_USER, FILES, Outbound, render
from contactcentre.provision.target import DIRECTORY, AsteriskTarget, Target

RELOADS = {
    "musiconhold.conf": ("moh reload",),
    "pjsip.conf": ("module reload res_pjsip.so",),
    "queues.conf": ("queue reload all",),
    "extensions.conf": ("dialplan reload",),
    "websocket_client.conf": ("module reload res_websocket_client.so",),
    "ari.conf": ("module reload res_ari.so",),
}
"""File -> console commands that make Asterisk read it; in the order in which the files need each other."""


class Unreadable(ProvisionError):
    """A configuration file of the PBX cannot be read."""


@dataclass(frozen=True, slots=True)
class FileChange:
    """One file before and after; None = it is not there. `name` is its path below the configuration directory,
    `of` the one of the PBX's files that it is part of."""

    path: Path
    name: str
    of: str
    old: str | None
    new: str | None


@dataclass(frozen=True, slots=True)
class Check:
    """A question to the PBX after the reload: the answer to `command` must contain `expected` (or must
    not)."""

    command: str
    expected: str
    words: str
    absent: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything an apply will do, and nothing else. `old_site` is the version that is provisioned now."""

    site: Site
    old_site: Site
    files: tuple[FileChange, ...]
    reloads: tuple[str, ...]
    checks: tuple[Check, ...]
    new_secrets: Mapping[str, str]
    notes: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        """Nothing to do: files and site are as they should be."""
        return not self.files and self.site == self.old_site

    def diff(self) -> str:
        """Unified diffs of the site and of every file, secrets masked; "" when there is nothing to do."""
        return "".join(self._diffs())

    def digest(self) -> str:
        """The same for two plans that do the same (new secrets are random, and do not count)."""
        said = (self.diff(), *self.reloads, *(check.command for check in self.checks))
        return hashlib.sha256("\0".join(said).encode("utf-8", "surrogateescape")).hexdigest()

    def _diffs(self) -> Iterator[str]:
        yield from _unified(outline(self.old_site), outline(self.site), "site (now)", "site (planned)")
        for change in self.files:
            old, new = change.old or "", change.new or ""
            before = f"{change.path}" if change.old is not None else "/dev/null"
            after = f"{change.path}" if change.new is not None else "/dev/null"
            yield from _unified(
                secret_store.masked(old, new, "old"), secret_store.masked(new, old, "new"), before, after
            )


def make_plan(site: Site, target: AsteriskTarget, secrets: Mapping[str, str], old_site: Site | None = None) -> Plan:
    """What it takes to bring the target to the site. `secrets` are the stored ones, `old_site` what was
    applied last.

    Reads the target's files only; the PBX need not run. Raises SiteError when the site takes a name that the
    PBX's own files define, and BadSecret when a carrier's password is not known.
    """
    before = old_site or Site()
    own = {file: sections(target.etc_dir, file, target.ours) for file in FILES}
    foreign, notes = _foreign_endpoints(site, own["pjsip.conf"])
    if problems := [*_clashes(site, own, foreign)]:
        raise SiteError(problems)
    own_user = ARI_USER not in own["ari.conf"]
    if not own_user:
        notes.append(f"ari.conf defines the user {ARI_USER} itself ({own['ari.conf'][ARI_USER]}): it stays as it is")
    known, fresh = secret_store.completed(site, secrets, foreign)
    fresh.pop(secret_store.ESL, None)
    if not own_user:
        fresh.pop(f"ari/{ARI_USER}", None)
    if fresh:
        notes.append(
            f"{'a new secret is' if len(fresh) == 1 else 'new secrets are'} made for {', '.join(sorted(fresh))}"
        )
    files: list[FileChange] = []
    texts = render(site, known, foreign, _signing_in(target.outbound, known, own_user), ari_user=own_user)
    for name in FILES:
        if (text := texts.get(name)) is None:
            files += _removed(target, name)
            continue
        files += changed(target, f"{DIRECTORY}/{name}", name, text)
        holders = _holders(target, name)
        if not any(includes(text, f"{DIRECTORY}/{name}") for text in holders.values()):
            holder, text = next(iter(holders.items()))
            files += changed(target, holder, name, _with_include(text, name))
    return _made(site, before, files, _checks(site, before, own["pjsip.conf"]), fresh, notes)


def plan_removal(target: AsteriskTarget, old_site: Site) -> Plan:
    """What it takes to leave the PBX as it was before the first apply."""
    own = sections(target.etc_dir, "pjsip.conf", target.ours)
    files: list[FileChange] = []
    for name in FILES:
        files += _removed(target, name)
    return _made(Site(), old_site, files, _checks(Site(), old_site, own), {}, [])


def _removed(target: AsteriskTarget, name: str) -> Iterator[FileChange]:
    for holder, text in _holders(target, name).items():
        if text:
            yield from changed(target, holder, name, _without_include(text, name))
    yield from changed(target, f"{DIRECTORY}/{name}", name, None)


def _signing_in(outbound: Outbound | None, known: Mapping[str, str], own_user: bool) -> Outbound | None:
    """With the password that the PBX shows us. Raises BadSecret when nobody knows it."""
    if outbound is None or outbound.secret:
        return outbound
    if outbound.user != ARI_USER or not own_user:
        raise secret_store.BadSecret(
            f"the password of the ARI user {outbound.user} is not known: set CONTACTCENTRE_ARI_SECRET_FILE"
        )
    return replace(outbound, secret=known[f"ari/{ARI_USER}"])


def _made(
    site: Site,
    before: Site,
    files: list[FileChange],
    checks: list[Check],
    fresh: Mapping[str, str],
    notes: list[str],
) -> Plan:
    touched = {change.of for change in files}
    reloads = [command for file, commands in RELOADS.items() if file in touched for command in commands]
    if any("type = registration" in f"{change.old}{change.new}" for change in files):
        reloads.append("module reload res_pjsip_outbound_registration.so")
    if "pjsip.conf" in touched:
        # By itself Asterisk asks a new trunk within a minute whether it is there, and until then agents whose numbers
        # it leads to count as away.
        reloads += [f"pjsip qualify {name}" for name in site.trunks if site.trunks[name] != before.trunks.get(name)]
    return Plan(site, before, tuple(files), tuple(reloads), tuple(checks) if reloads else (), fresh, tuple(notes))


def _foreign_endpoints(site: Site, own: Mapping[str, str]) -> tuple[frozenset[str], list[str]]:
    """Agents' endpoints that are the PBX's own: named by `endpoint`, and defined in its files."""
    found = {agent.endpoint for agent in site.agents.values() if agent.endpoint and agent.endpoint in own}
    return frozenset(found), [
        f"endpoint {name} is the PBX's own ({own[name]}): used as it is" for name in sorted(found)
    ]


def _clashes(site: Site, own: Mapping[str, Mapping[str, str]], foreign: frozenset[str]) -> Iterator[Problem]:
    endpoints, queues = own["pjsip.conf"], own["queues.conf"]
    taken = "defined in the PBX's own"
    for name in site.trunks:
        if name in endpoints:
            yield Problem(f"trunks.{name}", "in-use", f"{name} is {taken} {endpoints[name]}")
    for endpoint, name in accounts(site).items():
        if endpoint in endpoints and endpoint not in foreign:
            hint = f"; `endpoint: {endpoint}` uses it as it is"
            yield Problem(f"agents.{name}", "in-use", f"{endpoint} is {taken} {endpoints[endpoint]}{hint}")
    for name, queue in site.queues.items():
        if f"contactcentre-{name}" in queues:
            yield Problem(
                f"queues.{name}",
                "in-use",
                f"contactcentre-{name} is {taken} {queues[f'contactcentre-{name}']}",
            )
        if queue.music != "default" and queue.music not in site.music and queue.music not in own["musiconhold.conf"]:
            message = f"there is no music class {queue.music} in the site, nor in the PBX's musiconhold.conf"
            yield Problem(f"queues.{name}.music", "unknown-music", message)
    music = site.settings.line_music
    if music and music != "default" and music not in site.music and music not in own["musiconhold.conf"]:
        message = f"there is no music class {music} in the site, nor in the PBX's musiconhold.conf"
        yield Problem("settings.line_music", "unknown-music", message)
    for name in site.music:
        if name in own["musiconhold.conf"]:
            yield Problem(f"music.{name}", "in-use", f"{name} is {taken} {own['musiconhold.conf'][name]}")
    for context in (
        "contactcentre-in",
        "contactcentre-agents",
        "contactcentre-fallback",
        "contactcentre-out",
        "contactcentre-line",
    ):
        if context in own["extensions.conf"]:
            yield Problem("", "in-use", f"the context {context} is {taken} {own['extensions.conf'][context]}")


def _checks(site: Site, before: Site, own: Collection[str]) -> list[Check]:
    checks: list[Check] = []
    endpoints = {account: f"agent {name}" for account, name in accounts(site).items()} | {
        t: f"trunk {t}" for t in site.trunks
    }
    for endpoint, holder in sorted(endpoints.items()):
        command = f"pjsip show endpoint {endpoint}"
        checks.append(Check(command, f"Endpoint:  {endpoint}", f"the endpoint of {holder} exists"))
    old = accounts(before).keys() | before.trunks.keys()
    for endpoint in sorted(old - set(endpoints) - set(own)):
        command = f"pjsip show endpoint {endpoint}"
        checks.append(Check(command, f"Endpoint:  {endpoint}", f"the endpoint {endpoint} is gone", absent=True))
    command = "dialplan show contactcentre-in"
    for number in sorted(site.dids):
        expected = f"Stasis(contactcentre,did,{number},speaks:${{CHANNEL(audionativeformat)}})"
        checks.append(Check(command, expected, f"the DID {number} leads to the controller"))
    for number in sorted(set(before.dids) - set(site.dids)):
        expected = f"Stasis(contactcentre,did,{number},"
        checks.append(Check(command, expected, f"the DID {number} is gone", absent=True))
    for name in sorted(site.queues):
        expected = f"contactcentre-{name} has "
        checks.append(Check("queue show", expected, f"the fallback of queue {name} exists"))
    for name in sorted(site.music):
        checks.append(Check("moh show classes", f"Class: {name}\n", f"music {name} has sound files"))
    if site.agents:
        code = site.features.login
        command = f"dialplan show {code}@contactcentre-agents"
        checks.append(Check(command, f"Stasis(contactcentre,feature,{code}", "agents can dial the feature codes"))
    return checks


def _holders(target: AsteriskTarget, name: str) -> dict[str, str]:
    """The PBX's own files that may hold our include -> their text; the one to put it into comes first.

    A front end such as FreePBX writes Asterisk's files itself and would lose a line there, but keeps what is in the
    files that it includes for this very purpose.
    """
    main = text_of(target.etc_dir / name) or ""
    stem = name.removesuffix(".conf")
    kept = [f"{stem}{ending}.conf" for ending in ("_custom", "_additional_custom", "_custom_post")]
    names = [*(custom for custom in kept if includes(main, custom)), name]
    return {holder: text_of(target.etc_dir / holder) or "" for holder in names}


def changed(target: Target, name: str, of: str, new: str | None) -> list[FileChange]:
    """The change that makes the file's text `new`, if it is one."""
    path = target.etc_dir / name
    old = text_of(path)
    return [] if old == new else [FileChange(path, name, of, old, new)]


def text_of(path: Path) -> str | None:
    """None = it is not there. Raises Unreadable."""
    try:
        with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
            return file.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Unreadable(f"cannot read {path}: {error.strerror}") from error


_COMMENT = "; What contactcentre provisions:\n"


def _with_include(text: str, name: str) -> str:
    gap = "" if not text or text.endswith("\n") else "\n"
    return f"{text}{gap}{_COMMENT}#tryinclude {DIRECTORY}/{name}\n"


def _without_include(text: str, name: str) -> str:
    return text.replace(f"{_COMMENT}#tryinclude {DIRECTORY}/{name}\n", "")


def outline(site: Site) -> str:
    """The site as people read it, without what is left at its default, in an order that does not depend on
    its history."""
    document: dict[str, Any] = site.model_dump(mode="json", exclude_defaults=True)
    return yaml.safe_dump(document, sort_keys=True, allow_unicode=True, width=110) if document else ""


def _unified(old: str, new: str, before: str, after: str) -> list[str]:
    lines = difflib.unified_diff(old.splitlines(keepends=True), new.splitlines(keepends=True), before, after)
    text = "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace").splitlines(keepends=True)
