"""The lab: a private Asterisk on loopback, with simulated phones and callers, for tests, demo and bench.

lab = Lab("/some/state/dir")
info = lab.start()          # idempotent; info.ari_url, info.ari_secret, info.sip_port, info.recordings_dir, ...
print(lab.rx("core show channels"))
lab.stop()
"""

from contactcentre.lab.errors import LabError, LabNotRunning, LabTimeout, NoAsterisk
from contactcentre.lab.install import can_have_asterisk
from contactcentre.lab.lab import Lab, LabInfo

__all__ = [
    "Lab",
    "LabError",
    "LabInfo",
    "LabNotRunning",
    "LabTimeout",
    "NoAsterisk",
    "can_have_asterisk",
]
