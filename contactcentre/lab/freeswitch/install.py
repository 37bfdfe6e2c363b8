"""Where the lab's FreeSWITCH comes from: FREESWITCH_BIN, else `freeswitch` on PATH. Nothing is fetched."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from contactcentre.lab.errors import NoFreeswitch
from contactcentre.lab.install import clean_environment

BIN = "FREESWITCH_BIN"
"""Environment: the program to use instead of the one on PATH."""
OLDEST = (1, 10)
NEEDED = (
    *("mod_commands", "mod_dptools", "mod_dialplan_xml", "mod_event_socket", "mod_logfile", "mod_loopback"),
    *("mod_sndfile", "mod_sofia", "mod_tone_stream"),
    *("mod_conference", "mod_hash", "mod_local_stream"),  # the controller's
)
"""Without these the lab would be no lab."""
WANTED = (
    *(
        "mod_callcenter",
        "mod_db",
        "mod_expr",
        "mod_fifo",
        "mod_native_file",
        "mod_rtc",
        "mod_say_en",
        "mod_spandsp",
    ),
)
"""Loaded where they are there. No mod_opus: simulated callers know a person by frames that are the same to the bit, and
Opus does not leave them so."""
_VERSION = re.compile(r"FreeSWITCH version: ((\d+)\.(\d+)[.\d]*)")


@dataclass(frozen=True)
class Freeswitch:
    """A program that can be run, and the modules that it can load."""

    program: str
    version: str
    module_dir: Path
    modules: tuple[str, ...]


def find_freeswitch() -> Freeswitch:
    """FREESWITCH_BIN's, else the one on PATH. Raises NoFreeswitch with what is missing."""
    program = _program()
    version = _version(program)
    beside = Path(program).resolve().parent.parent
    places = (beside / "lib/freeswitch/mod", beside / "mod", *sorted(beside.glob("lib*/*/freeswitch/mod")))
    module_dir = next((place for place in places if place.is_dir()), None)
    if module_dir is None:
        raise NoFreeswitch(f"{program} has no modules in {' or '.join(str(place) for place in places[:2])}")
    if missing := [name for name in NEEDED if not (module_dir / f"{name}.so").is_file()]:
        raise NoFreeswitch(f"{program} was built without {', '.join(missing)} (looked in {module_dir})")
    present = (*NEEDED, *(name for name in WANTED if (module_dir / f"{name}.so").is_file()))
    return Freeswitch(program, version, module_dir, present)


def can_have_freeswitch() -> str | None:
    """None when the lab can run one, else the reason why it cannot."""
    try:
        find_freeswitch()
    except NoFreeswitch as error:
        return str(error)
    return None


def _program() -> str:
    if chosen := os.environ.get(BIN):
        if shutil.which(chosen) is None:
            raise NoFreeswitch(f"{BIN} is {chosen}: there is no such program")
        return chosen
    if found := shutil.which("freeswitch"):
        return found
    raise NoFreeswitch(f"no FreeSWITCH on PATH: install one (https://freeswitch.org), or name its program in {BIN}")


def _version(program: str) -> str:
    try:
        done = subprocess.run(
            [program, "-version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=20,
            check=False,
            env=clean_environment(),
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoFreeswitch(f"{program} does not run: {error}") from error
    found = _VERSION.search(done.stdout)
    if found is None:
        raise NoFreeswitch(f"{program} does not tell its version: {(done.stdout + done.stderr).strip()}")
    if (int(found[2]), int(found[3])) < OLDEST:
        raise NoFreeswitch(f"{program} is FreeSWITCH {found[1]}: at least {OLDEST[0]}.{OLDEST[1]} is needed")
    return found[1]
