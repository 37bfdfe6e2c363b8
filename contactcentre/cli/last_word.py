"""When a controller last told the PBX that it is there, as the PBX has it. Asked in a way that disturbs none."""

import json
from datetime import datetime

import urllib3

from contactcentre.cli.esl import console, named
from contactcentre.cli.examine_pbx import Ari
from contactcentre.pbx.asterisk.presence import VARIABLE as ON_ASTERISK
from contactcentre.pbx.errors import LinkDown
from contactcentre.pbx.freeswitch.presence import VARIABLE as ON_FREESWITCH
from contactcentre.settings import Settings

DEADLINE = 5.0


def silent_for(settings: Settings) -> float | None:
    """Seconds, by the PBX's clock, since the last promise of a controller to be there ran out; negative = one is there;
    None = none was ever given. Raises PbxError when the PBX does not say."""
    clock, said = _freeswitch(settings) if settings.pbx == "freeswitch" else _asterisk(settings)
    return clock - float(said) if said.isdecimal() else None


def _freeswitch(settings: Settings) -> tuple[float, str]:
    if named(settings) is None:
        raise LinkDown("the event socket is not named")
    with console(settings, DEADLINE) as ask:
        clock, said = ask("strepoch").strip(), ask(f"global_getvar {ON_FREESWITCH}").strip()
    if not clock.isdecimal():
        raise LinkDown(f"strepoch answers {clock[:50]!r}")
    return float(clock), said


def _asterisk(settings: Settings) -> tuple[float, str]:
    if settings.ari_url is None:
        raise LinkDown("no PBX is named")
    ari = Ari(settings)
    try:
        pong = ari.ask("GET", "asterisk/ping")
        value = ari.ask("GET", f"asterisk/variable?variable={ON_ASTERISK}")
        if pong.status != 200 or value.status not in (200, 404):
            raise LinkDown(f"{ari.base} answers {pong.status}, {value.status}")
        clock = datetime.strptime(pong.json()["timestamp"], "%Y-%m-%dT%H:%M:%S.%f%z").timestamp()
        return clock, str(value.json()["value"]) if value.status == 200 else ""
    except (urllib3.exceptions.HTTPError, json.JSONDecodeError, KeyError, TypeError, ValueError) as error:
        raise LinkDown(f"{ari.base} cannot be asked: {error}") from None
    finally:
        ari.close()
