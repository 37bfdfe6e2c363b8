"""The lab that settings name: its Asterisk, or its FreeSWITCH."""

from contactcentre.lab.freeswitch import FreeswitchLab
from contactcentre.lab.lab import Lab
from contactcentre.settings import Settings

AnyLab = Lab | FreeswitchLab


def lab_of(settings: Settings) -> AnyLab:
    """Running or not."""
    return FreeswitchLab(settings.lab_dir) if settings.pbx == "freeswitch" else Lab(settings.lab_dir)
