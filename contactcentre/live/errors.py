"""What can go wrong with the live state. Every wait in this package ends in a result or in one of these."""


class LiveError(Exception):
    """Base of all errors of the live state."""


class Away(LiveError):
    """Redis did not answer in time, cannot be reached, or is still loading. Nothing is known about the write."""


class Refused(LiveError):
    """Redis answered and refused: out of memory, read-only, no permission, its disk is full."""


class Stale(LiveError):
    """Another controller has our place: nothing that we write counts any more."""


class LostRace(LiveError):
    """Somebody else changed the record each time we tried."""


class Resync(LiveError):
    """The cursor is older than what the stream still holds, or Redis lost its data: take a new snapshot."""


class Malformed(LiveError):
    """A record is not what it should be. Says which record and why."""


class TooLarge(LiveError):
    """A command or reply is larger than the limit."""


class NoReply(LiveError):
    """Nobody answered the command in time: the node's controller is away or busy. It may still be carried out, once."""


class CommandFailed(LiveError):
    """The controller carried the command out and it failed. `code` is stable, the text is for a person."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class NoSuchCall(LiveError):
    """No call that goes on is the one meant, or several may be. The text says which."""


class SpoolInUse(LiveError):
    """Another running process owns this spool file."""
