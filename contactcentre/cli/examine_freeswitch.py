"""What `doctor` asks a FreeSWITCH, over its event socket. Nothing is changed there."""

import os
import re
import time
from collections.abc import Iterator

from contactcentre.cli.esl import Ask, console
from contactcentre.cli.examine import DEADLINE, Finding, fail, judged, ok, warn
from contactcentre.cli.examine_phones import NO_ADDRESS
from contactcentre.cli.examine_phones import SUBJECT as SOFTPHONES
from contactcentre.domain.devices import web_account
from contactcentre.domain.site import Site
from contactcentre.pbx.errors import PbxError, Refused
from contactcentre.provision.freeswitch.plan import CONTEXTS
from contactcentre.settings import Settings

OLDEST = (1, 10)
TRIED = "1.11"
MODULES = {
    "mod_commands": "commands",
    "mod_dptools": "the dialplan's applications",
    "mod_dialplan_xml": "the dialplan",
    "mod_event_socket": "the controller's link",
    "mod_sofia": "SIP",
    "mod_sndfile": "prompts and recordings",
    "mod_tone_stream": "beeps and silence",
    "mod_local_stream": "music for who waits",
    "mod_conference": "conversations of three and more",
    "mod_hash": "the controller's notes",
}
"""What we need -> for what."""


def freeswitch(settings: Settings, site: Site | None) -> Iterator[Finding]:
    """Reachable, new enough, its modules, our dialplan, profiles, gateways, who can reach its event socket, clock."""
    if settings.esl_address is None or settings.esl_secret is None:
        yield fail(
            "pbx",
            f"the event socket's {'password' if settings.esl_address else 'address'} is not known",
            "set CONTACTCENTRE_ESL_ADDRESS (say 127.0.0.1:8021) and CONTACTCENTRE_ESL_SECRET_FILE",
        )
        return
    try:
        with console(settings, DEADLINE) as ask:
            yield from _found(ask, settings, site or Site())
    except Refused as error:
        advice = {
            401: "compare the password with event_socket.conf.xml; a change there needs a new start of FreeSWITCH",
            403: "see apply-inbound-acl in its event_socket.conf.xml",
        }.get(error.status, "see FreeSWITCH's own log")
        yield fail("pbx", f"the event socket at {settings.esl_address} refuses us: {error}", advice)
    except PbxError as error:
        yield fail(
            "pbx",
            f"{error}" if settings.esl_address in str(error) else f"{settings.esl_address} cannot be asked: {error}",
            "is FreeSWITCH running, with mod_event_socket, listen-ip and listen-port as in event_socket.conf.xml? No "
            "firewall may be between",
        )


def _found(ask: Ask, settings: Settings, site: Site) -> Iterator[Finding]:
    yield version(ask("version"))
    ours, theirs = time.time(), ask("strepoch")
    if theirs.strip().isdigit():  # whole seconds
        yield judged("clock of the PBX", int(theirs) + 0.5 - (ours + time.time()) / 2, "the PBX's")
    yield _modules(ask, site)
    yield _dialplan(ask, site)
    yield from _profiles(ask("sofia xmlstatus"))
    for name in sorted(site.trunks):
        yield _gateway(name, ask(f"sofia status gateway {name}"))
    yield from _event_socket(ask, settings)
    yield from _recordings(ask, settings)
    yield from softphones(ask, settings, site)


def version(said: str) -> Finding:
    found = re.search(r"Version ((\d+)\.(\d+)[.\d]*)", said)
    if found is None:
        return warn("pbx version", said.strip()[:80], f"an unknown version; {TRIED} is tried")
    if (int(found[2]), int(found[3])) < OLDEST:
        return fail("pbx version", f"FreeSWITCH {found[1]}", f"FreeSWITCH 1.10 or newer is needed; {TRIED} is tried")
    return ok("pbx version", f"FreeSWITCH {found[1]}")


def _modules(ask: Ask, site: Site) -> Finding:
    needed = MODULES | ({f"mod_{site.freeswitch.fallback}": "queues without a controller"} if site.queues else {})
    missing = [name for name in needed if ask(f"module_exists {name}").strip() != "true"]
    if missing:
        return fail(
            "pbx modules",
            "not loaded: " + ", ".join(f"{name} ({needed[name]})" for name in missing),
            f"load them in autoload_configs/modules.conf.xml, then `fs_cli -x 'load {missing[0]}'`",
        )
    return ok("pbx modules", f"{', '.join(needed)} are loaded")


def _dialplan(ask: Ask, site: Site) -> Finding:
    """What provisioning has written, as FreeSWITCH has read it."""
    contexts = {f"contactcentre-{name}": "" for name in CONTEXTS}
    for name in contexts:
        contexts[name] = ask(f"xml_locate dialplan context name {name}")
    away = [f"the context {name}" for name, text in contexts.items() if "<context" not in text]
    there = contexts["contactcentre-in"]
    away += [f"the DID {number}" for number in sorted(site.dids) if f'contactcentre_args=did,{number}"' not in there]
    conferences = ask("xml_locate configuration configuration name conference.conf")
    away += ["the conference profile contactcentre"] * ('<profile name="contactcentre"' not in conferences)
    if away:
        more = f" and {len(away) - 3} more" if len(away) > 3 else ""
        return fail(
            "our dialplan",
            f"FreeSWITCH does not have {', '.join(away[:3])}{more}",
            "`contactcentre plan` shows what is missing, `contactcentre apply` brings it",
        )
    return ok("our dialplan", f"{len(contexts)} contexts, {len(site.dids)} DIDs, the conference profile")


