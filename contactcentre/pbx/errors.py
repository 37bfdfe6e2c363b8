"""What can go wrong between us and a PBX. "The channel is gone" is a normal branch, so it has a type of its own."""


class PbxError(Exception):
    """Any refusal or failure of the PBX."""


class Gone(PbxError):
    """The channel, bridge or playback does not exist (any more)."""


class Refused(PbxError):
    """The PBX understood and said no (wrong state, bad argument, no permission)."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class TooLarge(PbxError):
    """The request is larger than the PBX takes; it was not sent."""


class LinkDown(PbxError):
    """There is no link to the PBX, or it was cut while we waited. Whether the request took effect is unknown."""


class Deadline(PbxError):
    """The PBX did not answer in time. Whether the request took effect is unknown."""
