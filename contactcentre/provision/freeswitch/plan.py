"""What an apply would do on FreeSWITCH: as `provision.plan` for Asterisk."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from contactcentre.domain.devices import accounts
from contactcentre.domain.site import Site
from contactcentre.provision import secrets as secret_store
from contactcentre.provision.freeswitch.render import CALLCENTER as CALLCENTER_FILES
from contactcentre.provision.freeswitch.render import FILES, network_of, render
from contactcentre.provision.plan import Check, FileChange, Plan, changed, text_of
from contactcentre.provision.problems import Problem, ProvisionError, SiteError
from contactcentre.provision.target import FreeswitchTarget

CALLCENTER = "autoload_configs/callcenter.conf.xml"
EVENT_SOCKET = "autoload_configs/event_socket.conf.xml"
LAST = {"contactcentre/event_socket.xml"}
"""Of ours, what is included at the element's end: of two values the last one counts."""
HOLDERS = {
    "contactcentre/queues.xml": (CALLCENTER, "queues"),
    "contactcentre/agents.xml": (CALLCENTER, "agents"),
    "contactcentre/tiers.xml": (CALLCENTER, "tiers"),
    "contactcentre/fifo.xml": ("autoload_configs/fifo.conf.xml", "fifos"),
    "contactcentre/event_socket.xml": (EVENT_SOCKET, "settings"),
    "contactcentre/conference.xml": ("autoload_configs/conference.conf.xml", "profiles"),
    "contactcentre/music.xml": ("autoload_configs/local_stream.conf.xml", "configuration"),
}
"""Our file -> the file of FreeSWITCH's that includes it, and the element there that it is in."""

CONTEXTS = ("in", "hands", "fallback", "agents", "out", "transfer")
_COMMENT = re.compile(r"<!--.*?-->", re.S)


class NotFreeswitch(ProvisionError):
    """The configuration directory is not laid out as FreeSWITCH's own is."""


def make_plan(site: Site, target: FreeswitchTarget, secrets: Mapping[str, str], old_site: Site | None = None) -> Plan:
    """As `provision.plan.make_plan`. Raises NotFreeswitch too."""
    before = old_site or Site()
    profile = _profile(target)
    own = _Own(target)
    foreign = frozenset(
        agent.endpoint for agent in site.agents.values() if agent.endpoint and agent.endpoint in own.users
    )
    if problems := [*_problems(site, own, foreign)]:
        raise SiteError(problems)
    notes = [f"user {name} is FreeSWITCH's own ({own.users[name]}): used as it is" for name in sorted(foreign)]
    notes += own.remarks(site)
    known, fresh = secret_store.completed(site, secrets, foreign)
    fresh = {name: value for name, value in fresh.items() if not name.startswith("ari/")}
    if fresh:
        notes.append(f"new secrets are made for {', '.join(sorted(fresh))}")
    files: list[FileChange] = []
    rendered: dict[str, str | None] = {**dict.fromkeys(FILES.values()), **render(site, known, foreign)}
    for path, text in rendered.items():
        holder = HOLDERS[path][0] if path in HOLDERS else ""
        if holder and text_of(target.etc_dir / holder) is None:
            if text is not None:
                notes.append(f"there is no {holder}: {Path(path).stem} is left out")
            continue
        files += changed(target, path, path, text)
    files += _held(target, {path for path, text in rendered.items() if text is not None})
    if any(change.of in (FILES["event_socket.xml"], EVENT_SOCKET) for change in files):
        # `reload mod_event_socket` would do it, but FreeSWITCH crashes when somebody connects in that moment
        notes.append(
            "the event socket changes when FreeSWITCH is started anew, and until then stays as it is; then fs_cli, "
            "scripts and controllers need the password that "
            f"`contactcentre secret show {secret_store.ESL} --reveal` shows"
        )
    return _made(site, before, files, profile, fresh, notes)


def plan_removal(target: FreeswitchTarget, old_site: Site) -> Plan:
    """What it takes to leave FreeSWITCH as it was before the first apply."""
    files = [change for path in FILES.values() for change in changed(target, path, path, None)]
    return _made(Site(), old_site, files + _held(target, set()), _profile(target), {}, [])


def _made(
    site: Site,
    before: Site,
    files: list[FileChange],
    profile: str,
    fresh: Mapping[str, str],
    notes: list[str],
) -> Plan:
    reloads = [*_reloads(site, before, {change.of for change in files}, profile)] if files else []
    checks = [*_checks(site, before)] if files else []
    return Plan(site, before, tuple(files), tuple(reloads), tuple(checks), fresh, tuple(notes))