def _profiles(said: str) -> Iterator[Finding]:
    one = r"<profile>\s*<name>(.*?)</name>.*?<data>(.*?)</data>\s*<state>(.*?)</state>"
    profiles = {name: (address, state) for name, address, state in re.findall(one, said, re.S)}
    if not profiles:
        yield fail("sip profiles", "none runs: no phone and no trunk can reach this switch", "see sip_profiles/*.xml")
    for name, (address, state) in sorted(profiles.items()):
        if state.startswith("RUNNING"):
            yield ok(f"sip profile {name}", f"runs at {address.rpartition('@')[2]}")
        else:
            yield fail(f"sip profile {name}", f"is {state or 'not there'}", f"`fs_cli -x 'sofia profile {name} start'`")


def _gateway(name: str, said: str) -> Finding:
    subject = f"gateway {name}"
    values = dict(re.findall(r"^(State|Status)\s*\t(\S+)", said, re.M))
    if "State" not in values:
        return fail(subject, "FreeSWITCH does not have it", "`contactcentre apply` brings it")
    state, status = values["State"], values.get("Status", "")
    if state not in ("REGED", "NOREG"):
        return fail(subject, f"does not register: {state}", "are the carrier's host, user name and password right?")
    if status == "DOWN":
        return warn(subject, "does not answer (OPTIONS): calls out fail", "is the carrier's address and port right?")
    return ok(subject, "registered" if state == "REGED" else "there; it needs no registration")


def _event_socket(ask: Ask, settings: Settings) -> Iterator[Finding]:
    assert settings.esl_secret
    text = ask("xml_locate configuration configuration name event_socket.conf")
    found = re.findall(r'<param\s+name="([\w-]+)"\s+value="([^"]*)"', text)
    values = dict(found)
    addresses = f"{values.get('listen-ip') or '127.0.0.1'}:{values.get('listen-port') or '8021'}"
    allowed = [value for name, value in found if name == "apply-inbound-acl" and value] or ["loopback.auto"]
    where = f"bound to {addresses}, open to {' and '.join(allowed)}"
    if settings.esl_secret.get_secret_value() == "ClueCon":
        yield fail(
            "event socket",
            f"{where}, with the well-known password ClueCon: whoever reaches it commands the switch",
            "another password in event_socket.conf.xml and in CONTACTCENTRE_ESL_SECRET_FILE",
        )
    elif any(one in ("any_v4.auto", "any_v6.auto", "0.0.0.0/0") for one in allowed):
        yield warn("event socket", f"{where}: from everywhere", "apply-inbound-acl: loopback.auto or the controller's")
    else:
        yield ok("event socket", where)


def softphones(ask: Ask, settings: Settings, site: Site) -> Iterator[Finding]:
    """Nothing where no agent has one."""
    names = [name for name, agent in site.agents.items() if agent.webrtc]
    if not names:
        return
    profiles = re.findall(r"<name>([\w.-]+)</name>\s*<type>profile</type>", ask("sofia xmlstatus"))
    domain = ask("global_getvar domain").strip()
    if not settings.phone_url:
        yield fail(SOFTPHONES, *NO_ADDRESS)
    elif not any("<ws" in ask(f"sofia xmlstatus profile {name}") for name in profiles):
        yield fail(
            SOFTPHONES,
            "no SIP profile listens for websockets: no browser can sign in",
            "wss-binding in the profile of the phones (sip_profiles/internal.xml), and start the profile anew",
        )
    elif away := [name for name in names if ask(f"user_exists id {web_account(name)} {domain}").strip() != "true"]:
        yield fail(SOFTPHONES, f"FreeSWITCH does not have {web_account(away[0])}", "`contactcentre apply` brings it")
    elif ask("module_exists mod_opus").strip() != "true":
        yield warn(SOFTPHONES, "the PBX has no Opus: softphones use G.711, as telephones do", "load mod_opus")
    else:
        yield ok(SOFTPHONES, f"may sign in at {settings.phone_url}")


def _recordings(ask: Ask, settings: Settings) -> Iterator[Finding]:
    directory = settings.pbx_recordings_dir
    if directory is None or not directory.is_dir():
        theirs = ask("global_getvar recordings_dir").strip()
        yield fail(
            "pbx recordings",
            "CONTACTCENTRE_PBX_RECORDINGS_DIR is not set" if directory is None else f"{directory} is not there",
            f"name the directory in which FreeSWITCH records (its own: {theirs}), readable here",
        )
    elif not os.access(directory, os.R_OK | os.W_OK | os.X_OK):
        yield fail(
            "pbx recordings",
            f"{directory} cannot be read and written by this user: recordings could not be fetched, nor erased there",
            "run as FreeSWITCH's user, or give this one's group the directory",
        )
