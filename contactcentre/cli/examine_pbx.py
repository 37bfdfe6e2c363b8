"""What `doctor` asks the PBX."""

import os
import re
import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import quote

import urllib3

from contactcentre.cli.examine import DEADLINE, Finding, fail, judged, ok, warn
from contactcentre.embedded import Services
from contactcentre.provision.render import ARI_APP
from contactcentre.settings import Settings

OLDEST_ASTERISK = 18
UNMAINTAINED_ASTERISK = (18, 19, 21)


class Ari:
    """Plain questions to the PBX. `url` as in the settings, with or without `/ari`."""

    def __init__(self, settings: Settings) -> None:
        assert settings.ari_url
        self.base = settings.ari_url.removesuffix("/ari") + "/ari"
        secret = settings.ari_secret.get_secret_value() if settings.ari_secret else ""
        self._pool = urllib3.PoolManager(
            headers=urllib3.make_headers(basic_auth=f"{settings.ari_user or ''}:{secret}"),
            timeout=urllib3.Timeout(total=DEADLINE),
            retries=False,
        )

    def ask(self, method: str, path: str) -> urllib3.BaseHTTPResponse:
        """Raises urllib3's HTTPError when there is no answer."""
        return self._pool.request(method, f"{self.base}/{path}")

    def close(self) -> None:
        self._pool.clear()


def pbx(settings: Settings) -> Iterator[Finding]:
    """Reachable, new enough, our rights, our application, sounds, clock."""
    if settings.ari_url is None:
        yield fail(
            "pbx",
            "no PBX is named",
            "set CONTACTCENTRE_ARI_URL (say http://127.0.0.1:8088) and CONTACTCENTRE_PBX_ETC_DIR (say /etc/asterisk), "
            "or try the lab: contactcentre lab start",
        )
        return
    ari = Ari(settings)
    try:
        before = time.time()
        answer = ari.ask("GET", "asterisk/info")
    except urllib3.exceptions.HTTPError as error:
        from contactcentre.pbx.asterisk.http import reason

        yield fail(
            "pbx",
            f"{settings.ari_url} cannot be reached: {reason(error)}",
            "is Asterisk running? http.conf needs enabled = yes, bindaddr and bindport under [general], then "
            '`asterisk -rx "module reload http"`; and no firewall may be between',
        )
        return
    if answer.status != 200:
        advice = {
            401: _whose_secret(settings),
            404: "no ARI there: enabled = yes under [general] of ari.conf; a prefix in http.conf belongs in the URL",
        }
        yield fail("pbx", f"{ari.base} answers {answer.status}", advice.get(answer.status, "see the PBX's own log"))
        return
    version = str(answer.json()["system"]["version"])
    yield from _asterisk(version)
    if date := answer.headers.get("Date"):
        # the header has whole seconds
        ours = (before + time.time()) / 2
        yield judged("clock of the PBX", parsedate_to_datetime(date).timestamp() + 0.5 - ours, "the PBX's")
    yield from _rights(ari)
    if settings.ari_listen:
        yield _outbound(ari, settings.ari_listen, version)
    yield from _sounds(ari)


def lamps(settings: Settings, services: Services) -> Iterator[Finding]:
    """Whether phones can be told of messages. Of a PBX that cannot be asked `pbx` tells."""
    from contactcentre.store import Store

    with Store(services.database_url) as store:
        _, site = store.site()
    if settings.pbx == "freeswitch" or settings.ari_url is None or site is None or site.settings.message_lamp == "off":
        return
    ari = Ari(settings)
    try:
        running = [module for module in ("app_minivm", "app_voicemail") if module_runs(ari, module)]
    except urllib3.exceptions.HTTPError:
        return
    voicemail = (settings.pbx_etc_dir or Path()) / "voicemail.conf"
    if "app_minivm" not in running:
        yield warn(
            "message lamps",
            "the PBX has no app_minivm: agents' phones do not show that messages wait",
            'load = app_minivm.so in modules.conf, then `asterisk -rx "module load app_minivm.so"`; or '
            "`message_lamp: off` in the site's settings",
        )
    elif "app_voicemail" in running and voicemail.is_file() and _polls(voicemail.read_text(errors="replace")):
        yield warn(
            "message lamps",
            f"{voicemail} has pollmailboxes = yes: the PBX's own voicemail puts out every lamp that it did not light",
            "pollmailboxes = no, which is enough where nobody but Asterisk changes its mailboxes; or "
            "`message_lamp: off` in the site's settings",
        )
    else:
        yield ok("message lamps", "phones are told of messages")


