"""HTTP that leaves the house: to whom we connect, for how long at most, and how it is signed. It works in threads and
in greenlets alike."""

from contactcentre.outgoing.reach import ANYWHERE, Failed, Forbidden, Reach
from contactcentre.outgoing.request import Answer, ask

__all__ = ["ANYWHERE", "Answer", "Failed", "Forbidden", "Reach", "ask"]