def _reloads(site: Site, before: Site, touched: set[str], profile: str) -> Iterator[str]:
    yield "reloadxml"
    if FILES["gateways.xml"] in touched:
        gone = [name for name in sorted(before.trunks) if site.trunks.get(name) != before.trunks[name]]
        yield from (f"sofia profile {profile} killgw {name}" for name in gone)
        if gone:
            yield "msleep 2500"  # it takes a gateway away in its next round, and does not take one twice
        yield f"sofia profile {profile} rescan"
    if touched & {FILES[name] for name in CALLCENTER_FILES}:
        old, new = _served(before, "callcenter"), _served(site, "callcenter")
        for name in sorted(old.queues.keys() - new.queues.keys()):
            yield f"callcenter_config queue unload {name}@contactcentre"
        for name in sorted(old.agents.keys() - new.agents.keys()):
            yield f"callcenter_config agent del {name}@contactcentre"
        for name in sorted(new.queues):
            yield f"callcenter_config queue reload {name}@contactcentre"
        for name in sorted(new.agents):
            yield f"callcenter_config agent reload {name}@contactcentre"
        if new.queues:
            yield "callcenter_config tier reload all"
    if FILES["fifo.xml"] in touched:
        yield "fifo reparse"
    if FILES["music.xml"] in touched:
        yield from (f"local_stream start {name}" for name in sorted(site.music))


def _served(site: Site, fallback: str) -> Site:
    """The site where its queues' fallback is this one, else one without queues."""
    return site if site.freeswitch.fallback == fallback else Site()


def _checks(site: Site, before: Site) -> Iterator[Check]:
    locate = "xml_locate dialplan context name"
    for number in sorted(site.dids):
        text = f'contactcentre_args=did,{number}"'
        yield Check(f"{locate} contactcentre-in", text, f"the DID {number} leads to the controller")
    for number in sorted(before.dids.keys() - site.dids.keys()):
        command, text = f"{locate} contactcentre-in", f'contactcentre_args=did,{number}"'
        yield Check(command, text, f"the DID {number} is gone", absent=True)
    for account, holder in sorted(accounts(site).items()):
        yield Check(f"list_users user {account}", f"\n{account}|", f"the phone of agent {holder} exists")
    for name in sorted(site.trunks):
        yield Check(f"sofia status gateway {name}", f"Name    \t{name}", f"the gateway of trunk {name} exists")
    for name in sorted(before.trunks.keys() - site.trunks.keys()):
        yield Check(f"sofia status gateway {name}", "Invalid Gateway", f"the gateway {name} is gone")
    for name in sorted(_served(site, "callcenter").queues):
        yield Check("callcenter_config queue list", f"{name}@contactcentre|", f"the fallback of queue {name} exists")
    for name in sorted(_served(site, "fifo").queues):
        yield Check("fifo list", f'<fifo name="{name}@contactcentre"', f"the fallback of queue {name} exists")
    if (own := site.freeswitch.event_socket) is not None:
        command, text = "xml_locate configuration configuration name event_socket.conf", f'value="{own.port}"'
        yield Check(command, text, f"the event socket listens at {own.listen}:{own.port}")


class _Own:
    """What FreeSWITCH's own files define: users, gateways, contexts, music classes, each with its file."""

    def __init__(self, target: FreeswitchTarget) -> None:
        etc, ours = target.etc_dir, {target.etc_dir / path for path in FILES.values()}
        self.etc = etc
        files = [path for path in sorted(etc.rglob("*.xml")) if path not in ours and target.ours not in path.parents]
        self._texts = {path: _COMMENT.sub("", text_of(path) or "") for path in files}
        self.users = self._found("directory", r'<user\s+id="([^"]+)"(?![^>]*type="pointer")')
        self.gateways = self._found("sip_profiles", r'<gateway\s+name="([^"]+)"')
        self.contexts = self._found("dialplan", r'<context\s+name="([^"]+)"')
        self.music = self._found("autoload_configs/local_stream.conf.xml", r'<directory\s+name="([^"]+)"')

    def _found(self, under: str, pattern: str) -> dict[str, str]:
        found: dict[str, str] = {}
        for path, text in self._texts.items():
            if path == self.etc / under or path.is_relative_to(self.etc / under):
                for name in re.findall(pattern, text):
                    found.setdefault(name, str(path.relative_to(self.etc)))
        return found

    def remarks(self, site: Site) -> Iterator[str]:
        """What an administrator should know of the event socket and the modules."""
        socket = self._texts.get(self.etc / EVENT_SOCKET, "")
        if not socket:
            yield f"there is no {EVENT_SOCKET}: the controller needs mod_event_socket"
        elif site.freeswitch.event_socket is not None:
            for acl in re.findall(r'name="apply-inbound-acl"\s+value="([^"]+)"', socket):
                yield f"{EVENT_SOCKET} has apply-inbound-acl {acl} itself: an address must pass that, too"
        elif re.search(r'name="password"\s+value="ClueCon"', socket):
            yield "the event socket has the well-known password ClueCon: whoever reaches it commands the switch"
        modules = self._texts.get(self.etc / "autoload_configs/modules.conf.xml", "")
        fallback = f"mod_{site.freeswitch.fallback}"
        for name, use in ((fallback, "the queues' fallback"), ("mod_hash", "the controller")):
            if f'module="{name}"' not in modules:
                yield f"{name}, which {use} needs, is not loaded by autoload_configs/modules.conf.xml"


