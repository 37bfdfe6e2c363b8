"""What calls are asked to do, and what became of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from contactcentre.lab.errors import LabError
from contactcentre.lab.sip import CODECS


@dataclass(frozen=True)
class CallPlan:
    """One call to be placed. Times in seconds; see `Lab.call`."""

    did: str
    caller: str = "+33123456789"
    name: str = ""
    digits: str = ""
    digits_after: float = 1.0
    digit_pause: float = 2.0
    talk: float | None = 5.0
    patience: float | None = 60.0
    tone: int = 400
    headers: Mapping[str, str] = field(default_factory=dict)
    heard: Path | str | None = None
    sequence: int | None = None
    frames: int = 1
    codec: str = ""

    def __post_init__(self) -> None:
        check_tone(self.tone)
        check_digits(self.digits)
        if not self.did or not self.did.isprintable():
            raise LabError(f"did {self.did!r}: a number to call is needed")
        if self.codec not in ("", *CODECS.values()):
            raise LabError(f"codec {self.codec!r}: must be one of {', '.join(CODECS.values())}")
        for key, value in self.headers.items():
            if not (key + value).isprintable():
                raise LabError(f"header {key!r}: control characters are not allowed in a SIP header")


@dataclass(frozen=True)
class CallResult:
    """What became of a call, as its own end saw it. Times are epoch seconds, UTC."""

    call_id: str
    """SIP Call-ID of this end."""
    number: str
    """What was dialled."""
    caller: str
    started_at: float
    ringing_at: float | None
    answered_at: float | None
    person_at: float | None
    """When another simulated phone's tone was first heard."""
    ended_at: float
    ended_by: str
    """`us` (hung up as planned), `patience` (gave up), `pbx` (the other side), `nobody` (no answer)."""
    status: int
    """Final SIP status: 200, 404, 486, 487 (given up before an answer), 408 (no answer on the wire), ..."""
    cause: int | None
    """Q.850 cause of the other side's hangup, when it gave one (RFC 3326)."""
    sent: int
    """RTP packets."""
    received: int
    digits_heard: str
    silence: float = 0.0
    """Seconds of the longest silence after the answer."""
    silence_at: float | None = None
    """When that began."""
    phone: str = ""
    caller_name: str = ""
    incoming: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)
    """Of the INVITE that came in; empty for a call we placed."""
    offered: Sequence[str] = ()
    """By that INVITE: `PCMU` and `PCMA`, in its order."""

    @property
    def answered(self) -> bool:
        return self.answered_at is not None

    @property
    def served(self) -> bool:
        """Whether the caller got to speak to another simulated phone."""
        return self.person_at is not None

    @property
    def setup(self) -> float | None:
        """INVITE to 200, seconds."""
        return None if self.answered_at is None else self.answered_at - self.started_at

    @property
    def wait(self) -> float | None:
        """INVITE to the first sound of another phone, seconds."""
        return None if self.person_at is None else self.person_at - self.started_at

    @property
    def duration(self) -> float:
        """INVITE to the end, seconds."""
        return self.ended_at - self.started_at

    @property
    def outcome(self) -> str:
        """`served`, `abandoned` (gave up), `dropped` (by the PBX), `refused`, or `failed` (no answer)."""
        if self.served:
            return "served"
        if self.ended_by in ("us", "patience"):
            return "abandoned"
        if self.answered:
            return "dropped"
        return "failed" if self.ended_by == "nobody" else "refused"


def result_of(event: dict[str, Any]) -> CallResult:
    """The result in an `ended` event."""
    known = {key: event[key] for key in CallResult.__dataclass_fields__ if key in event}
    return CallResult(call_id=event["call"], **known)


def check_tone(tone: int) -> None:
    """Raises LabError for a tone the ear of `media` could not know."""
    if tone % 50 or not 0 <= tone <= 3800:
        raise LabError(f"tone {tone}: must be a multiple of 50 Hz, at most 3800 (0 is silence)")


def check_digits(digits: str) -> None:
    """Raises LabError for what is no DTMF digit."""
    wrong = set(digits.upper()) - set("0123456789*#ABCD,")
    if wrong:
        raise LabError(f"digits {digits!r}: only 0-9 * # A-D, and a comma for a pause")
