"""A private FreeSWITCH on loopback, beside the lab's Asterisk: the same phones and callers, another switch.

    lab = FreeswitchLab("/some/state/dir")
    info = lab.start()          # info.esl_port, info.esl_password, info.sip_port, info.recordings_dir
    print(lab.rx("status"))

There is no Debian package of FreeSWITCH to fetch: it is the one that FREESWITCH_BIN names, or the one on PATH. Only
the program and its modules are used, never its configuration, state or ports.
"""

from contactcentre.lab.freeswitch.install import can_have_freeswitch
from contactcentre.lab.freeswitch.lab import FreeswitchInfo, FreeswitchLab

__all__ = ["FreeswitchInfo", "FreeswitchLab", "can_have_freeswitch"]