def _profile(target: FreeswitchTarget) -> str:
    """The SIP profile that includes the gateways of `sip_profiles/external`. Raises NotFreeswitch."""
    for path in sorted((target.etc_dir / "sip_profiles").glob("*.xml")):
        text = _COMMENT.sub("", text_of(path) or "")
        name = re.search(r'<profile\s+name="([A-Za-z0-9_.-]+)"', text)
        if name and 'data="external/*.xml"' in text:
            return name[1]
    raise NotFreeswitch(
        f"{target.etc_dir} is not laid out as FreeSWITCH's own configuration is: no sip_profiles/*.xml includes "
        "external/*.xml"
    )


def _problems(site: Site, own: _Own, foreign: frozenset[str]) -> Iterator[Problem]:
    for name, trunk in site.trunks.items():
        if name in own.gateways:
            yield Problem(f"trunks.{name}", "in-use", f"gateway {name} is defined in FreeSWITCH's {own.gateways[name]}")
        named = [source for source in trunk.match or (trunk.host,) if not network_of(source)]
        if named and not trunk.registration:
            message = f"{named[0]} is a host name: FreeSWITCH tells where a call comes from by addresses only"
            yield Problem(f"trunks.{name}.match", "not-an-address", message)
    for endpoint, name in accounts(site).items():
        if endpoint in own.users and endpoint not in foreign:
            hint = f"; `endpoint: {endpoint}` uses it as it is"
            yield Problem(
                f"agents.{name}", "in-use", f"{endpoint} is defined in FreeSWITCH's {own.users[endpoint]}{hint}"
            )
    for name in site.music:
        if name in own.music:
            yield Problem(f"music.{name}", "in-use", f"{name} is defined in FreeSWITCH's {own.music[name]}")
    for context in (f"contactcentre-{name}" for name in CONTEXTS):
        if context in own.contexts:
            yield Problem("", "in-use", f"the context {context} is defined in FreeSWITCH's {own.contexts[context]}")


def _held(target: FreeswitchTarget, wanted: set[str]) -> list[FileChange]:
    """The files of FreeSWITCH's that include ours, with the lines for those that are wanted, and no others."""
    files: list[FileChange] = []
    for holder in dict.fromkeys(holder for holder, _ in HOLDERS.values()):
        text = text_of(target.etc_dir / holder)
        if text is None:
            continue
        for path, (where, element) in HOLDERS.items():
            if where == holder:
                text = _with_line(text, element, path) if path in wanted else text.replace(_line(path), "")
        files += changed(target, holder, next(p for p, (h, _) in HOLDERS.items() if h == holder), text)
    return files


def _line(path: str) -> str:
    # a line to itself: FreeSWITCH's preprocessor drops what else is on it
    return f'\n<X-PRE-PROCESS cmd="include" data="../{path}"/>\n'


def _with_line(text: str, element: str, path: str) -> str:
    """The text with our line in the element: behind its opening tag, or before its closing one. Raises NotFreeswitch
    when there is none."""
    if _line(path) in text:
        return text
    bare = _COMMENT.sub(lambda comment: "-" * len(comment[0]), text)
    found = re.search(rf"</{element}\s*>" if path in LAST else rf"<{element}(\s[^>]*)?(?<!/)>", bare)
    if found is None:
        raise NotFreeswitch(f"{HOLDERS[path][0]} has no <{element}> to include {path} in")
    at = found.start() if path in LAST else found.end()
    return text[:at] + _line(path) + text[at:]
