"""The PBX that is provisioned: its configuration directory and its console."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from contactcentre.provision.problems import ProvisionError
from contactcentre.provision.render import Outbound

CONSOLE_SECONDS = 15.0
DIRECTORY = "contactcentre"
"""Below the configuration directory: everything that we write, but the includes."""


class PbxUnreachable(ProvisionError):
    """The PBX's console does not answer. Nothing was changed."""


@dataclass(frozen=True)
class Target:
    """`rx` runs one console command and returns what it prints; it raises (anything) when there is no
    console."""

    etc_dir: Path
    rx: Callable[[str], str]

    probe: ClassVar[str]
    """A command that changes nothing, and that each PBX answers."""
    absent: ClassVar[str]
    """How an answer begins that is not the PBX's, but says that there is none."""
    busy: ClassVar[re.Pattern[str]]
    """In the answer to a reload: it reloads already, ask again."""
    refused: ClassVar[re.Pattern[str]]
    """In the answer to a reload: it did not."""

    @property
    def ours(self) -> Path:
        return self.etc_dir / DIRECTORY

    def console(self, command: str) -> str:
        """Raises PbxUnreachable."""
        try:
            said = self.rx(command)
        except Exception as error:
            raise PbxUnreachable(f"the PBX does not answer `{command}`: {error}") from error
        if said.startswith(self.absent):
            raise PbxUnreachable(f"the PBX does not answer `{command}`: {said.strip()}")
        return said

    def version(self) -> str | None:
        """What the running PBX says it is; None when none answers."""
        try:
            return self._version()
        except PbxUnreachable:
            return None

    def _version(self) -> str:
        raise NotImplementedError


@dataclass(frozen=True)
class AsteriskTarget(Target):
    outbound: Outbound | None = None
    """None = the controller connects to the PBX."""

    probe = "core show uptime"
    absent = "Unable to connect to remote asterisk"
    busy = re.compile("already in progress|request queued")
    refused = re.compile(
        "No such (command|module)|reload failure|not support|not properly initialized|already in progress"
    )

    def _version(self) -> str:
        return self.console("core show version").partition(" built by")[0].strip()


class FreeswitchTarget(Target):
    probe = "status"
    absent = "[ERROR] "
    busy = re.compile("$ never")
    refused = re.compile(r"^-(ERR(?! no such gateway)|USAGE)", re.M)  # one that is gone already was to go

    def _version(self) -> str:
        return self.console("version").partition(" (")[0].strip()


def asterisk_console(command: str) -> str:
    """`asterisk -rx`, for the machine's own Asterisk."""
    return _console(["asterisk", "-rx", command])


def freeswitch_console(command: str) -> str:
    """`fs_cli -x`, for the machine's own FreeSWITCH. It reads where and with what password from its own fs_cli.conf."""
    return _console(["fs_cli", "-x", command])


def _console(command: list[str]) -> str:
    name, option, _ = command
    program = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if program is None:
        raise PbxUnreachable(f"there is no `{name}` program on this machine")
    done = subprocess.run(
        [program, *command[1:]],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=CONSOLE_SECONDS,
        check=False,
    )
    if done.returncode:
        raise PbxUnreachable((done.stderr or done.stdout).strip() or f"{name} {option} ended with {done.returncode}")
    return done.stdout
