"""What `doctor` looks at where agents have softphones in the browser."""

import re
from collections.abc import Iterator
from pathlib import Path

import urllib3

from contactcentre.cli.examine import Finding, fail, ok, warn
from contactcentre.cli.examine_pbx import Ari, module_runs
from contactcentre.embedded import Services
from contactcentre.settings import Settings

NEEDED = ("res_http_websocket", "res_pjsip_transport_websocket", "res_srtp", "res_sorcery_memory", "res_ari_asterisk")
OPUS = ("codec_opus", "codec_opus_open_source")
SORCERY = "[res_pjsip]\nauth = memory\nauth = config,pjsip.conf,criteria=type=auth"
SUBJECT = "softphones"
NO_ADDRESS = (
    "nobody has said where browsers' phones sign in",
    "CONTACTCENTRE_PHONE_URL=wss://PBX:8089/ws (FreeSWITCH: wss://PBX:7443), as browsers reach it",
)


def softphones(settings: Settings, services: Services) -> Iterator[Finding]:
    """Nothing where no agent has one. Of a PBX that cannot be asked `pbx` tells, and of a FreeSWITCH its own module."""
    from contactcentre.store import Store

    with Store(services.database_url) as store:
        _, site = store.site()
    if settings.ari_url is None or site is None or not any(agent.webrtc for agent in site.agents.values()):
        return
    if not settings.phone_url:
        yield fail(SUBJECT, *NO_ADDRESS)
        return
    ari = Ari(settings)
    try:
        missing = [module for module in NEEDED if not module_runs(ari, module)]
        opus = any(module_runs(ari, module) for module in OPUS)
    except urllib3.exceptions.HTTPError:
        return
    sorcery = (settings.pbx_etc_dir or Path()) / "sorcery.conf"
    if missing:
        yield fail(SUBJECT, f"the PBX has no {', '.join(missing)}", "load them in modules.conf; see docs/admin.rst")
    elif settings.pbx_etc_dir is not None and not keeps_passwords(sorcery):
        yield fail(
            SUBJECT,
            f"{sorcery} does not say that the PBX keeps passwords given through ARI: no softphone can sign in",
            f"add, and restart Asterisk:\n{SORCERY}",
        )
    elif not opus:
        yield warn(SUBJECT, "the PBX has no Opus: softphones use G.711, as telephones do", "load codec_opus")
    else:
        yield ok(SUBJECT, f"may sign in at {settings.phone_url}")


def keeps_passwords(sorcery: Path) -> bool:
    """Whether the file says so, as far as it can be read; an unreadable one counts as right."""
    try:
        text = sorcery.read_text(errors="replace")
    except FileNotFoundError:
        return False
    except OSError:
        return True
    ours = re.search(r"^\s*\[res_pjsip\](.*?)(?=^\s*\[|\Z)", text, re.MULTILINE | re.DOTALL)
    found = re.findall(r"^\s*auth\s*=>?\s*(\w+)", ours[1], re.MULTILINE) if ours else []
    return "memory" in found and "config" in found