def module_runs(ari: Ari, module: str) -> bool:
    answer = ari.ask("GET", f"asterisk/modules/{module}.so")
    return answer.status == 200 and answer.json()["status"] == "Running"


def _polls(text: str) -> bool:
    """Asterisk's words for yes (ast_true)."""
    found = re.findall(r"^\s*pollmailboxes\s*=>?\s*(\w+)", text, re.MULTILINE | re.IGNORECASE)
    return bool(found) and found[-1].lower() in ("yes", "true", "y", "t", "1", "on")


def _whose_secret(settings: Settings) -> str:
    """What to do when the PBX does not know the user or the password."""
    if settings.ari_secret is None:
        return "no password is known yet: `contactcentre apply` makes a user and its password"
    if settings.ari_secret_file or os.environ.get("CONTACTCENTRE_ARI_SECRET"):
        return (
            'the user or secret is wrong: compare with ari.conf, then `asterisk -rx "module reload res_ari.so"`. '
            "Without CONTACTCENTRE_ARI_SECRET_FILE and CONTACTCENTRE_ARI_SECRET the one that `apply` made is used"
        )
    return "the user or secret is wrong: `contactcentre plan` shows what was changed, `contactcentre apply` mends it"


def _asterisk(version: str) -> Iterator[Finding]:
    digits = version.removeprefix("certified/").split(".")[0].split("-")[0]
    major = int(digits) if digits.isdigit() else 0
    if not major:
        yield warn("pbx version", f"Asterisk {version}", "an unknown version; 18 to 22 are tried")
    elif major < OLDEST_ASTERISK:
        yield fail("pbx version", f"Asterisk {version}", f"Asterisk {OLDEST_ASTERISK} or newer is needed; 22 is best")
    elif major in UNMAINTAINED_ASTERISK:
        yield warn(
            "pbx version", f"Asterisk {version}", "works, but gets no security fixes any more: plan for 20 or 22"
        )
    else:
        yield ok("pbx version", f"Asterisk {version}")


def _rights(ari: Ari) -> Iterator[Finding]:
    # a channel that cannot exist: whoever may write is told 404, whoever may not 403; nothing changes
    status = ari.ask("DELETE", "channels/contactcentre-doctor-nobody").status
    if status == 403:
        yield fail(
            "ari rights", "this ARI user may only read", "read_only = no for it in ari.conf, then reload res_ari"
        )
    elif status == 404:
        yield ok("ari rights", "may read and write")
    else:
        yield warn("ari rights", f"an unexpected answer to a harmless request: {status}", "see the PBX's own log")


def _outbound(ari: Ari, listen: str, version: str) -> Finding:
    """Whether the PBX connects to the controller, where the settings say so. It keeps the application while there is no
    controller."""
    subject = "link from the PBX"
    if not module_runs(ari, "res_websocket_client"):
        return fail(
            subject,
            f"Asterisk {version} has no res_websocket_client: it cannot connect to {listen}",
            "it needs 20.15, 21.10, 22.5 or newer, and load = res_websocket_client.so in modules.conf; or take "
            "CONTACTCENTRE_ARI_LISTEN away, then `contactcentre apply`",
        )
    if ari.ask("GET", f"applications/{ARI_APP}").status != 200:
        return fail(
            subject,
            f"the PBX does not know that it is to connect to {listen}",
            "`contactcentre plan` shows what is missing in websocket_client.conf and ari.conf, `contactcentre apply` "
            "writes it",
        )
    return ok(subject, f"the PBX connects to {listen}")


def _sounds(ari: Ari) -> Iterator[Finding]:
    answer = ari.ask("GET", f"sounds/{quote('digits/1', safe='')}")
    if answer.status == 200:
        languages = sorted({str(form["language"]) for form in answer.json()["formats"]})
        yield ok("sounds", f"numbers can be spoken in {', '.join(languages)}")
    else:
        yield warn(
            "sounds",
            "the PBX has no sounds for numbers (digits/1)",
            "install its core sounds, e.g. apt install asterisk-core-sounds-en; else espeak-ng speaks them",
        )
