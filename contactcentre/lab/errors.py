"""What can go wrong with the lab, each by its name."""


class LabError(Exception):
    """The lab cannot do what was asked; the message says why and what to do."""


class NoAsterisk(LabError):
    """No usable Asterisk here: none on PATH, and none could be fetched."""


class NoFreeswitch(LabError):
    """No usable FreeSWITCH here: none is named or on PATH, or it lacks a module."""


class LabNotRunning(LabError):
    """The lab at this state directory is not running."""


class LabTimeout(LabError):
    """Something in the lab did not happen before its deadline."""


class PhoneError(LabError):
    """A simulated phone could not do what was asked (not registered, no such phone, its process is gone)."""
