"""Asks the process that may change the PBX: `contactcentre provision`, or what CONTACTCENTRE_PROVISION_COMMAND says.

The web process needs neither the PBX's files nor its console for that, and no secret comes back. An apply that takes
too long is not ended, for it would have to be taken back then: it goes on, and who asked is told to look.
"""

import os
import shlex
import sys
from http import HTTPStatus

from gevent import subprocess

from contactcentre import logs
from contactcentre.domain.sentences import phrase
from contactcentre.provision.asking import Answered, Asked
from contactcentre.settings import Settings
from contactcentre.web.errors import WebError

PLAN_SECONDS, APPLY_SECONDS = 60.0, 240.0
OFF = "off"

log = logs.get(__name__)


class Off(WebError):
    status, code, title = HTTPStatus.CONFLICT, "site_read_only", phrase("The site is not changed here")


class Failed(WebError):
    status, code, title = (
        HTTPStatus.SERVICE_UNAVAILABLE,
        "provisioner_away",
        phrase("What changes the PBX did not answer"),
    )


class Slow(WebError):
    status, code, title = HTTPStatus.GATEWAY_TIMEOUT, "no_reply", phrase("What changes the PBX does not answer")


def is_off(settings: Settings) -> bool:
    return settings.provision_command.strip() == OFF


def ask(asked: Asked, settings: Settings) -> Answered:
    """Raises Off, Failed or Slow."""
    if is_off(settings):
        raise Off(phrase("CONTACTCENTRE_PROVISION_COMMAND is off: change the site file, and apply it."))
    own = [sys.executable, "-m", "contactcentre", "provision"]
    known = {"CONTACTCENTRE_STATE_DIR": str(settings.state_dir), "CONTACTCENTRE_PBX": settings.pbx or ""}
    try:
        process = subprocess.Popen(
            shlex.split(settings.provision_command) or own,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **known},
            start_new_session=True,  # Ctrl-C for us must not cut an apply short
        )
    except OSError as error:
        raise Failed(f"CONTACTCENTRE_PROVISION_COMMAND cannot be started: {error.strerror}.") from None
    try:
        out, err = process.communicate(
            asked.model_dump_json().encode(), timeout=APPLY_SECONDS if asked.plan else PLAN_SECONDS
        )
    except subprocess.TimeoutExpired:
        if asked.plan:
            raise Slow(phrase("It may still be done: look at the site's versions before asking again.")) from None
        process.kill()
        raise Slow(phrase("It made no plan in time. Nothing was changed.")) from None
    lines = out.decode(errors="replace").strip().splitlines()
    try:
        return Answered.model_validate_json(lines[-1])
    except (IndexError, ValueError):
        said = err.decode(errors="replace").strip()
        log.error("web.provision", code=process.returncode, said=said[-2000:])
        last = said.splitlines()[-1] if said else "it said nothing"
        raise Failed(f"{last[:300]}") from None
