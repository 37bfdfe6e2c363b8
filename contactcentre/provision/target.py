"""The Asterisk that is provisioned: its configuration directory and its console."""

import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from contactcentre.provision.problems import ProvisionError

CONSOLE_SECONDS = 15.0
DIRECTORY = "contactcentre"
"""Below the configuration directory: everything that we write, but the includes."""


class PbxUnreachable(ProvisionError):
    """The PBX's console does not answer. Nothing was changed."""


@dataclass(frozen=True, slots=True)
class AsteriskTarget:
    """`rx` runs one console command and returns what it prints; it raises (anything) when there is no
    console."""

    etc_dir: Path
    rx: Callable[[str], str]

    @property
    def ours(self) -> Path:
        return self.etc_dir / DIRECTORY

    def console(self, command: str) -> str:
        """Raises PbxUnreachable."""
        try:
            said = self.rx(command)
        except Exception as error:
            raise PbxUnreachable(f"the PBX does not answer `{command}`: {error}") from error
        if said.startswith("Unable to connect to remote asterisk"):
            raise PbxUnreachable(f"the PBX does not answer `{command}`: {said.strip()}")
        return said

    def version(self) -> str | None:
        """What the running PBX says it is; None when none answers."""
        try:
            return self.console("core show version").partition(" built by")[0].strip()
        except PbxUnreachable:
            return None


def asterisk_console(command: str) -> str:
    """`asterisk -rx`, for the machine's own Asterisk."""
    program = shutil.which("asterisk", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if program is None:
        raise PbxUnreachable("there is no `asterisk` program on this machine")
    done = subprocess.run(
        [program, "-rx", command],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=CONSOLE_SECONDS,
        check=False,
    )
    if done.returncode:
        raise PbxUnreachable((done.stderr or done.stdout).strip() or f"asterisk -rx ended with {done.returncode}")
    return done.stdout
